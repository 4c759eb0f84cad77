/** docs/adding-an-optimizer.md, followed to the letter by a user who has fewbit in node_modules. */
import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { followed } from "./documents.test.fixture.js";
import { loadRun } from "./training/index.js";

let folder: string;
let outputs: readonly string[];
beforeAll(() => {
  ({ folder, outputs } = followed("adding-an-optimizer"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const top1 = (output: string): number => Number(/([\d.]+)% of the test images right/.exec(output)![1]);

test("it learns, and goes on where it stood", () => {
  expect(top1(outputs[0])).toBeGreaterThan(80);
  expect(top1(outputs[1])).toBeGreaterThan(top1(outputs[0]));
  expect(outputs[2].startsWith(`${top1(outputs[1]).toFixed(2)}% of 2,000 test images`)).toBe(true);
});

test("the run says what it was trained by", () => {
  const { optimizer, code } = loadRun(join(folder, "runs/lion")).config;
  expect(optimizer).toEqual({ name: "lion", options: { learningRate: 0.001, weightDecay: 0 } });
  expect(code).toEqual({ optimizer: expect.stringMatching(/^[0-9a-f]{16}$/) as unknown });
});

test("its step is the paper's, worked out by hand", () => {
  const step = `
    import { evaluate, leaf } from "fewbit";
    import optimizer from "./lion.mjs";
    const { update } = optimizer.create({ learningRate: 0.1, weightDecay: 0.5 });
    const [p, m, g] = ["p", "m", "g"].map((name) => leaf(name, [3]));
    const rate = leaf("rate", []);
    const { parameters, own } = update({ w: p }, { w: g }, { m: { w: m } }, { rate });
    const array = (...values) => ({ data: Float64Array.from(values), shape: [values.length] });
    const values = new Map([[p, array(1, -2, 3)], [m, array(0.5, -0.5, 0)], [g, array(-1, -1, 2)]]);
    values.set(rate, { data: Float64Array.of(0.1), shape: [] });
    const results = evaluate([parameters.w, own.m.w], values, "f64");
    console.log(JSON.stringify(results.map(({ data }) => [...data])));`;
  writeFileSync(join(folder, "step.mjs"), step);
  const output = execFileSync(process.execPath, ["step.mjs"], { cwd: folder, encoding: "utf8" });
  const [weights, averages] = JSON.parse(output) as number[][];
  // 0.9·m + 0.1·g = 0.35, -0.55, 0.2
  const [after, kept] = [
    [1 - 0.1 * (1 + 0.5), -2 - 0.1 * (-1 - 1), 3 - 0.1 * (1 + 1.5)],
    [0.485, -0.505, 0.02],
  ];
  weights.forEach((weight, i) => expect(weight).toBeCloseTo(after[i], 12));
  averages.forEach((average, i) => expect(average).toBeCloseTo(kept[i], 12));
});
