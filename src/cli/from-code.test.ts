/** Runs that the library trained, as the command line scores and asks them. */
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { datasets } from "../data/index.js";
import { models } from "../models/index.js";
import { network } from "../nn/index.js";
import { adam } from "../optim/index.js";
import { dorefa } from "../quantization/index.js";
import type { Run } from "../training/index.js";
import { train } from "../training/index.js";
import { build, expectRefusal, fewbit, newFolder } from "./cli.test.fixture.js";

let folder: string;
const at = (...names: string[]) => join(folder, ...names);
let own: Run;
let mixed: Run;

beforeAll(async () => {
  build();
  folder = newFolder();
  const pixels = gunzipSync(readFileSync(at("mnist", "t10k-images-idx3-ubyte.gz"))).subarray(16, 16 + 784);
  await sharp(pixels, { raw: { width: 28, height: 28, channels: 1 } }).toFile(at("digit.png"));
  const base = {
    method: dorefa({ weightBits: 1, activationBits: 2 }),
    data: await datasets.mnist({ directory: at("mnist") }),
    optimizer: adam({ learningRate: 0.01 }),
    epochs: 1,
    batchSize: 64,
  };
  own = await train({ ...base, model: models.lenet5, directory: at("shipped") });
  const flat = network("flat", { input: [28, 28, 1], classes: 10 }, (net, images) =>
    net.linear("fc2", net.block("fc1", net.flatten(images), { features: 20 }), { features: net.classes }),
  );
  const set = (part: "train" | "test") => {
    const count = part === "train" ? 64 : 20;
    const images = Uint8Array.from({ length: count * 784 }, (_, i) => (i * 31) % 256);
    return { images, labels: Uint8Array.from({ length: count }, (_, i) => i % 10) };
  };
  const data = datasets.fromArrays({
    train: set("train"),
    test: set("test"),
    shape: [28, 28, 1],
    classes: 10,
  });
  mixed = await train({ ...base, data, model: flat, directory: at("mixed") });
});
afterAll(() => rmSync(folder, { recursive: true }));

test("a run of fewbit's own parts is scored and asked", async () => {
  const scored = await fewbit(folder, "eval shipped --data-dir mnist --json");
  expect(scored).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(scored.stdout)).toMatchObject({ ...own.best.test, images: 64 });
  const asked = await fewbit(folder, "predict shipped digit.png --json");
  expect(asked).toMatchObject({ code: 0, stderr: "" });
});

test("parts of its own are named, and then loaded", async () => {
  const and = "add --model FILE and --data FILE, or evaluate it there, with evaluateRun()";
  await expectRefusal(
    folder,
    "eval mixed",
    `mixed was trained from code, with a network and a data set of its own; ${and}`,
  );
  const library = JSON.stringify(new URL("../../dist/index.js", import.meta.url).href);
  writeFileSync(
    at("net.mjs"),
    `import { network } from ${library};
     export default network("flat", { input: [28, 28, 1], classes: 10 }, (net, images) =>
       net.linear("fc2", net.block("fc1", net.flatten(images), { features: 20 }), { features: net.classes }));`,
  );
  const scored = await fewbit(folder, "eval mixed --model ./net.mjs --data mnist --data-dir mnist --json");
  expect(scored).toMatchObject({ code: 0, stderr: "" });
  const asked = await fewbit(folder, "predict mixed digit.png --model ./net.mjs --json");
  expect(asked).toMatchObject({ code: 0, stderr: "" });
  const { probabilities } = (JSON.parse(asked.stdout) as { predictions: [{ probabilities: number[] }] })
    .predictions[0];
  expect(probabilities).toHaveLength(mixed.model.classes);
});

test("a run from code goes on where it began", async () => {
  const there =
    "shipped was trained from code: resume it there, with train({ resume: true }); fewbit eval and fewbit predict take it here";
  await expectRefusal(folder, "train --resume shipped", there);
  await expectRefusal(folder, "train lenet5 --resume shipped", there);
  await expectRefusal(
    folder,
    "train --resume mixed --model ./net.mjs",
    "fewbit train takes the network as an argument: give ./net.mjs in place of --model ./net.mjs",
  );
});
