import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fromArrays } from "../data/arrays.js";
import { baseline } from "../quantization/index.js";
import { network } from "../nn/index.js";
import { lastStepWarning } from "./last-step.js";
import { base, images } from "./tiny.test.fixture.js";
import { train } from "./train.js";

test.each([
  // 1,282 = 10 * 128 + 2; 127, 126, ... leave less than half a step, 129 leaves 121
  [
    1282,
    128,
    /^the last of 11 steps of an epoch has only 2 of 128 images, .*; with batch size 129 it has 121$/,
  ],
  [33, 32, /^the last of 2 steps of an epoch has only 1 of 32 images, .*; with batch size 33 it has 33$/],
  [143, 128, /has only 15 of 128 images/],
])("%i images in steps of %i are warned about", (count, batchSize, message) => {
  expect(lastStepWarning(count, batchSize)).toMatch(message);
});

test.each([
  [60_000, 128], // MNIST: 96 are left
  [50_000, 128], // CIFAR-10: 80
  [10_000, 128], // the shipped digits: 16, an eighth
  [1280, 128],
  [100, 128], // the only step
  [7, 2],
])("%i images in steps of %i are not", (count, batchSize) => {
  expect(lastStepWarning(count, batchSize)).toBeUndefined();
});

test("small batches are warned about in place of steps", () => {
  expect(lastStepWarning(1282, 128)).toBeDefined();
  expect(lastStepWarning(1282, 128, 64)).toBeUndefined();
  expect(lastStepWarning(1025, 128, 4)).toMatch(
    /^the last of 33 small batches of an epoch has only 1 of 32 images, .*; with batch size 112 it has 17$/,
  );
});

test("a training warns once, if its network has running statistics", async () => {
  const data = fromArrays({ train: images(65, 0), test: images(8, 3), shape: [6, 6, 1], classes: 4 });
  const plain = network("plain", { input: [6, 6, 1], classes: 4 }, (net, x) =>
    net.linear("fc", net.flatten(x), { features: 4 }),
  );
  const method = baseline();
  const warnings: string[] = [];
  const options = { ...base, method, data, batchSize: 32, onWarning: (text: string) => warnings.push(text) };
  await train({ ...options, model: plain });
  expect(warnings).toEqual([]);
  await train({ ...options, validation: 1 });
  expect(warnings).toEqual([]);
  await train(options);
  expect(warnings).toEqual([
    expect.stringContaining("the last of 3 steps of an epoch has only 1 of 32 images"),
  ]);
  await train({ ...options, lastBatch: "drop" });
  expect(warnings).toHaveLength(1);
});

test("a run that drops its last partial batch takes whole steps alone, and says so", async () => {
  const data = fromArrays({ train: images(70, 0), test: images(8, 3), shape: [6, 6, 1], classes: 4 });
  const options = { ...base, data, batchSize: 32, epochs: 2 };
  const [kept, dropped] = [await train(options), await train({ ...options, lastBatch: "drop" })];
  expect([kept.last.step, dropped.last.step]).toEqual([6, 4]);
  expect([kept.config.lastBatch, dropped.config.lastBatch]).toEqual([undefined, "drop"]);
  const whole = await train({ ...options, batchSize: 35, lastBatch: "drop" });
  expect(whole.lastWeights).toEqual((await train({ ...options, batchSize: 35 })).lastWeights);
  const few = await train({ ...options, batchSize: 128, lastBatch: "drop" });
  expect(few.last.step).toBe(2); // fewer images than a batch are a step all the same
});

test("it cannot change on resume", async () => {
  const directory = mkdtempSync(join(tmpdir(), "fewbit-last-"));
  try {
    await train({ ...base, epochs: 1, directory });
    const resume = { ...base, epochs: 2, directory, resume: true } as const;
    await expect(train({ ...resume, lastBatch: "drop" })).rejects.toThrow(
      `${directory} was started with lastBatch "keep", not "drop"; resume it with the same, or start another run`,
    );
    await train({ ...resume, lastBatch: "keep" });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
