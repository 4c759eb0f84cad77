/** Windows on the kernels against the op table's reference loops. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ops } from "../graph/ops.js";
import { uniforms } from "../random/philox.js";
import { shapesOf } from "./instructions.js";
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
  const names = ["windowSum", "windowMax", "windowSumGradient", "windowMaxGradient"] as const;
  test.each(names)("%s", async (op) => {
    const agree = async (geometry: Geometry, seed: number): Promise<void> => {
      const { images, height, width, channels, outHeight, outWidth, kernel, stride, padding } = geometry;
      const [x, y] = [
        [images, height, width, channels],
        [images, outHeight, outWidth, channels],
      ];
      const shapes = { windowSum: [x], windowMax: [x], windowSumGradient: [y], windowMaxGradient: [x, y] }[
        op
      ];
      const outShape = op.endsWith("Gradient") ? x : y;
      const layout = new Layout();
      const views = shapes.map((shape, i) => ({
        shape,
        data: values(
          shape.reduce((n, extent) => n * extent),
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
      // Sums of at most 16 eighths of at most 1 are exact in any order.
      expect(actual.findIndex((value, i) => value !== expected[i])).toBe(-1);
    };
    await fc.assert(fc.asyncProperty(geometries, fc.nat(1 << 30), agree), { numRuns: 60 });
  });

  const products = ["depthwise", "depthwiseInputGradient", "depthwiseFilterGradient"] as const;
  test.each(products)("%s", async (op) => {
    const agree = async (geometry: Geometry, seed: number): Promise<void> => {
      const { kernel, stride, padding } = geometry;
      const { x, v, y } = shapesOf(geometry);
      const [shapes, outShape] = {
        depthwise: [[x, v], y],
        depthwiseInputGradient: [[y, v], x],
        depthwiseFilterGradient: [[x, y], v],
      }[op] as [(readonly number[])[], readonly number[]];
      const layout = new Layout();
      const views = shapes.map((shape, i) => ({
        shape,
        data: values(
          shape.reduce((n, extent) => n * extent),
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
      // Sums of at most 9 x 17 x 17 products of eighths are exact in any order.
      expect(actual.findIndex((value, i) => value !== expected[i])).toBe(-1);
    };
    await fc.assert(fc.asyncProperty(geometries, fc.nat(1 << 30), agree), { numRuns: 60 });
  });
});
