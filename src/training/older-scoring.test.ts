/** Runs whose logits tie, as those of a quantized last layer do: by today's rule, and started under the older one. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createState } from "../compiler/state.js";
import { qnn } from "../quantization/index.js";
import { chooseExecutor } from "../runtime/choose.js";
import { evaluateRun } from "./evaluate.js";
import { loadRun, loadWeights } from "../run-folder/index.js";
import type { WeightTensors } from "./step.js";
import { compileLogits } from "./step.js";
import { base, data } from "./tiny.test.fixture.js";
import type { TrainOptions } from "./train.js";
import { train } from "./train.js";

const tied: TrainOptions = {
  ...base,
  method: qnn({ weightBits: 1, activationBits: 1, preset: "redbit" }),
  epochs: 2,
};

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fewbit-scoring-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Percent of the test images that a run's last weights get right, by both rules, from their logits by loops. */
async function counted(): Promise<{ first: number; strict: number }> {
  const { executor } = chooseExecutor({ executor: "reference" });
  const { model, method } = tied;
  const { weights } = loadWeights(directory, "last", model, method);
  const { images, labels, count } = data.test;
  const normalised = Float32Array.from(images, (value) => (value / 255 - data.mean[0]) / data.std[0]);
  const step = compileLogits(model, method, executor);
  const state = createState<WeightTensors>({ ...weights }, { executor });
  const { logits } = await step(state, { images: { data: normalised, shape: [count, 6, 6, 1] } });
  let [first, strict] = [0, 0];
  for (let i = 0; i < count; i++) {
    const row = Array.from(logits.data.subarray(4 * i, 4 * i + 4));
    const highest = Math.max(...row);
    if (row.indexOf(highest) === labels[i]) first++;
    if (row[labels[i]] === highest && row.filter((logit) => logit === highest).length === 1) strict++;
  }
  return { first: (100 * first) / count, strict: (100 * strict) / count };
}

const diagonal = (counts: readonly (readonly number[])[]): number =>
  (100 * counts.reduce((sum, row, label) => sum + row[label], 0)) / data.test.count;

test("a run's accuracy is that of its answers and of its confusion matrix, and eval finds it again", async () => {
  await train({ ...tied, directory });
  const { config, metrics, confusion } = loadRun(directory);
  expect(config.revision).toEqual({ scoring: 2 });
  expect(metrics.map(({ test: { top1 } }) => top1)).toEqual(confusion.map(({ counts }) => diagonal(counts)));
  const { first, strict } = await counted();
  expect(metrics[1].test.top1).toBe(first);
  expect(first).toBeGreaterThan(strict); // the last layer is quantized, so its logits do tie
  const { model, method } = tied;
  const options = { model, method, data, which: "last", executor: "reference", batchSize: 16 } as const;
  const scores = await evaluateRun(directory, options);
  expect(scores).toEqual({ epoch: 2, ...metrics[1].test });
});

test("a run that was started under the older rule goes on by it, and eval counts by today's", async () => {
  await train({ ...tied, epochs: 1, directory });
  const file = join(directory, "config.json");
  const { revision: _, ...older } = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  writeFileSync(file, JSON.stringify(older));
  await train({ ...tied, resume: true, directory });
  const { config, metrics, confusion } = loadRun(directory);
  expect(config).not.toHaveProperty("revision");
  const { first, strict } = await counted();
  expect(metrics[1].test.top1).toBe(strict);
  expect(diagonal(confusion[1].counts)).toBe(first);
  const { model, method } = tied;
  const scores = await evaluateRun(directory, { model, method, data, which: "last", executor: "reference" });
  expect(scores.top1).toBe(first);
});
