/** The file `stop`, by which others than the terminal end a training: the dashboard writes it. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { TrainProgress } from "./progress.js";
import { base } from "./tiny.test.fixture.js";
import { train } from "./train.js";

let parent: string;
let directory: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "fewbit-stop-"));
  directory = join(parent, "run");
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(parent, { recursive: true });
});

const stop = () => join(directory, "stop");

/** Asks for the end at a moment of the training. */
const askAt = (isThere: (progress: TrainProgress) => boolean) => ({
  onProgress: (progress: TrainProgress) => {
    if (isThere(progress)) writeFileSync(stop(), "");
  },
});

function digest(path: string): string[] {
  return ["checkpoint.safetensors", "best.safetensors", "layers.jsonl", "confusion.jsonl"].map((name) =>
    createHash("sha256")
      .update(readFileSync(join(path, name)))
      .digest("hex"),
  );
}

/** A clock that goes on by so much whenever it is read. */
function clock(milliseconds: number): void {
  let now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => (now += milliseconds));
}

test.each<[string, (progress: TrainProgress) => boolean, number]>([
  ["in its first step", ({ phase, step }) => phase === "train" && step === 1, 0],
  ["in a step", ({ phase, epoch, step }) => phase === "train" && epoch === 2 && step === 3, 1],
  ["in an evaluation", ({ phase, epoch }) => phase === "evaluate" && epoch === 2, 1],
  ["at an epoch's end", ({ phase, epoch }) => phase === "epoch" && epoch === 2, 2],
])(
  "a training asked to stop %s saves and ends, and goes on to the same bits",
  async (_name, isThere, epochs) => {
    clock(1000);
    const run = await train({ ...base, directory, ...askAt(isThere) });
    expect([run.interrupted, run.stopped, run.metrics.length]).toEqual([true, true, epochs]);
    const rest = await train({ ...base, directory, resume: true });
    expect([rest.interrupted, rest.stopped, rest.metrics.length, existsSync(stop())]).toEqual([
      false,
      false,
      3,
      false,
    ]);
    const whole = join(parent, "whole");
    await train({ ...base, directory: whole });
    expect(digest(directory)).toEqual(digest(whole));
  },
);

test("the file is looked for once a second", async () => {
  clock(0);
  const run = await train({ ...base, directory, ...askAt(({ step }) => step === 2) });
  expect([run.stopped, run.metrics.length]).toEqual([false, 3]);
});

test("a stop by a signal is distinguished from one by the file", async () => {
  const run = await train({ ...base, directory, signal: AbortSignal.abort() });
  expect([run.interrupted, run.stopped]).toEqual([true, false]);
});

test("a file that was left does not stop a run that begins, and is nobody else's file", async () => {
  mkdirSync(directory);
  writeFileSync(stop(), "");
  const run = await train({ ...base, epochs: 1, directory });
  expect([run.interrupted, existsSync(stop())]).toEqual([false, false]);
  writeFileSync(stop(), "");
  const again = await train({ ...base, epochs: 1, directory, overwrite: true });
  expect([again.interrupted, existsSync(stop())]).toEqual([false, false]);
});
