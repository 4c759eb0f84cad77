import { spawn } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { UserError } from "../errors.js";
import { appendFlushed, cutBack, lockDirectory, stage, writeAtomically } from "./files.js";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fewbit-files-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

test("an atomic write replaces the file and leaves nothing else behind", () => {
  const path = join(directory, "a.json");
  writeAtomically(path, "first, and longer");
  writeAtomically(path, "second");
  expect(readFileSync(path, "utf8")).toBe("second");
  expect(readdirSync(directory)).toEqual(["a.json"]);
});

test("an atomic write that fails leaves the old file", () => {
  const path = join(directory, "a.json");
  writeAtomically(path, "first");
  expect(() => writeAtomically(join(directory, "none", "a.json"), "x")).toThrow(/ENOENT/);
  expect(readFileSync(path, "utf8")).toBe("first");
});

test.runIf(existsSync("/dev/full"))(
  "on a full disk the old file stays, alone, and the message says what to do",
  () => {
    const path = join(directory, "a.json");
    writeAtomically(path, "first");
    symlinkSync("/dev/full", `${path}.tmp`);
    expect(() => writeAtomically(path, "second")).toThrow(
      `cannot write ${path}: no space is left on the disk (ENOSPC); make room, then resume the run`,
    );
    expect([readFileSync(path, "utf8"), readdirSync(directory)]).toEqual(["first", ["a.json"]]);
  },
);

test("what is staged takes the file's place when it is told to", () => {
  const path = join(directory, "a.json");
  writeAtomically(path, "first");
  const replace = stage(path, "second");
  expect(readFileSync(path, "utf8")).toBe("first");
  replace();
  expect([readFileSync(path, "utf8"), readdirSync(directory)]).toEqual(["second", ["a.json"]]);
});

test("lines are appended", () => {
  const path = join(directory, "lines");
  appendFlushed(path, "one\n");
  appendFlushed(path, "two\n");
  expect(readFileSync(path, "utf8")).toBe("one\ntwo\n");
  cutBack(path, 4);
  expect(readFileSync(path, "utf8")).toBe("one\n");
  cutBack(path, 9);
  expect(readFileSync(path, "utf8")).toBe("one\n");
});

describe("the lock", () => {
  test("is refused while it is held, also within one process, and free afterwards", () => {
    const release = lockDirectory(directory);
    expect(() => lockDirectory(directory)).toThrow(UserError);
    expect(() => lockDirectory(directory)).toThrow(`in use by process ${process.pid}`);
    release();
    expect(existsSync(join(directory, "lock"))).toBe(false);
    lockDirectory(directory)();
  });

  test("of a process that was killed is taken over", async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    const id = child.pid as number;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    const stat = existsSync(`/proc/${id}/stat`) ? readFileSync(`/proc/${id}/stat`, "utf8") : "";
    const started = stat.split(" ")[21];
    writeFileSync(join(directory, "lock"), started === undefined ? `${id}` : `${id} ${started}`);
    expect(() => lockDirectory(directory)).toThrow(`in use by process ${id}`);
    child.kill("SIGKILL");
    await ended;
    lockDirectory(directory)();
  });

  test.each(["", "garbage", `${process.ppid} 1`, "999999999"])("that says %j is taken over", (content) => {
    // `${process.ppid} 1`: the id lives, but belongs to a process that started at another time.
    writeFileSync(join(directory, "lock"), content);
    lockDirectory(directory)();
    expect(readdirSync(directory)).toEqual([]);
  });
});
