/** The reference loops against the definitions of the ops, element by element. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { uniforms } from "../random/philox.js";
import { constant, evaluate, leaf } from "./index.js";
import { node } from "./node.js";
import type { Case, Data, View } from "./op.js";
import { ops } from "./ops.js";
import { sampler } from "./sampler.js";
import type { Attributes, OpName, Shape } from "./tensor.js";

function run(op: OpName, inputs: readonly View[], attributes: Attributes = {}): View {
  const leaves = inputs.map(({ data, shape }, i) =>
    leaf(`input${i}`, shape, data instanceof Int32Array ? "i32" : "f32"),
  );
  const bindings = new Map(leaves.map((tensor, i) => [tensor, inputs[i]]));
  return evaluate([node(op, leaves, attributes)], bindings, "f64")[0];
}

const vector = (...values: number[]): View => ({ data: Float32Array.from(values), shape: [values.length] });
const numbers = ({ data }: View) => Array.from(data as Data);

/** The element at an index; 0 outside the shape. */
function at({ data, shape }: View, index: readonly number[]): number {
  if (index.some((i, axis) => i < 0 || i >= shape[axis])) return 0;
  return data[index.reduce((offset, i, axis) => offset * shape[axis] + i, 0)];
}

/** Every index of a shape, in row-major order. */
function indices(shape: Shape): number[][] {
  return shape.reduce<number[][]>(
    (prefixes, extent) =>
      prefixes.flatMap((prefix) => Array.from({ length: extent }, (_, i) => [...prefix, i])),
    [[]],
  );
}

/** Checks an op over random cases: element `index` of its output must be `define(case, index)`. */
function expectDefinition(op: OpName, define: (c: Case, index: number[]) => number, numRuns = 60): void {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const c = ops[op].sample!(sampler(seed));
      const output = run(op, c.inputs, c.attributes);
      expect(output.data).toHaveLength(output.shape.reduce((a, b) => a * b, 1));
      indices(output.shape).forEach((index, i) => {
        const expected = define(c, index);
        const close = output.data[i] === expected || Math.abs(output.data[i] - expected) < 1e-9;
        if (!close) expect.fail(`${op} at ${index}: ${output.data[i]} is not ${expected}`);
      });
    }),
    { numRuns },
  );
}

const total = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

/** The values under a window; padding is left out. */
function windowValues({ inputs: [x], attributes }: Case, [n, row, column, c]: number[]): number[] {
  const { size, stride, padding } = attributes.window!;
  return indices(size)
    .map(([i, j]) => [row * stride[0] + i - padding[0], column * stride[1] + j - padding[1]])
    .filter(([h, w]) => h >= 0 && h < x.shape[1] && w >= 0 && w < x.shape[2])
    .map(([h, w]) => at(x, [n, h, w, c]));
}

describe("products and windows", () => {
  test("convolution", () => {
    expectDefinition(
      "convolution",
      ({ inputs: [x, w], attributes }, [n, row, column, o]) => {
        const { stride, padding } = attributes.window!;
        return total(
          indices(w.shape.slice(0, 3)).map(([i, j, c]) => {
            const pixel = [n, row * stride[0] + i - padding[0], column * stride[1] + j - padding[1], c];
            return at(x, pixel) * at(w, [i, j, c, o]);
          }),
        );
      },
      20,
    );
  });

  test("windowSum", () => expectDefinition("windowSum", (c, index) => total(windowValues(c, index))));
  test("windowMax", () => expectDefinition("windowMax", (c, index) => Math.max(...windowValues(c, index))));

  test("windowMaxGradient goes to the first maximum in row order", () => {
    const x = { data: Float32Array.of(1, 2, 2, 0, 2, 2), shape: [1, 2, 3, 1] };
    const g = { data: Float32Array.of(1, 10), shape: [1, 1, 2, 1] };
    const window = { size: [2, 2], stride: [1, 1], padding: [0, 0] } as const;
    expect(numbers(run("windowMaxGradient", [x, g], { window, shape: x.shape }))).toEqual([
      0, 11, 0, 0, 0, 0,
    ]);
  });

  test("padding never wins a maximum", () => {
    const x = { data: Float32Array.of(-5), shape: [1, 1, 1, 1] };
    const window = { size: [3, 3], stride: [1, 1], padding: [1, 1] } as const;
    expect(numbers(run("windowMax", [x], { window }))).toEqual([-5]);
  });
});

