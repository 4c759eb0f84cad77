/** Training without image files that are damaged: the same bits however many are decoded at a time, and when it is resumed. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { evaluationBatches } from "../data/batches.js";
import { imagenet } from "../data/imagenet.js";
import { images } from "../data/images.js";
import { plain, writeImage } from "../data/images.test.fixture.js";
import { fitted } from "../nn/index.js";
import { loadRun } from "../run-folder/index.js";
import { classify, evaluateRun, evaluateTrained } from "./evaluate.js";
import { base, tiny, writePictures } from "./tiny.test.fixture.js";
import { train } from "./train.js";

const parent = mkdtempSync(join(tmpdir(), "fewbit-damaged-"));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(parent, { recursive: true });
});
const root = join(parent, "imagenet");
const wnids = ["n01440764", "n01443537", "n01484850", "n01491361"];
const [tench, goldfish] = wnids;
const inside = (...parts: string[]) => join(root, ...parts);
/** A file that was read, and is cut short; one that is nothing. */
const damaged = [
  inside("train", tench, "3.png"),
  inside("train", goldfish, "4.png"),
  inside("val", tench, "0.png"),
];

beforeAll(async () => {
  vi.stubEnv("FEWBIT_CACHE", join(parent, "cache"));
  for (const [k, wnid] of wnids.entries()) {
    for (let i = 0; i < 5; i++) {
      await writeImage(inside("train", wnid, `${i}.png`), (row) => [60 * k + 9 * i, 9 * row, 50], [9, 8]);
    }
    for (let i = 0; i < 2; i++) await writeImage(inside("val", wnid, `${i}.png`), plain(60 * k + i));
  }
  for (const [i, path] of damaged.entries()) {
    writeFileSync(path, i === 0 ? readFileSync(path).subarray(0, 60) : "no image");
  }
});

const load = (imageThreads: number, onWarning?: (message: string) => void) =>
  imagenet({ directory: root, shape: [6, 6, 3], imageThreads, skipDamaged: true, onWarning });
const settings = { ...base, model: fitted(tiny, { input: [6, 6, 3], classes: 4 }), batchSize: 4 };
const checkpointOf = (directory: string) => readFileSync(join(directory, "checkpoint.safetensors"));

test("without the option the first damaged file ends the training, and the run can go on with it", async () => {
  const [ended, whole] = [join(parent, "ended"), join(parent, "whole")];
  const data = await imagenet({ directory: root, shape: [6, 6, 3] });
  await expect(train({ ...settings, data, directory: ended })).rejects.toThrow(
    /\.png cannot be read as an image: /,
  );
  await train({ ...settings, data: await load(1), directory: ended, resume: true });
  await train({ ...settings, data: await load(4), directory: whole });
  expect(checkpointOf(ended).equals(checkpointOf(whole))).toBe(true);
});

test("damaged files are warned of once each, left out of steps and scores, and counted in each epoch", async () => {
  const warnings: string[] = [];
  const directory = join(parent, "counted");
  const data = await load(4, (message) => warnings.push(message));
  const { model, method } = settings;
  const run = await train({ ...settings, data, directory });
  expect(warnings.map((line) => line.slice(0, line.indexOf(" is left out: "))).sort()).toEqual(
    [...damaged].sort(),
  );
  const { metrics } = loadRun(directory);
  expect(metrics.map((line) => line.damaged)).toEqual([3, 3, 3]);
  const scores = await evaluateRun(directory, {
    model,
    method,
    data,
    which: "last",
    batchSize: 4,
    executor: "reference",
  });
  expect(scores).toEqual({ epoch: 3, ...run.last.test, damaged: 1 });
  // These are the scores of the seven test images that are left.
  const [pixels, labels] = [new Float32Array(8 * 108), new Int32Array(8)];
  expect(await evaluationBatches(data.test, data, 8).prepare(0, 0, pixels, labels)).toBe(7);
  const left = { images: pixels.subarray(0, 7 * 108), labels: labels.slice(0, 7), count: 7 };
  expect(Array.from(left.labels)).toEqual([0, 1, 1, 2, 2, 3, 3]);
  const alone = { ...data, mean: [0, 0, 0], std: [1, 1, 1], train: left, test: left };
  const again = await evaluateTrained({ model, method, weights: run.lastWeights }, alone, {
    executor: "reference",
  });
  expect(again.top1).toBe(run.last.test.top1);
  expect(again.loss).toBeCloseTo(run.last.test.loss, 6);
  await expect(classify(run, data, [1, 0], { executor: "reference" })).rejects.toThrow(
    "the image at place 1 of those asked for is damaged, so that there is no answer to it",
  );
});

test.each([1, 2])(
  "batches of which nothing is left are no steps, in %d small batches as well",
  async (accumulate) => {
    const checkpoints = [];
    for (const imageThreads of [1, 4]) {
      const directory = join(parent, `small-${accumulate}-${imageThreads}`);
      const rest = { batchSize: accumulate, accumulate, epochs: 1, directory };
      const { last } = await train({ ...settings, data: await load(imageThreads), ...rest });
      expect([last.damaged, last.step, Number.isFinite(last.trainLoss)]).toEqual([3, 20 / accumulate, true]);
      checkpoints.push(checkpointOf(directory));
    }
    expect(checkpoints[0].equals(checkpoints[1])).toBe(true);
  },
);

test("a training that was interrupted goes on with the same bits", async () => {
  const [parts, whole] = [join(parent, "parts"), join(parent, "in-one")];
  const stop = new AbortController();
  const first = await train({
    ...settings,
    data: await load(4),
    directory: parts,
    signal: stop.signal,
    onProgress: ({ epoch, step }) => epoch === 2 && step === 3 && stop.abort(),
  });
  expect(first.interrupted).toBe(true);
  await train({ ...settings, data: await load(1), directory: parts, resume: true });
  await train({ ...settings, data: await load(2), directory: whole });
  expect(checkpointOf(parts).equals(checkpointOf(whole))).toBe(true);
  expect(loadRun(parts).metrics.map(({ damaged: count, trainLoss }) => [count, trainLoss])).toEqual(
    loadRun(whole).metrics.map(({ damaged: count, trainLoss }) => [count, trainLoss]),
  );
});

test("of a folder of images they are left out when it is read, in memory or not, as if they were not there", async () => {
  const [with_, without] = [join(parent, "with"), join(parent, "without")];
  for (const folder of [with_, without]) writePictures(folder);
  for (const path of ["train/b/4.pgm", "train/d/11.pgm", "test/a/0.pgm"]) {
    writeFileSync(join(with_, path), "no image");
    rmSync(join(without, path));
  }
  const sizes = { shape: [6, 6, 1] } as const;
  const expected = await images({ directory: without, ...sizes });
  for (const memory of [0, Infinity]) {
    const data = await images({ directory: with_, ...sizes, memory, skipDamaged: true });
    const { checksum, mean, std, train: learned, test: held, damaged: count } = data;
    expect([checksum, mean, std, learned.count, held.count, count]).toEqual([
      ...[expected.checksum, expected.mean, expected.std, 46, 11, 3],
    ]);
    const directory = join(parent, `folder-${memory}`);
    await train({ ...base, data, epochs: 1, directory });
    expect(loadRun(directory).metrics[0].damaged).toBe(3);
  }
  for (let i = 0; i < 12; i++) writeFileSync(join(with_, "train", "c", `${i}.pgm`), "no image");
  await expect(images({ directory: with_, ...sizes, skipDamaged: true })).rejects.toThrow(
    `all training images of c in ${with_} are damaged; replace some, or move its folders elsewhere`,
  );
});
