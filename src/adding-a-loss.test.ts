/** docs/adding-a-loss.md, followed to the letter by a user who has fewbit in node_modules. */
import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { followed } from "./documents.test.fixture.js";
import { loadRun } from "./training/index.js";

let folder: string;
let outputs: readonly string[];
beforeAll(() => {
  ({ folder, outputs } = followed("adding-a-loss"));
});
afterAll(() => rmSync(folder, { recursive: true }));

test("a network learns by it, goes on where it stood, and is scored by the cross-entropy", () => {
  const [, top1] = /([\d.]+)% of the test images right/.exec(outputs[1])!;
  expect(Number(top1)).toBeGreaterThan(90);
  expect(outputs[2].startsWith(`${top1}% of 2,000 test images`)).toBe(true);
  const { config, metrics } = loadRun(join(folder, "runs/smooth"));
  expect(config.loss).toEqual({ name: "labelSmoothing", options: { smoothing: 0.1 } });
  expect(config.code).toEqual({ loss: expect.stringMatching(/^[0-9a-f]{16}$/) as unknown });
  // The least that the smoothed loss can be is the entropy of a smoothed label.
  const entropy = -0.91 * Math.log(0.91) - 9 * 0.01 * Math.log(0.01);
  expect(metrics[1].trainLoss).toBeGreaterThan(entropy);
  expect(metrics[1].test.loss).toBeLessThan(entropy);
});

test("its value is the paper's, by a plain loop", () => {
  const logits = [
    [1, 2, 3],
    [80, -1, 4],
  ];
  const labels = [2, 1];
  const value = `
    import { evaluate, leaf } from "fewbit";
    import loss from "./smoothing.mjs";
    const [logits, labels] = [leaf("logits", [2, 3]), leaf("labels", [2], "i32")];
    const given = new Map([
      [logits, { data: Float64Array.from(${JSON.stringify(logits.flat())}), shape: [2, 3] }],
      [labels, { data: Int32Array.from(${JSON.stringify(labels)}), shape: [2] }],
    ]);
    console.log(evaluate([loss.create().value(logits, labels)], given, "f64")[0].data[0]);`;
  writeFileSync(join(folder, "value.mjs"), value);
  const output = execFileSync(process.execPath, ["value.mjs"], { cwd: folder, encoding: "utf8" });
  let sum = 0;
  logits.forEach((row, i) => {
    const total = row.reduce((before, z) => before + Math.exp(z), 0);
    row.forEach((z, k) => {
      const target = (k === labels[i] ? 0.9 : 0) + 0.1 / 3;
      sum -= (target * Math.log(Math.exp(z) / total)) / 2;
    });
  });
  expect(Number(output)).toBeCloseTo(sum, 12);
});
