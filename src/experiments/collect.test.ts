import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { RunShape } from "../runs.test.fixture.js";
import { metricsLine, writeRun } from "../runs.test.fixture.js";
import { collectRuns } from "./index.js";

const folder = mkdtempSync(join(tmpdir(), "fewbit-collect-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A run of two epochs. */
const run = (name: string, shape: RunShape = {}) => writeRun(folder, name, { epochs: 2, ...shape });

test("runs are found below folders, each once, and what cannot be read is reported", async () => {
  const first = run("study/a");
  run("study/b", { method: "baseline", options: {}, data: "digits" });
  run("study/c", { method: "mine", options: {} });
  const cut = run("study/deep/cut", { method: "ttq", options: { weightBits: 2 } });
  appendFileSync(join(cut, "metrics.jsonl"), '{"epoch":3');
  const lost = run("study/foreign", { config: { formatVersion: 7 } });
  writeFileSync(join(run("study/torn"), "metrics.jsonl"), `nonsense\n${metricsLine(1)}`);
  const pipe = run("study/pipe");
  rmSync(join(pipe, "metrics.jsonl"));
  execFileSync("mkfifo", [join(pipe, "metrics.jsonl")]);
  const none = run("study/none", { planned: 0 });
  mkdirSync(join(folder, "study", "empty"));
  symlinkSync(first, join(folder, "again"));

  const { runs, warnings } = await collectRuns([join(folder, "study"), first, join(folder, "again")]);
  expect(
    runs.map(({ dataset, method, weightBits, activationBits, metrics, published }) => ({
      dataset,
      method,
      bits: [weightBits, activationBits],
      epochs: metrics.length,
      top1: published?.top1,
    })),
  ).toEqual([
    { dataset: "MNIST", method: "dorefa", bits: [1, 2], epochs: 2, top1: 99.61 },
    { dataset: "digits", method: "baseline", bits: [32, 32], epochs: 2, top1: undefined },
    { dataset: "MNIST", method: "mine", bits: [undefined, undefined], epochs: 2, top1: undefined },
    { dataset: "MNIST", method: "ttq", bits: [2, 32], epochs: 2, top1: 99.47 },
  ]);
  expect(warnings).toEqual([
    `left out: ${join(lost, "config.json")} has formatVersion 7; this fewbit reads 1`,
    `left out: ${join(none, "config.json")} is damaged: "epochs" is not what a run writes`,
    `left out: cannot read ${join(pipe, "metrics.jsonl")}: it is a pipe, a socket or a device, and no file`,
    expect.stringContaining("metrics.jsonl is damaged: line 1"),
  ]);
});

test("a method in a file stands in no published cell, whatever it is called", async () => {
  const options = { weightBits: 1, activationBits: 2, file: "0123456789abcdef" };
  run("filed/run", { options });
  expect((await collectRuns([join(folder, "filed")])).runs).toMatchObject([
    { dataset: "MNIST", method: "dorefa", published: undefined },
  ]);
});

test("a run whose layers have bits of their own stands in no published cell", async () => {
  const options = { weightBits: 1, activationBits: 2, layers: { fc2: { weightBits: 8 } } };
  const directory = run("layers", { options });
  expect((await collectRuns([directory])).runs[0].published).toBeUndefined();
});

test("a folder that is not there is a mistake", async () => {
  await expect(collectRuns([join(folder, "nowhere")])).rejects.toThrow(
    /nowhere is not a folder; give run folders/,
  );
});
