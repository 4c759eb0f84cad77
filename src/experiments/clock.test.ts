/** Locks of other machines, whose clocks are not this one's. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { plannedRuns } from "./study.js";
import { runStudy } from "./index.js";
import { isInUse, lockDirectory, LockWatch } from "../run-folder/index.js";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fewbit-clock-"));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true });
});

/** Another machine's lock, written so many seconds ago. */
function lockOfAnother(folder: string, age: number): void {
  writeFileSync(join(folder, "lock"), "7 1 elsewhere word ");
  const time = Date.now() / 1000 - age;
  utimesSync(join(folder, "lock"), time, time);
}

/** Sets this process's clock, but not the file system's. */
function setClock(secondsAhead: number): void {
  const real = Date.now;
  vi.spyOn(Date, "now").mockImplementation(() => real() + 1000 * secondsAhead);
}

const isRefused = (): boolean => {
  try {
    lockDirectory(directory).release();
    return false;
  } catch {
    return true;
  }
};

test.each([-600, 0, 130, 3_600])("are in use, and refused, where the clock is %d s ahead", (ahead) => {
  lockOfAnother(directory, 5);
  setClock(ahead);
  expect([isInUse(directory), isRefused()]).toEqual([true, true]);
  expect(readdirSync(directory)).toEqual(["lock"]);
});

test.each([-600, 0, 130])("that are old are free, where the clock is %d s ahead", (ahead) => {
  lockOfAnother(directory, 150);
  setClock(ahead);
  expect([isInUse(directory), isRefused()]).toEqual([false, false]);
});

test("a watch that must not write sees the next beat", () => {
  lockOfAnother(directory, 25);
  setClock(130);
  const watch = new LockWatch(directory);
  expect(watch.isInUse()).toBe(false); // it cannot be known yet
  lockOfAnother(directory, 5);
  expect([watch.isInUse(), watch.isInUse()]).toEqual([true, true]);
  expect(readdirSync(directory)).toEqual(["lock"]);
});

test("a study waits for such a run instead of beginning it again and again", async () => {
  const [run] = plannedRuns([{ values: { model: "lenet5", epochs: 1 }, source: "here" }]);
  const folder = join(directory, run.name);
  mkdirSync(folder);
  lockOfAnother(folder, 5);
  setClock(130);
  const stop = new AbortController();
  const reported: string[] = [];
  await runStudy([run], {
    folder: directory,
    threads: 1,
    signal: stop.signal,
    onBegin() {
      reported.push("begun");
      stop.abort();
    },
    onWarning(_, message) {
      reported.push(message);
      stop.abort();
    },
  });
  expect(reported).toEqual(["another process trains it; waiting for its end"]);
  expect(readdirSync(folder)).toEqual(["lock"]);
});

test("a run that another process is just writing is waited for, and not damaged", async () => {
  const [run] = plannedRuns([{ values: { model: "lenet5", epochs: 1 }, source: "here" }]);
  const folder = join(directory, run.name);
  mkdirSync(folder);
  writeFileSync(join(folder, "config.json"), "{");
  lockOfAnother(folder, 5);
  const stop = new AbortController();
  const reported: string[] = [];
  const options = { folder: directory, threads: 1, signal: stop.signal };
  const onWarning = (_: unknown, message: string) => {
    reported.push(message);
    stop.abort();
  };
  expect(await runStudy([run], { ...options, onWarning })).toMatchObject([{ state: "open" }]);
  expect(reported).toEqual(["another process trains it; waiting for its end"]);

  rmSync(join(folder, "lock"));
  expect(await runStudy([run], { folder: directory, threads: 1 })).toMatchObject([{ state: "damaged" }]);
});
