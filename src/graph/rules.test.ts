/** Every gradient rule against central differences in double, over random shapes and values. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { coded, codes, leaf, mul, sum } from "./functions.js";
import { evaluate } from "./evaluate.js";
import { gradients } from "./gradients.js";
import { node } from "./node.js";
import type { View } from "./op.js";
import { ops } from "./ops.js";
import { sampler } from "./sampler.js";
import type { OpName, Tensor } from "./tensor.js";

/** Identities with gradients of their own, and ops that only backward passes hold. */
const notDifferentiated: readonly OpName[] = [
  "stopGradient",
  "bf16",
  "windowSumGradient",
  "windowMaxGradient",
  "convolutionInputGradient",
  "convolutionFilterGradient",
  "depthwiseInputGradient",
  "depthwiseFilterGradient",
];

const leafOf = ({ data, shape }: View, i: number) =>
  leaf(`input${i}`, shape, data instanceof Int32Array ? "i32" : "f32");

const dot = (a: View, b: View) => Array.from(a.data, (x, i) => x * b.data[i]).reduce((x, y) => x + y, 0);

/** Compares the derivative of a random weighting of `y` along a random direction of each input. */
function expectGradient(y: Tensor, inputs: readonly Tensor[], values: readonly View[], seed: number): void {
  const random = sampler(seed);
  const weights = leaf("weights", y.shape);
  const bindings = new Map<Tensor, View>([[weights, random.uniform(y.shape, -1, 1)]]);
  inputs.forEach((input, i) => bindings.set(input, values[i]));
  const loss = sum(mul(y, weights));

  const differentiable = inputs.filter(({ dtype }) => dtype === "f32");
  const found = evaluate(gradients(loss, differentiable), bindings, "f64");
  differentiable.forEach((input, i) => {
    const { data, shape } = bindings.get(input)!;
    expect(found[i].shape).toEqual(shape);
    const direction = random.uniform(shape, -1, 1);
    const epsilon = 1e-5;
    const lossAt = (distance: number) => {
      const moved = Float64Array.from(data, (x, k) => x + distance * direction.data[k]);
      return evaluate([loss], new Map(bindings).set(input, { data: moved, shape }), "f64")[0].data[0];
    };
    const expected = (lossAt(epsilon) - lossAt(-epsilon)) / (2 * epsilon);
    const tolerance = 1e-6 * (1 + Math.abs(expected));
    expect(Math.abs(dot(found[i], direction) - expected)).toBeLessThan(tolerance);
  });
}

describe("the gradient of", () => {
  const names = (Object.keys(ops) as OpName[]).filter(
    (op) => ops[op].sample !== undefined && !notDifferentiated.includes(op),
  );
  test.each(names)("%s", (op) => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const { inputs: values, attributes } = ops[op].sample!(sampler(seed, { smooth: true }));
        const inputs = values.map(leafOf);
        expectGradient(node(op, inputs, attributes), inputs, values, seed);
      }),
      { numRuns: 40 },
    );
  });

  test("coded and codes", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const random = sampler(seed);
        const values = [random.values([3, 10]), random.values([10])];
        const [x, scale] = values.map(leafOf);
        expectGradient(coded(codes(x, { lo: -4, hi: 4, step: 1 }), scale), [x, scale], values, seed);
      }),
    );
  });
});

test("reduceMax shares its gradient among ties", () => {
  const x = leaf("x", [4]);
  const [g] = gradients(node("reduceMax", [x], { axes: [0] }), [x]);
  const [dx] = evaluate([g], new Map([[x, { data: Float32Array.of(3, 1, 3, 2), shape: [4] }]]));
  expect(Array.from(dx.data)).toEqual([0.5, 0, 0.5, 0]);
});

test("min, max and abs at their kinks", () => {
  const [a, b] = [leaf("a", [1]), leaf("b", [1])];
  const one = { data: Float32Array.of(1), shape: [1] };
  for (const op of ["min", "max"] as const) {
    const found = evaluate(gradients(sum(node(op, [a, b])), [a, b]), new Map([a, b].map((x) => [x, one])));
    expect(found.map(({ data }) => data[0])).toEqual([1, 0]);
  }
  const zero = { data: Float32Array.of(0), shape: [1] };
  expect(evaluate(gradients(sum(node("abs", [a])), [a]), new Map([[a, zero]]))[0].data[0]).toBe(0);
});