describe("movement", () => {
  test("transpose", () =>
    expectDefinition("transpose", ({ inputs: [x], attributes: { permutation = [] } }, index) =>
      at(
        x,
        x.shape.map((_, axis) => index[permutation.indexOf(axis)]),
      ),
    ));
  test("broadcast", () =>
    expectDefinition("broadcast", ({ inputs: [x], attributes: { axes = [] } }, index) =>
      at(
        x,
        axes.map((axis) => index[axis]),
      ),
    ));
  test("pad", () =>
    expectDefinition("pad", ({ inputs: [x], attributes: { low = [] } }, index) =>
      at(
        x,
        index.map((i, axis) => i - low[axis]),
      ),
    ));
  test("slice", () =>
    expectDefinition("slice", ({ inputs: [x], attributes: { low = [] } }, index) =>
      at(
        x,
        index.map((i, axis) => i + low[axis]),
      ),
    ));
  test("concatenate", () =>
    expectDefinition("concatenate", ({ inputs, attributes: { axis = 0 } }, index) => {
      let along = index[axis];
      let n = 0;
      for (; along >= inputs[n].shape[axis]; n++) along -= inputs[n].shape[axis];
      return at(inputs[n], index.with(axis, along));
    }));
  test("iota", () => expectDefinition("iota", ({ attributes: { axis = 0 } }, index) => index[axis]));
});

describe("reductions", () => {
  /** The values that fold into the output at `index`. */
  const folded = ({ inputs: [x], attributes: { axes = [] } }: Case, index: number[]) =>
    indices(x.shape)
      .filter((from) => from.filter((_, axis) => !axes.includes(axis)).every((i, axis) => i === index[axis]))
      .map((from) => at(x, from));

  test("sum", () => expectDefinition("sum", (c, index) => total(folded(c, index)), 20));
  test("reduceMax", () => expectDefinition("reduceMax", (c, index) => Math.max(...folded(c, index)), 20));
  test("moments", () => {
    const define = (c: Case, [row, ...index]: number[]) => {
      const values = folded(c, index);
      const mean = total(values) / values.length;
      return row === 0 ? mean : total(values.map((x) => x * x)) / values.length - mean * mean;
    };
    expectDefinition("moments", define, 20);
  });

  test("moments keep a small variance beside a large mean", () => {
    // Around 2^14, f32 is a grid of 1/512: the values and these results are exact.
    const x = vector(16384 - 1 / 512, 16384 + 1 / 512, 16384 - 1 / 512, 16384 + 1 / 512);
    const tensor = leaf("x", [4]);
    const [result] = evaluate([node("moments", [tensor], { axes: [0] })], new Map([[tensor, x]]), "f32");
    expect(numbers(result)).toEqual([16384, 1 / 512 ** 2]);
  });
});

describe("elementwise", () => {
  test("round is half to even", () => {
    const x = vector(0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999997, 0.50000006, -3.7, 1e10);
    expect(numbers(run("round", [x]))).toEqual([0, 2, 2, -0, -2, -2, 0, 1, -4, 1e10]);
  });

  test("bf16 keeps 8 significant bits, half to even", () => {
    const x = vector(
      1 + 2 ** -8,
      1 + 3 * 2 ** -8,
      1 + 2 ** -8 + 2 ** -20,
      -257,
      256,
      255,
      3.4e38,
      -Infinity,
      NaN,
      -0,
    );
    expect(numbers(run("bf16", [x]))).toEqual([
      ...[1, 1 + 2 ** -6, 1 + 2 ** -7, -256, 256, 255],
      ...[Infinity, -Infinity, NaN, -0],
    ]);
    expect(numbers(run("bf16", [vector(2 ** -133 + 2 ** -134, 2 ** -149)]))).toEqual([2 ** -132, 0]);
  });

  test("max and min give the second input where either is NaN", () => {
    const inputs = [vector(NaN, 1), vector(2, NaN)];
    expect(numbers(run("max", inputs))).toEqual([2, NaN]);
    expect(numbers(run("min", inputs))).toEqual([2, NaN]);
  });

  test.each([
    ["lt", [1, 0, 0, 0]],
    ["le", [1, 1, 0, 0]],
    ["eq", [0, 1, 0, 0]],
  ] as const)("%s gives 1 or 0, and 0 for NaN", (op, expected) => {
    expect(numbers(run(op, [vector(1, 2, 3, NaN), vector(2, 2, 2, NaN)]))).toEqual(expected);
  });

  test("select, arithmetic and functions", () => {
    const [a, b] = [vector(6, -3), vector(2, 4)];
    expect(numbers(run("select", [vector(0, -0.5), a, b]))).toEqual([2, -3]);
    expect(numbers(run("add", [a, b]))).toEqual([8, 1]);
    expect(numbers(run("sub", [a, b]))).toEqual([4, -7]);
    expect(numbers(run("mul", [a, b]))).toEqual([12, -12]);
    expect(numbers(run("div", [a, b]))).toEqual([3, -0.75]);
    expect(numbers(run("neg", [a]))).toEqual([-6, 3]);
    expect(numbers(run("abs", [a]))).toEqual([6, 3]);
    expect(numbers(run("sqrt", [vector(9)]))).toEqual([3]);
    expect(numbers(run("exp", [vector(1)]))).toEqual([Math.E]);
    expect(numbers(run("log", [vector(1)]))).toEqual([0]);
    expect(numbers(run("tanh", [vector(Infinity)]))).toEqual([1]);
  });

  test("integers count as numbers", () => {
    expect(numbers(run("eq", [{ data: Int32Array.of(1, 2), shape: [2] }, vector(1, 3)]))).toEqual([1, 0]);
  });
});

