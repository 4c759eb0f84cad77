/**
 * Trains a ResNet-20 for some steps on 20,000 pictures of 500x400 pixels in a folder, and prints the memory that it took:
 *
 *     node bench/large-folder.mjs [--images 20000] [--size 64] [--batch 32] [--steps 60] [--memory 128]
 *
 * The pictures are noise: a few different ones, of which each file is a hard link, so that the folder takes little space.
 */
import { linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { datasets, fitted, models, optim, quant, train } from "../dist/index.js";

const { values } = parseArgs({
  options: Object.fromEntries(
    ["images", "size", "batch", "steps", "memory"].map((name) => [name, { type: "string" }]),
  ),
});
const {
  images = 20_000,
  size = 64,
  batch = 32,
  steps = 60,
  memory = 128, // MiB that images may stay in
} = Object.fromEntries(Object.entries(values).map(([name, text]) => [name, Number(text)]));

const classes = 10;
const different = 20;
const folder = mkdtempSync(join(tmpdir(), "fewbit-large-"));
try {
  const pictures = await Promise.all(
    Array.from({ length: different }, (_, i) => {
      const noise = { type: "gaussian", mean: 60 + 7 * i, sigma: 40 };
      const picture = sharp({ create: { width: 500, height: 400, channels: 3, background: "grey", noise } });
      return picture.blur(1.5).jpeg().toBuffer();
    }),
  );
  const originals = pictures.map((bytes, i) => {
    const path = join(folder, `${i}.jpg`);
    writeFileSync(path, bytes);
    return path;
  });
  const data = join(folder, "data");
  for (let i = 0; i < images; i++) {
    const name = join(data, String(i % classes));
    if (i < classes) mkdirSync(name, { recursive: true });
    linkSync(originals[i % different], join(name, `${i}.jpg`));
  }
  const seconds = (since) => ((performance.now() - since) / 1000).toFixed(0);
  const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;
  const peak = () => megabytes(1024 * process.resourceUsage().maxRSS);

  let began = performance.now();
  const set = await datasets.images({ directory: data, shape: [size, size, 3], memory: memory * 2 ** 20 });
  const pixels = images * size ** 2 * 3;
  console.log(
    `${images} pictures of 500x400, which are ${megabytes(pixels)} as ${size}x${size} pixels of colour`,
  );
  console.log(`read once in ${seconds(began)} s, peak resident memory ${peak()}`);

  const enough = new globalThis.AbortController();
  began = performance.now();
  const run = await train({
    model: fitted(models.resnet20, { input: set.shape, classes }),
    method: quant.dorefa({ weightBits: 2, activationBits: 2 }),
    data: set,
    optimizer: optim.adam({ learningRate: 0.001 }),
    epochs: 1,
    batchSize: batch,
    signal: enough.signal,
    onProgress: ({ step }) => step === steps && enough.abort(),
  });
  console.log(
    `${steps} steps of ${batch} in ${seconds(began)} s, ${run.imagesPerSecond.toFixed(0)} images a second, peak resident memory ${peak()}`,
  );
} finally {
  rmSync(folder, { recursive: true });
}
