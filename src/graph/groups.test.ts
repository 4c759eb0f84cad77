/** Convolutions in groups and their gradients beside PyTorch's (tools/golden/groups.py). */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compile } from "../compiler/compile.js";
import { createState } from "../compiler/state.js";
import { createReferenceExecutor } from "../runtime/reference.js";
import { createNativeExecutor, instructionSets } from "../runtime/native.js";
import { wasmExecutor } from "../runtime/native.test.fixture.js";
import * as g from "./index.js";
import type { Shape, Tensor } from "./tensor.js";

interface Golden {
  readonly x: Shape;
  readonly w: Shape;
  readonly options: g.ConvolutionOptions;
  readonly y: readonly number[];
  readonly dx: readonly number[];
  readonly dw: readonly number[];
}

const golden = JSON.parse(
  readFileSync(new URL("../../tools/golden/data/groups.json", import.meta.url), "utf8"),
) as Golden[];

/** By the formula of the script. */
const values = (shape: Shape, factor: number): Float32Array =>
  Float32Array.from(
    { length: shape.reduce((n, extent) => n * extent, 1) },
    (_, i) => (((i * factor) % 23) - 11) / 8,
  );

const executors = [
  createReferenceExecutor(),
  wasmExecutor(),
  ...(instructionSets().length > 0 ? [createNativeExecutor({ threads: 2 })] : []),
];

describe.each(golden)("$x with $w, $options", ({ x, w, options, y, dx, dw }) => {
  test.each(executors)("gives PyTorch's outputs and gradients, exactly, on $name", async (executor) => {
    const given = { x: { data: values(x, 7), shape: x }, w: { data: values(w, 5), shape: w } };
    const step = compile(
      (_: Record<string, never>, batch: { x: Tensor; w: Tensor }) => {
        const out = g.convolution(batch.x, batch.w, options);
        const weighted = g.sum(g.mul(out, g.array(values(out.shape, 3), out.shape)));
        const [ofX, ofW] = g.gradients(weighted, [batch.x, batch.w]);
        return { y: out, dx: ofX, dw: ofW };
      },
      { executor },
    );
    const result = await step(createState<Record<string, never>>({}, { executor }), given);
    // Sums of few products of eighths.
    expect(Array.from(result.y.data)).toEqual(y);
    expect(Array.from(result.dx.data)).toEqual(dx);
    expect(Array.from(result.dw.data)).toEqual(dw);
  });
});

test("groups that do not fit are refused", () => {
  const [x, w] = [g.leaf("x", [1, 5, 5, 6]), g.leaf("w", [3, 3, 2, 6])];
  expect(() => g.convolution(x, w, { groups: 2 })).toThrow(
    "convolution: 2 groups of the filter [3, 3, 2, 6] take 4 channels and give a multiple of 2 outputs, not 6 and 6",
  );
  expect(() => g.convolution(x, w, { groups: 0 })).toThrow(
    "convolution: groups must be an integer from 1 to 2147483648",
  );
  expect(g.convolution(x, w, { groups: 3 }).shape).toEqual([1, 3, 3, 6]);
});
