import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import type * as node from "node:os";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { UserError } from "../errors.js";
import { cacheDirectory } from "./cache.js";
import { cacheFor } from "./remote.js";

/** False for a user that the system has no entry of, without HOME. */
const hasHome = vi.hoisted(() => ({ value: true }));
vi.mock("node:os", async (original) => {
  const os = await original<typeof node>();
  return {
    ...os,
    homedir(): string {
      if (hasHome.value) return os.homedir();
      throw Object.assign(new Error("uv_os_homedir returned ENOENT (no such file or directory)"), {
        code: "ERR_SYSTEM_ERROR",
      });
    },
  };
});

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

test("without a home folder, FEWBIT_CACHE or XDG_CACHE_HOME decide, else it is said what to set", () => {
  hasHome.value = false;
  try {
    expect(cacheDirectory({ FEWBIT_CACHE: cache }, "linux")).toBe(cache);
    expect(cacheDirectory({ XDG_CACHE_HOME: cache }, "linux")).toBe(join(cache, "fewbit"));
    expect(() => cacheDirectory({}, "linux")).toThrow(
      new UserError("there is no home folder to keep downloads in; set FEWBIT_CACHE to a folder", "cache"),
    );
  } finally {
    hasHome.value = true;
  }
});
