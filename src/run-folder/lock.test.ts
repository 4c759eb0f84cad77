import { spawn } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { UserError } from "../errors.js";
import { lockDirectory, releaseStale } from "./lock.js";
import { loadRun } from "./run.js";
import { base } from "../training/tiny.test.fixture.js";
import { train, trainFromQueue } from "../training/train.js";

let directory: string;
let lock: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fewbit-lock-"));
  lock = join(directory, "lock");
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true });
});

test("it is refused while it is held, also within one process, and free afterwards", () => {
  const held = lockDirectory(directory);
  expect(held.isHeld()).toBe(true);
  expect(() => lockDirectory(directory)).toThrow(UserError);
  expect(() => lockDirectory(directory)).toThrow(`in use by process ${process.pid}`);
  held.release();
  expect(existsSync(lock)).toBe(false);
  lockDirectory(directory).release();
});

test("that of a process that was killed is taken over", async () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  const id = child.pid as number;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const stat = existsSync(`/proc/${id}/stat`) ? readFileSync(`/proc/${id}/stat`, "utf8") : "";
  const started = stat.split(" ")[21];
  writeFileSync(lock, started === undefined ? `${id}` : `${id} ${started}`);
  expect(() => lockDirectory(directory)).toThrow(`in use by process ${id}`);
  child.kill("SIGKILL");
  await ended;
  lockDirectory(directory).release();
});

test.each(["", "garbage", `${process.ppid} 1`, "999999999"])("one that says %j is taken over", (content) => {
  // `${process.ppid} 1`: the id lives, but belongs to a process that started at another time.
  writeFileSync(lock, content);
  lockDirectory(directory).release();
  expect(readdirSync(directory)).toEqual([]);
});

test("that of another machine holds, whatever its process is here, until it is no longer written", () => {
  vi.stubEnv("FEWBIT_HOST", "there");
  const held = lockDirectory(directory);
  vi.stubEnv("FEWBIT_HOST", "here");
  expect(() => lockDirectory(directory)).toThrow(
    `in use by process ${process.pid} on there, which trains there; wait for it (two minutes if that machine is gone)`,
  );
  // As if it had been killed: no one writes it any more.
  const minutesAgo = Date.now() / 1000 - 130;
  utimesSync(lock, minutesAgo, minutesAgo);
  const taken = lockDirectory(directory);
  expect([held.isHeld(), taken.isHeld()]).toEqual([false, true]);
  held.release();
  expect(taken.isHeld()).toBe(true);
  taken.release();
  expect(readdirSync(directory)).toEqual([]);
});

test("its owner writes it again and again", () => {
  vi.useFakeTimers();
  try {
    const held = lockDirectory(directory);
    utimesSync(lock, 1, 1);
    const before = readFileSync(lock, "utf8");
    vi.advanceTimersByTime(30_000);
    expect(readFileSync(lock, "utf8")).toBe(before);
    vi.stubEnv("FEWBIT_HOST", "another");
    expect(() => lockDirectory(directory)).toThrow(/in use/);
    held.release();
  } finally {
    vi.useRealTimers();
  }
});

test("one that a queue gave is taken over by whom the same queue gives the run to, and by nobody else", () => {
  const first = lockDirectory(directory, "study-1");
  expect(() => lockDirectory(directory)).toThrow(/in use/);
  expect(() => lockDirectory(directory, "study-2")).toThrow(/in use/);
  const second = lockDirectory(directory, "study-1");
  expect([first.isHeld(), second.isHeld()]).toEqual([false, true]);
  first.release();
  second.release();
  const alone = lockDirectory(directory);
  expect(() => lockDirectory(directory, "study-1")).toThrow(/in use/);
  alone.release();
});

test("a training whose directory has been taken over stops before it writes again", async () => {
  const run = join(directory, "run");
  const checkpoint = join(run, "checkpoint.safetensors");
  let taken: ReturnType<typeof lockDirectory> | undefined;
  let bytes: Buffer | undefined;
  const training = trainFromQueue("study", {
    ...base,
    directory: run,
    onProgress({ phase, epoch, step }) {
      if (phase !== "train" || epoch !== 2 || step !== 1) return;
      taken = lockDirectory(run, "study");
      bytes = readFileSync(checkpoint);
    },
  });
  await expect(training).rejects.toThrow(
    `${run} has been taken over by another process, which goes on with the run; this one has stopped`,
  );
  expect(taken?.isHeld()).toBe(true);
  expect(readFileSync(checkpoint).equals(bytes as Buffer)).toBe(true);
  expect(loadRun(run).metrics).toHaveLength(1);
  taken?.release();
  const whole = await train({ ...base, directory: join(directory, "whole") });
  const resumed = await train({ ...base, directory: run, resume: true });
  expect(resumed.last.loss).toBe(whole.last.loss);
});

test("a training whose lock was removed by hand stops, and says that", async () => {
  const run = join(directory, "run");
  const training = train({
    ...base,
    directory: run,
    onProgress({ phase, epoch, step }) {
      if (phase === "train" && epoch === 2 && step === 1) rmSync(join(run, "lock"));
    },
  });
  await expect(training).rejects.toThrow(
    `the lock of ${run} has been removed, so another process may train there; this one has stopped`,
  );
});

test("what a killed process left behind is released, and that of one at work is not", () => {
  writeFileSync(lock, "999999999 1");
  releaseStale(directory);
  expect(existsSync(lock)).toBe(false);
  releaseStale(directory); // nothing there
  const held = lockDirectory(directory);
  releaseStale(directory);
  expect(held.isHeld()).toBe(true);
  held.release();
});
