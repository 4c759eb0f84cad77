/** `eval` of a run that was started when an equal logit counted as wrong. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { build, fewbit, newFolder, training } from "./cli.test.fixture.js";

let folder: string;
beforeAll(() => {
  build();
  folder = newFolder();
});
afterAll(() => rmSync(folder, { recursive: true }));

const at = (name: string) => join(folder, "run", name);
const evaluate = async (flags = "") => (await fewbit(folder, `eval run --quiet ${flags}`)).stdout;

test("scores by today's rule, and says what the run kept where that is another figure", async () => {
  const qnn = "--method qnn --weight-bits 1 --activation-bits 1 --preset redbit";
  expect((await fewbit(folder, `${training} ${qnn} --epochs 1 --out run --quiet`)).code).toBe(0);
  const today = await evaluate();
  expect(today).not.toContain("the run kept");

  const config = JSON.parse(readFileSync(at("config.json"), "utf8")) as Record<string, unknown>;
  const older = JSON.stringify({ ...config, revision: undefined });
  writeFileSync(at("config.json"), older);
  expect(await evaluate()).toBe(today); // the figures are the same

  const line = JSON.parse(readFileSync(at("metrics.jsonl"), "utf8")) as { test: object };
  const test = { ...line.test, top1: 1.5625, top5: 40.625 };
  writeFileSync(at("metrics.jsonl"), `${JSON.stringify({ ...line, ...test, test })}\n`);
  const [scores, kept, epoch] = (await evaluate()).split("\n");
  expect([scores, epoch]).toEqual(today.trim().split("\n"));
  expect(kept).toBe(
    "the run kept 1.56% and 40.63%: it was started by an older version of fewbit, which counted an image as wrong where another class had an equal logit",
  );
  expect(JSON.parse(await evaluate("--json"))).toMatchObject({ kept: { top1: 1.5625, top5: 40.625 } });
  expect(await evaluate("--data digits")).not.toContain("the run kept");
});