test("random draws its stream of the key", () => {
  const key = { data: Int32Array.of(-3, 9), shape: [2] };
  expect(numbers(run("random", [key], { shape: [2, 5], stream: 4 }))).toEqual(
    Array.from(uniforms([2 ** 32 - 3, 9], 4, 10)),
  );
});

describe("wrong inputs are named", () => {
  const x = leaf("x", [2, 5, 5, 3]);
  const key = leaf("key", [2], "i32");
  const window = { size: [3, 3], stride: [1, 1], padding: [0, 0] } as const;
  test.each<[string, () => unknown, RegExp]>([
    [
      "channels",
      () => node("convolution", [x, leaf("w", [3, 3, 4, 8])], { window }),
      /3 channels .* takes 4/,
    ],
    ["rank", () => node("convolution", [leaf("v", [2, 5]), leaf("w", [3, 3, 3, 8])], { window }), /4 axes/],
    [
      "kernel",
      () => node("convolution", [x, leaf("w", [5, 5, 3, 8])], { window }),
      /must be the filter's, \[5, 5\]/,
    ],
    [
      "size",
      () => node("windowSum", [x], { window: { ...window, size: [6, 6] } }),
      /6x6 does not fit .* 5x5/,
    ],
    ["stride", () => node("windowSum", [x], { window: { ...window, stride: [0, 1] } }), /stride \[0, 1\]/],
    ["padding", () => node("windowMax", [x], { window: { ...window, padding: [3, 0] } }), /padding \[3, 0\]/],
    ["shapes", () => node("add", [leaf("a", [2]), leaf("b", [3])]), /one shape, got \[2\], \[3\]/],
    ["size", () => node("reshape", [x], { shape: [2, 3] }), /150 values, \[2, 3\] holds 6/],
    ["axes", () => node("sum", [x], { axes: [1, 1] }), /axes \[1, 1\]/],
    ["permutation", () => node("transpose", [x], { permutation: [0, 1, 2, 2] }), /\[0, 1, 2, 2\] must name/],
    [
      "extents",
      () => node("concatenate", [leaf("a", [2, 3]), leaf("b", [3, 3])], { axis: 1 }),
      /f32 \[2, 3\] and f32 \[3, 3\] must have one type .* but axis 1/,
    ],
    ["range", () => node("slice", [leaf("a", [2])], { low: [1], high: [3] }), /from \[1\] to \[3\]/],
    ["pad", () => node("pad", [leaf("a", [2])], { low: [-1], high: [0] }), /low \[-1\]/],
    ["broadcast", () => node("broadcast", [leaf("a", [2])], { shape: [3, 4], axes: [1] }), /axes \[1\]/],
    ["array", () => node("constant", [], { data: Float32Array.of(1), shape: [2] }), /holds 2 values.* has 1/],
    ["leaf", () => leaf("a", [0]), /leaf "a": the shape \[0\]/],
    ["key", () => node("random", [leaf("k", [2])], { shape: [1] }), /key must be i32 \[2\], got f32 \[2\]/],
    [
      "stream",
      () => node("random", [key], { shape: [1], stream: -1 }),
      /stream must be .* to 4294967295, got -1/,
    ],
    ["stream's end", () => node("random", [key], { shape: [1], stream: 2 ** 32 }), /got 4294967296/],
    ["numbers", () => node("random", [key], { shape: [2 ** 34, 2] }), /more than 2\^34 numbers/],
    ["lattice", () => node("codes", [x], { lattice: { lo: 0, hi: 3, step: 2 } }), /lattice/],
    ["codes", () => node("coded", [x, x]), /must be integer codes/],
    ["binding", () => evaluate([x], new Map()), /leaf "x" has no value/],
  ])("%s", (_, make, message) => {
    expect(make).toThrow(
      expect.objectContaining({ name: "UserError", message: expect.stringMatching(message) }),
    );
  });
});

test("lattices follow codes through identities, moves and selections", () => {
  const lattice = { lo: -3, hi: 3, step: 2 } as const;
  const x = node("codes", [leaf("x", [2, 2])], { lattice });
  const moved = [
    node("reshape", [x], { shape: [4] }),
    node("transpose", [x], { permutation: [1, 0] }),
    node("broadcast", [x], { shape: [3, 2, 2], axes: [1, 2] }),
    node("slice", [x], { low: [0, 0], high: [1, 2] }),
    node("stopGradient", [x]),
    node("customGradient", [x, leaf("y", [2, 2])], { backward: (g) => [g] }),
  ];
  for (const tensor of moved) expect(tensor.lattice).toEqual(lattice);
  // Zero is no odd code.
  expect(node("pad", [x], { low: [1, 0], high: [0, 0] }).lattice).toBeUndefined();
  const choose = (a: number, b: number) => node("select", [leaf("c", []), constant(a), constant(b)]).lattice;
  expect(choose(1, -1)).toEqual({ lo: -1, hi: 1, step: 2 });
  expect(choose(1, 0)).toEqual({ lo: 0, hi: 1, step: 1 });
  expect(choose(1, 0.5)).toBeUndefined();
});
