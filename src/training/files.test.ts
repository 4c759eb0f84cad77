import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { appendFlushed, cutBack, stage, writeAtomically } from "./files.js";

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
