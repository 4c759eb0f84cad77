import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cacheFor } from "./remote.js";

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "fewbit-stale-"));
  mkdirSync(join(cache, "set"));
});
afterEach(() => rmSync(cache, { recursive: true }));

test("what a killed process left half-written is removed when a set is next asked for, once it is an hour old", () => {
  const minutes = { "a.gz.17-0123abcd.tmp": 61, "b.gz.18-0123abcd.tmp": 59, "a.gz": 500, "notes.tmp": 500 };
  for (const [name, age] of Object.entries(minutes)) {
    const path = join(cache, "set", name);
    writeFileSync(path, "");
    const then = Date.now() / 1000 - 60 * age;
    utimesSync(path, then, then);
  }
  cacheFor("set", ["http://host/"], { cache });
  expect(readdirSync(join(cache, "set")).sort()).toEqual(["a.gz", "b.gz.18-0123abcd.tmp", "notes.tmp"]);
  cacheFor("other", ["http://host/"], { cache }); // no such folder
  expect(readdirSync(cache)).toEqual(["set"]);
});
