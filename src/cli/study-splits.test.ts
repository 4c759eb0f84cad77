/** What a study prints says which images each accuracy was measured on. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { build, fewbit, newFolder } from "./cli.test.fixture.js";

let folder: string;
beforeAll(() => {
  build();
  folder = newFolder();
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Epoch {
  readonly top1: number;
  readonly test: { readonly top1: number };
}
const percent = (value: number) => `${value.toFixed(2)}%`;

async function study(validation: number) {
  const defaults = { model: "lenet5", data: "mnist", dataDir: "mnist", batchSize: 32, epochs: 2 };
  writeFileSync(
    join(folder, "study.json"),
    JSON.stringify({ defaults: { ...defaults, validation }, runs: [{ learningRate: 0.01 }] }),
  );
  const out = `out-${validation}`;
  const { code, stdout } = await fewbit(folder, `sweep study.json --out ${out} --pick best-rate`);
  expect(code).toBe(0);
  const [, name] = /^(lenet5\S+): begins\n/.exec(stdout)!;
  const epochs = readFileSync(join(folder, out, name, "metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Epoch);
  const log = readFileSync(join(folder, out, "logs", `${name}.log`), "utf8");
  return { stdout, log, name, epochs };
}

test("of a run that holds images out", async () => {
  const { stdout, log, name, epochs } = await study(56);
  const best = epochs[0].top1 >= epochs[1].top1 ? 0 : 1;
  expect(epochs[best].top1).not.toBe(epochs[best].test.top1);
  for (const [i, { top1 }] of epochs.entries()) {
    expect(stdout).toContain(`${name}: epoch ${i + 1}/2  held out ${percent(top1)}`);
    expect(log).toMatch(new RegExp(`epoch ${i + 1}/2 .* held out loss [\\d.]+ top-1 ${percent(top1)}`));
  }
  expect(stdout).toContain(
    `${name}: best epoch ${best + 1}: held out ${percent(epochs[best].top1)}, test ${percent(epochs[best].test.top1)}\n`,
  );
  expect(stdout).toMatch(/best test top-1 +last test top-1/);
  expect(stdout).toMatch(new RegExp(`sgd 0.01 +held out ${percent(epochs[best].top1)}`));
});

test("of a run that holds none out", async () => {
  const { stdout, name, epochs } = await study(0);
  const best = epochs[0].top1 >= epochs[1].top1 ? 0 : 1;
  for (const [i, { test: scores }] of epochs.entries()) {
    expect(stdout).toContain(`${name}: epoch ${i + 1}/2  test ${percent(scores.top1)}`);
  }
  expect(stdout).toContain(`${name}: best epoch ${best + 1}: test ${percent(epochs[best].test.top1)}\n`);
  expect(stdout).toMatch(new RegExp(`sgd 0.01 +test ${percent(epochs[best].test.top1)}`));
});
