/** Files whose container is sound but whose contents no run writes. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { UserError } from "../errors.js";
import type { Expected } from "./checkpoint.js";
import { readCheckpoint, readWeights } from "./checkpoint.js";
import { encodeTensors } from "./safetensors.js";

const weight = { data: Float32Array.of(1, -1), shape: [2] };
const signs = { data: Uint8Array.of(2), shape: [1] };
const expected: Expected = {
  values: { parameters: { w: weight }, statistics: {}, optimizer: {} },
  signs: { w: signs.data },
};
const metadata = {
  format: "fewbit checkpoint",
  formatVersion: "1",
  identity: "tiny",
  epoch: "2",
  step: "3",
  sums: '{"images":24,"loss":1.5,"top1":5,"top5":8}',
};
const tensors = { "parameters/w": weight, "signs/w": signs };

let path: string;
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), "fewbit-checkpoint-")), "file");
});
afterEach(() => rmSync(join(path, ".."), { recursive: true }));

function read(changed: object, others: object = {}) {
  writeFileSync(
    path,
    encodeTensors({ tensors: { ...tensors, ...others }, metadata: { ...metadata, ...changed } }),
  );
  return readCheckpoint(path, { identity: "tiny" }, expected);
}

test("what is whole is read", () => {
  const { epoch, step, sums, ...rest } = read({});
  expect([epoch, step, sums.images]).toEqual([2, 3, 24]);
  expect(rest).toEqual(expected);
});

describe("refused in a line", () => {
  test.each<[string, object, RegExp, object?]>([
    ["a negative epoch", { epoch: "-1" }, /damaged: it does not say where the run stands$/],
    ["a step that is no number", { step: "1e3" }, /damaged: it does not say where the run stands$/],
    ["sums that are not JSON", { sums: "{" }, /damaged: its sums are not JSON$/],
    ["sums of nothing", { sums: "null" }, /damaged: its sums are not what a run writes$/],
    ["sums without a loss", { sums: '{"images":1,"top1":1,"top5":1}' }, /sums are not what a run writes$/],
    [
      "sums without an end",
      { sums: '{"images":1,"loss":1e999,"top1":1,"top5":1}' },
      /sums are not what a run writes$/,
    ],
    [
      "signs of other weights",
      {},
      /for signs\/w it has U8 \[2\]/,
      { "signs/w": { data: Uint8Array.of(1, 2), shape: [2] } },
    ],
    ["signs of a layer too many", {}, /it has signs\/v, which this one lacks$/, { "signs/v": signs }],
    ["signs that are no bytes", {}, /for signs\/w it has F32 \[2\]/, { "signs/w": weight }],
    ["a tensor named as an object's prototype", {}, /it has __proto__, which/, { ["__proto__"]: weight }],
    ["a name that would colour the terminal", {}, /it has \\u001b\[31m, which/, { "\u001b[31m": weight }],
  ])("%s", (_name, changed, message, others) => {
    expect(() => read(changed, others)).toThrow(UserError);
    expect(() => read(changed, others)).toThrow(message);
  });

  test("weights that do not say their epoch", () => {
    const { epoch: _, ...rest } = metadata;
    const file = { tensors: { "parameters/w": weight }, metadata: { ...rest, format: "fewbit weights" } };
    writeFileSync(path, encodeTensors(file));
    expect(() => readWeights(path, { identity: "tiny" }, expected.values)).toThrow(
      /does not say where the run stands$/,
    );
  });
});
