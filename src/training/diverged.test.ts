/** Trainings whose numbers break down. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fromArrays } from "../data/arrays.js";
import { DivergenceError } from "../errors.js";
import { codes, div, mul, sign } from "../graph/index.js";
import { sgd } from "../optim/index.js";
import type { Method } from "../quantization/index.js";
import { baseline, quantizer } from "../quantization/index.js";
import { loadRun } from "../run-folder/index.js";
import { base, images } from "./tiny.test.fixture.js";
import { train } from "./train.js";

let parent: string;
let directory: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "fewbit-diverged-"));
  directory = join(parent, "run");
});
afterEach(() => rmSync(parent, { recursive: true }));

describe("a loss that is no longer a number", () => {
  const wild = { ...base, method: baseline(), schedule: undefined, optimizer: sgd({ learningRate: 1e30 }) };

  test("ends the training, says where and what to do, and keeps the last good checkpoint", async () => {
    const message =
      /^the loss became (NaN|-?Infinity) in epoch 1, step \d+.*learning rate below 1e\+30 in a new run; this one's last checkpoint is kept$/;
    const training = train({ ...wild, directory });
    await expect(training).rejects.toThrow(DivergenceError);
    await expect(training).rejects.toThrow(message);
    expect(readdirSync(directory).sort()).toEqual([
      "checkpoint.safetensors",
      "config.json",
      "confusion.jsonl",
      "layers.jsonl",
      "metrics.jsonl",
    ]);
    expect(loadRun(directory).metrics).toEqual([]);
    await expect(train({ ...wild, directory, resume: true })).rejects.toThrow(message);
  });

  test("or a weight, which quantized is a number still", async () => {
    const binary = quantizer({
      forward: (w) => codes(sign(w), { lo: -1, hi: 1, step: 2 }),
      backward: (g) => div(mul(g, 0), mul(g, 0)),
    });
    const broken = { ...baseline(), fullPrecision: () => false, weights: binary };
    await expect(train({ ...base, method: broken, directory })).rejects.toThrow(
      /^parameters\/conv1\.weight became NaN or infinite in epoch 1: try a learning rate below 0\.02 in a new run; this one's/,
    );
    expect(loadRun(directory).metrics).toEqual([]);
  });

  test("or a running variance, which makes everything 0", async () => {
    const { images: pixels, labels } = images(70, 0);
    const bright = { images: Float32Array.from(pixels, (value) => value * 1e25), labels };
    const test = { images: Float32Array.from(images(30, 3).images), labels: images(30, 3).labels };
    const overflowing = fromArrays({ train: bright, test, shape: [6, 6, 1], classes: 4 });
    await expect(train({ ...base, method: baseline(), data: overflowing, directory })).rejects.toThrow(
      /^statistics\/bn1\.variance became NaN or infinite in epoch 1: /,
    );
    expect(loadRun(directory).metrics).toEqual([]);
  });

  test("or what the optimizer keeps, which stops the weights", async () => {
    const steep = quantizer({ forward: (w) => w, backward: (g) => mul(g, 1e25) });
    const method = { ...baseline(), fullPrecision: () => false, weights: steep };
    await expect(train({ ...base, method, directory })).rejects.toThrow(
      /^optimizer\/v\/conv1\.weight became NaN or infinite in epoch 1: /,
    );
  });

  test("before any update is laid on no learning rate", async () => {
    const method: Method = { ...baseline(), fullPrecision: () => false, weights: (w) => mul(w, NaN) };
    const options = { method: "./mine.mjs", model: "lenet5" };
    await expect(train({ ...base, method, options })).rejects.toThrow(
      /^the loss was NaN in epoch 1, step 1, before any update, so a lower learning rate cannot help: the cause is in the network, the method \(\.\/mine\.mjs\), the loss or the data set$/,
    );
  });

  test("is noticed without a directory too", async () => {
    await expect(train(wild)).rejects.toThrow(/learning rate below 1e\+30 in a new run$/);
  });
});
