import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { UserError } from "../errors.js";
import type { EpochMetrics } from "./metrics.js";
import {
  addBatch,
  bestEpoch,
  formatLines,
  noImages,
  readLines,
  replaceIfOther,
  scoresOf,
} from "./metrics.js";

test("a small last batch counts by its images", () => {
  const sums = addBatch(addBatch(noImages, 6, 1, 3, 6), 2, 5, 2, 2);
  expect(scoresOf(sums)).toEqual({ loss: 2, top1: 62.5, top5: 100 });
});

test("the best epoch is the first with the highest top-1", () => {
  const epochs = [50, 90, 90, 70].map((top1, i) => ({ epoch: i + 1, top1 }) as EpochMetrics);
  expect(bestEpoch(epochs)?.epoch).toBe(2);
  expect(bestEpoch([])).toBeUndefined();
});

describe("lines", () => {
  const schema = z.object({ epoch: z.number() });
  let path: string;
  beforeEach(() => {
    path = join(mkdtempSync(join(tmpdir(), "fewbit-lines-")), "lines.jsonl");
  });
  afterEach(() => rmSync(join(path, ".."), { recursive: true }));

  test.each<[string, string, number, number[]]>([
    ["all of the epochs asked for", '{"epoch":1}\n{"epoch":1}\n{"epoch":2}\n', 2, [1, 1, 2]],
    ["none of a later epoch", '{"epoch":1}\n{"epoch":2}\n{"epoch":3}\n', 1, [1]],
    ["not a line cut short", '{"epoch":1}\n{"epoch":2', 2, [1]],
    ["not a line whose newline is missing", '{"epoch":1}\n{"epoch":2}', 2, [1]],
    ["nothing of an empty file", "", 9, []],
  ])("are read: %s", (_name, text, epochs, expected) => {
    writeFileSync(path, text);
    expect(readLines(path, epochs, schema).map(({ epoch }) => epoch)).toEqual(expected);
  });

  test("of a file that is not there are none", () => {
    expect(readLines(path, 3, schema)).toEqual([]);
  });

  test.each(["{nonsense}\n", '{"epoch":"1"}\n', "null\n", "\n"])("that are damaged are named: %j", (text) => {
    writeFileSync(path, `{"epoch":1}\n${text}`);
    expect(() => readLines(path, 3, schema)).toThrow(`${path} is damaged: line 2`);
  });

  test("cannot be read from a directory", () => {
    mkdirSync(path);
    expect(() => readLines(path, 3, schema)).toThrow(UserError);
    expect(() => readLines(path, 3, schema)).toThrow(`cannot read ${path}: it is a folder`);
  });

  test("are written only where they differ", () => {
    replaceIfOther(path, formatLines([{ epoch: 1 }, { epoch: 2 }]));
    expect(readFileSync(path, "utf8")).toBe('{"epoch":1}\n{"epoch":2}\n');
    const { ino } = statSync(path);
    replaceIfOther(path, formatLines([{ epoch: 1 }, { epoch: 2 }]));
    expect(statSync(path).ino).toBe(ino);
    replaceIfOther(path, formatLines([{ epoch: 1 }]));
    expect(readFileSync(path, "utf8")).toBe('{"epoch":1}\n');
  });
});
