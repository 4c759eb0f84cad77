import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { appendFlushed, writeAtomically } from "./files.js";

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

test("lines are appended", () => {
  const path = join(directory, "lines");
  appendFlushed(path, "one\n");
  appendFlushed(path, "two\n");
  expect(readFileSync(path, "utf8")).toBe("one\ntwo\n");
});
