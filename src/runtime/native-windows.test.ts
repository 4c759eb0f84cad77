/** Windows on the kernels against the op table's reference loops. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ops } from "../graph/ops.js";
import { uniforms } from "../random/philox.js";
import { shapesOf, windowOps } from "./instructions.js";
import type { Geometry, WindowInstruction } from "./program.js";
import { executorGroups, Layout } from "./native.test.fixture.js";

const pair = (least: number, most: number) =>
  fc.tuple(fc.integer({ min: least, max: most }), fc.integer({ min: least, max: most }));

const geometries: fc.Arbitrary<Geometry> = fc
  .record({
    images: fc.constantFrom(1, 2, 9),
    channels: fc.constantFrom(1, 3, 10, 16, 20, 50, 513),
    kernel: pair(1, 4),
    stride: pair(1, 4),
    padding: pair(0, 3),
    extra: pair(0, 13),
  })
  .map(({ images, channels, kernel, stride, padding: wanted, extra }) => {
    const padding = [Math.min(wanted[0], kernel[0] - 1), Math.min(wanted[1], kernel[1] - 1)] as const;
    const [height, width] = [kernel[0] + extra[0], kernel[1] + extra[1]];
    const out = (extent: number, axis: 0 | 1) =>
      Math.floor((extent + 2 * padding[axis] - kernel[axis]) / stride[axis]) + 1;
    const outs = { outHeight: out(height, 0), outWidth: out(width, 1), outChannels: channels };
    return { images, height, width, channels, kernel, stride, padding, ...outs };
  });

/** Eighths from -1 to 1, so that maxima tie often. */
const values = (count: number, seed: number) =>
  uniforms([seed, 0], 0, count).map((u) => Math.round(u * 16 - 8) / 8);

describe.each(executorGroups)("$name: windows agree with the op table", ({ executors }) => {
  const names = Object.keys(windowOps) as (keyof typeof windowOps)[];
  test.each(names)("%s", async (op) => {
    const { operands, result } = windowOps[op];
    const agree = async (geometry: Geometry, seed: number): Promise<void> => {
      const { kernel, stride, padding } = geometry;
      const shapes = shapesOf(geometry);
      const outShape = shapes[result];
      const layout = new Layout();
      const views = operands.map((role, i) => ({
        shape: shapes[role],
        data: values(
          shapes[role].reduce((n, extent) => n * extent),
          seed + i,
        ),
      }));
      const inputs = views.map(({ shape, data }) => layout.addValues("inputs", shape, data));
      const out = layout.add("outputs", outShape);
      const instruction: WindowInstruction = { kind: "window", op, geometry, inputs, out };
      const [actual] = await layout.run(executors, layout.program(instruction), [out]);
      const expected = new Float32Array(actual.length);
      const attributes = { window: { size: kernel, stride, padding }, shape: outShape };
      ops[op].reference(views, { data: expected, shape: outShape }, attributes);
      // Exact in any order: sums of at most 16 eighths, or of at most 9 x 17 x 17 products of two, of at most 1.
      expect(actual.findIndex((value, i) => value !== expected[i])).toBe(-1);
    };
    await fc.assert(fc.asyncProperty(geometries, fc.nat(1 << 30), agree), { numRuns: 60 });
  });
});
