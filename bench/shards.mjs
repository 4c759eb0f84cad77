/**
 * `npm run bench -- shards [--json] [--rounds 5] [--steps 16]`: images per second of batches for training, from a folder of
 * photographs and from WebDataset shards of them (`fewbit data shard --size 256`), by turns, for both presets. The photographs
 * are copies of those in FEWBIT_DATA/imagenet-mini, as they are, which is ImageNet's size, and enlarged to the 1,920 pixels
 * that a camera's have at least. The system has all of them in memory: a disk that is slow to open files adds to the folder's
 * time only.
 */
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  existsSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import sharp from "sharp";
import { datasets, writeShards } from "../dist/index.js";
import { median, root } from "./common/processes.mjs";

const batch = 64;
const shape = [224, 224, 3];
/** How often each photograph is there, and its shorter side if that is another. */
const kinds = [
  { kind: "ImageNet's", copies: 25 },
  { kind: "a camera's", copies: 4, side: 1920 },
];

/** A part of 8 to 100% of an image, as random resized crops are, or a crop of the frame: the same for each image and round. */
const placed =
  (preset) =>
  (i, [height, width]) => {
    const part = ((i * 37) % 93) / 100 + 0.08;
    const size =
      preset === "redbit" ? shape : [height, width].map((side) => Math.round(side * Math.sqrt(part)));
    const rest = { angle: 0, flipped: i % 2 === 1, padding: "zeros" };
    return {
      ...rest,
      top: (height - size[0]) >> 1,
      left: (width - size[1]) >> 1,
      height: size[0],
      width: size[1],
    };
  };

/** Writes copies of photographs by class, and returns the mean of their bytes. */
async function writeFolder(folder, photographs, { copies, side }) {
  let bytes = 0;
  for (const path of photographs) {
    const original = readFileSync(path);
    const size = { width: side, height: side, fit: "outside" };
    const photograph = side === undefined ? original : await sharp(original).resize(size).jpeg().toBuffer();
    bytes += photograph.length / photographs.length;
    for (const set of ["train", "val"]) {
      const place = join(folder, set, basename(dirname(path)));
      mkdirSync(place, { recursive: true });
      for (let i = 0; i < (set === "val" ? 1 : copies); i++)
        writeFileSync(join(place, `${i}.JPEG`), photograph);
    }
  }
  return bytes;
}

/** Images per second of a folder and of shards, by turns. */
async function compare(directories, { preset, rounds, steps }) {
  const times = Object.fromEntries(Object.keys(directories).map((name) => [name, []]));
  const images = new Float32Array(batch * shape[0] * shape[1] * shape[2]);
  // The first round fills the disk's cache and does not count.
  for (let round = 0; round <= rounds; round++) {
    for (const [name, directory] of Object.entries(directories)) {
      const { train, mean, std } = await datasets.imagenet({ directory, shape, preset });
      const start = performance.now();
      for (let step = 0; step < steps; step++) {
        // Files from all over the archives.
        const indices = Uint32Array.from(
          { length: batch },
          (_, i) => ((step * batch + i) * 617) % train.count,
        );
        await train.fill(indices, placed(preset), { images, mean, std });
      }
      if (round > 0) times[name].push((performance.now() - start) / 1000);
    }
  }
  return Object.fromEntries(
    Object.entries(times).map(([name, all]) => [name, (steps * batch) / median(all)]),
  );
}

export async function benchShards({ rounds, steps = 16, json }) {
  const source = join(process.env.FEWBIT_DATA ?? join(root, "../shared/data"), "imagenet-mini");
  if (!existsSync(source)) {
    console.error(
      `shards needs photographs in ${source}, a folder per class; FEWBIT_DATA names another place`,
    );
    process.exit(2);
  }
  const photographs = readdirSync(source, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".JPEG"))
    .map((name) => join(source, name));
  if (!json) {
    console.log(
      `${cpus()[0].model}, Node ${process.version}, ${rounds} rounds of ${steps * batch} images, load ${loadavg()[0].toFixed(1)}`,
    );
  }
  for (const { kind, ...how } of kinds) {
    const parent = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
    try {
      const [folder, shards] = [join(parent, "folder"), join(parent, "shards")];
      const bytes = await writeFolder(folder, photographs, how);
      await writeShards({ directory: folder, out: shards, size: 256 });
      for (const preset of ["paper", "redbit"]) {
        const rates = await compare({ folder, shards }, { preset, rounds, steps });
        const ratio = rates.shards / rates.folder;
        console.log(
          json
            ? JSON.stringify({ kind, bytes, preset, ...rates, ratio })
            : `${kind} size, ${Math.round(bytes / 1000)} KB, preset ${preset}: ${rates.folder.toFixed(0)} images per second from the folder, ${rates.shards.toFixed(0)} from shards of 256 pixels, ratio ${ratio.toFixed(2)}`,
        );
      }
    } finally {
      rmSync(parent, { recursive: true });
    }
  }
}
