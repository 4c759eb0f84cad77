/** Run folders made to harm whoever looks at them: the page and the report answer, in memory and time of their files. */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { detailsOf } from "./details.js";
import { writeRun } from "../runs.test.fixture.js";
import { Tables } from "./tables.js";
import { Watch } from "./watch.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-hostile-run-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A run whose configuration says these things of its network, and how it was made. */
async function watched(model: object, options: object = {}) {
  const run = writeRun(folder, "run", { epochs: 2, layers: ["conv1"] });
  const path = join(run, "config.json");
  const config = JSON.parse(readFileSync(path, "utf8")) as { model: object };
  writeFileSync(path, JSON.stringify({ ...config, model: { ...config.model, ...model }, options }));
  const watch = new Watch(folder);
  await watch.look();
  const { runs, warnings } = watch.snapshot(true);
  return { run, watch, runs, warnings };
}

/** Whether it is left out with a warning or shown, all its numbers are bounded by what its files hold. */
test.each([
  ["1e8 classes", { classes: 1e8 }],
  ["2^53 - 1 classes", { classes: Number.MAX_SAFE_INTEGER }],
  ["images of a million pixels a side", { input: [1e6, 1e6, 1e3] }],
  ["images of one pixel", { input: [1, 1, 1] }],
])("%s", async (_, model) => {
  const { watch, runs, warnings } = await watched(model, { model: "lenet5" });
  expect(runs.length + warnings.length).toBeGreaterThan(0);
  expect(await new Tables(watch).html()).toMatch(/^<(div|p)/);
  for (const { id } of runs) expect(JSON.stringify(detailsOf(watch.run(id)!)).length).toBeLessThan(10_000);
});

test("a file of layers of 300 MiB is reported, and not read", async () => {
  const { run, watch, runs } = await watched({});
  truncateSync(join(run, "layers.jsonl"), 300 * 2 ** 20);
  expect(detailsOf(watch.run(runs[0].id)!)).toMatchObject({
    layers: [],
    warnings: [`cannot read ${run}/layers.jsonl: it holds 300.0 MiB, and at most 256.0 MiB are read`],
  });
});

test("matrices of more classes than a run records are not sent", async () => {
  const { run, watch, runs } = await watched({ classes: 101 });
  const counts = Array.from({ length: 101 }, () => Array<number>(101).fill(0));
  writeFileSync(join(run, "confusion.jsonl"), `${JSON.stringify({ epoch: 1, split: "test", counts })}\n`);
  expect(detailsOf(watch.run(runs[0].id)!)).toMatchObject({ confusion: [], classNames: [] });
});
