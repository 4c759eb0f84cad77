/**
 * Products of coded values: exact sums on every executor, for any lattices and windows, and the
 * conditions under which the compiler leaves a product in floating point.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { HostArray, Lattice, Tensor } from "../graph/index.js";
import * as g from "../graph/index.js";
import { describe as describeNetwork, initialise } from "../nn/index.js";
import { lenet5 } from "../models/lenet5.js";
import { adam } from "../optim/index.js";
import type { Method } from "../quantization/index.js";
import { baseline, dorefa, qnn, ttq, twn, xnor } from "../quantization/index.js";
import type { Executor } from "../runtime/executor.js";
import { createNativeExecutor, instructionSets } from "../runtime/native.js";
import { wasmExecutor } from "../runtime/native.test.fixture.js";
import type { Program } from "../runtime/program.js";
import { createReferenceExecutor } from "../runtime/reference.js";
import type { TrainingTensors } from "../training/step.js";
import { compileStep } from "../training/step.js";
import { compile } from "./compile.js";
import { createState } from "./state.js";

const reference = createReferenceExecutor();
const executors: [string, Executor][] = [
  ["the reference executor", reference],
  ["the WebAssembly executor", wasmExecutor()],
  ...instructionSets().map((instructionSet): [string, Executor] => [
    instructionSet,
    createNativeExecutor({ threads: 2, instructionSet }),
  ]),
];

type Fn = (t: Record<string, Tensor>) => Record<string, Tensor>;

/** A function of inputs without state, compiled. */
function compiled(f: Fn, executor: Executor) {
  const step = compile((_: Record<string, never>, batch: Record<string, Tensor>) => f(batch), { executor });
  const state = createState<Record<string, never>>({}, { executor });
  return {
    run: (values: Record<string, HostArray>): Promise<Record<string, HostArray>> => step(state, values),
    program: (values: Record<string, HostArray>) => step.program(state, values),
  };
}

/** The storages of each product's operands and result: "u8,s8,i16". */
const productsOf = ({ instructions }: Program): string[] =>
  instructions.flatMap((instruction) =>
    instruction.kind === "product"
      ? [[...instruction.inputs, instruction.out].map(({ storage }) => storage).join()]
      : [],
  );

interface Case {
  readonly x: HostArray;
  readonly w: HostArray;
  readonly lattices: readonly [Lattice, Lattice];
  readonly window: g.ConvolutionOptions;
}

const lattice: fc.Arbitrary<Lattice> = fc.oneof(
  fc.constantFrom<Lattice>(
    { lo: 0, hi: 1, step: 1 },
    { lo: 0, hi: 3, step: 1 },
    { lo: 0, hi: 255, step: 1 },
    { lo: -1, hi: 1, step: 1 },
    { lo: -1, hi: 1, step: 2 },
    { lo: -3, hi: 3, step: 2 },
    { lo: -128, hi: 127, step: 1 },
    { lo: -127, hi: 127, step: 2 },
    { lo: -255, hi: 255, step: 2 },
  ),
  fc
    .record({
      lo: fc.integer({ min: -300, max: 300 }),
      count: fc.integer({ min: 0, max: 255 }),
      step: fc.constantFrom(1 as const, 2 as const),
    })
    .map(({ lo, count, step }) => ({ lo, hi: lo + count * step, step })),
);

/** Codes of a lattice: all at one end, both ends, or anything. */
function codesOf(shape: readonly number[], { lo, hi, step }: Lattice, kind: number, seed: number): HostArray {
  const levels = (hi - lo) / step + 1;
  const data = Float32Array.from({ length: g.sizeOf(shape) }, (_, i) => {
    const random = Math.abs(Math.imul(i * 2_654_435_761 + seed, 0x85ebca6b) >>> 8);
    if (kind === 0) return hi;
    if (kind === 1) return lo;
    return kind === 2 ? (random & 1 ? hi : lo) : lo + (random % levels) * step;
  });
  return { data, shape };
}

const cases: fc.Arbitrary<Case> = fc
  .record({
    lattices: fc.tuple(lattice, lattice),
    kinds: fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 })),
    images: fc.integer({ min: 1, max: 3 }),
    extents: fc.tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 7 })),
    channels: fc.tuple(fc.integer({ min: 1, max: 21 }), fc.integer({ min: 1, max: 37 })),
    kernel: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    stride: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
    padding: fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 2 })),
    seed: fc.nat(1 << 20),
  })
  .filter(({ extents, kernel, padding }) =>
    extents.every((extent, i) => extent + 2 * padding[i] >= kernel[i]),
  )
  .map(({ lattices, kinds, images, extents, channels, kernel, stride, padding, seed }) => ({
    x: codesOf([images, ...extents, channels[0]], lattices[0], kinds[0], seed),
    w: codesOf([...kernel, ...channels], lattices[1], kinds[1], seed + 1),
    lattices,
    window: { stride, padding },
  }));

/** Codes wider than a byte are step·stored + offset; the largest that either part can be, together. */
function largestPart({ lo, hi, step }: Lattice): number {
  return Math.max(Math.abs(lo), Math.abs(hi), 128 * step + Math.abs(lo + 128 * step));
}

/** The sums, by the definition: padding counts nothing. */
function sums({ x, w, window }: Case): number[] {
  const [images, height, width, inputs] = x.shape;
  const [rows, columns, , outputs] = w.shape;
  const [stride, padding] = [window.stride as [number, number], window.padding as [number, number]];
  const extent = (size: number, kernel: number, i: number) =>
    Math.floor((size + 2 * padding[i] - kernel) / stride[i]) + 1;
  const [outHeight, outWidth] = [extent(height, rows, 0), extent(width, columns, 1)];
  const result: number[] = [];
  for (let n = 0; n < images; n++)
    for (let i = 0; i < outHeight; i++)
      for (let j = 0; j < outWidth; j++)
        for (let o = 0; o < outputs; o++) {
          let sum = 0;
          for (let r = 0; r < rows; r++)
            for (let c = 0; c < columns; c++) {
              const [h, v] = [i * stride[0] + r - padding[0], j * stride[1] + c - padding[1]];
              if (h < 0 || h >= height || v < 0 || v >= width) continue;
              for (let k = 0; k < inputs; k++) {
                sum +=
                  x.data[((n * height + h) * width + v) * inputs + k] *
                  w.data[((r * columns + c) * inputs + k) * outputs + o];
              }
            }
          result.push(sum);
        }
  return result;
}

describe.each(executors)("sums of codes are exact on %s", (_, executor) => {
  test("for random lattices, shapes, strides and paddings, at the ends of the lattices too", async () => {
    let onBytes = 0;
    await fc.assert(
      fc.asyncProperty(cases, async (sample) => {
        const { x, w, lattices, window } = sample;
        const f: Fn = (t) => ({
          // Twice what it is, so that the codes are made by a map.
          y: g.convolution(
            g.coded(g.codes(g.mul(t.x, 2), lattices[0]), 0.5),
            g.coded(g.codes(g.mul(t.w, 2), lattices[1]), 0.25),
            window,
          ),
        });
        const halved = (array: HostArray) => ({ ...array, data: array.data.map((value) => value / 2) });
        const values = { x: halved(x), w: halved(w) };
        const { run, program } = compiled(f, executor);
        const products = productsOf(program(values));
        expect(products.every((storages) => /^[us]8,s8,i(16|32)$/.test(storages))).toBe(true);
        onBytes += products.length;
        const { y } = await run(values);
        // The parts of a sum of wide codes are added as floats: exact below 2^24.
        fc.pre(lattices.map(largestPart).reduce((a, b) => a * b) * g.sizeOf(w.shape.slice(0, 3)) < 2 ** 24);
        const expected = sums(sample);
        expect(Array.from(y.data)).toEqual(expected.map((sum) => sum / 8 + 0));
      }),
      { numRuns: 150 },
    );
    expect(onBytes).toBeGreaterThan(150);
  });

  test("at 2^31, rounded once to f32", async () => {
    const count = 66_000; // 66,000·255·127 is just below 2^31
    const f: Fn = (t) => ({
      y: g.matmul(
        g.codes(g.mul(t.x, 2), { lo: 0, hi: 255, step: 1 }),
        g.codes(g.mul(t.w, 2), { lo: -127, hi: 127, step: 1 }),
      ),
    });
    const values = {
      x: { data: new Float32Array(count).fill(127.5), shape: [1, count] },
      w: { data: new Float32Array(2 * count).map((_, i) => (i % 2 ? 63.5 : -63.5)), shape: [count, 2] },
    };
    const { run, program } = compiled(f, executor);
    expect(productsOf(program(values))).toEqual(["u8,s8,i32"]);
    const sum = Math.fround(count * 255 * 127);
    expect(Array.from((await run(values)).y.data)).toEqual([-sum, sum]);
  });

  test("where a code is NaN, which counts as 0", async () => {
    const f: Fn = (t) => ({
      y: g.matmul(
        g.codes(g.round(t.x), { lo: -127, hi: 127, step: 1 }),
        g.codes(g.round(t.w), { lo: -1, hi: 1, step: 2 }),
      ),
    });
    const x = { data: Float32Array.from({ length: 35 }, (_, i) => (i % 2 ? NaN : i)), shape: [1, 35] };
    const w = { data: new Float32Array(35).fill(1), shape: [35, 1] };
    const { run, program } = compiled(f, executor);
    expect(productsOf(program({ x, w }))).toEqual(["s8,s8,i16"]);
    expect(Array.from((await run({ x, w })).y.data)).toEqual([(34 * 18) / 2]);
  });

  test("with scales for each image, each output channel and all, and their gradients", async () => {
    const shapes = {
      x: [3, 6, 6, 5],
      w: [3, 3, 5, 7],
      perImage: [3, 1, 1, 1],
      perChannel: [7],
      g: [3, 6, 6, 7],
    };
    const f: Fn = ({ x, w, perImage, perChannel, g: upstream }) => {
      const codes = g.straightThrough(g.codes(g.round(x), { lo: -4, hi: 4, step: 1 }), x);
      const weights = g.straightThrough(
        g.coded(g.codes(g.round(w), { lo: -4, hi: 4, step: 1 }), perChannel),
        w,
      );
      const scaled = g.convolution(g.mul(codes, perImage), weights, { padding: 1 });
      const plain = g.convolution(codes, weights, { padding: 1 });
      const loss = g.sum(g.mul(g.add(scaled, plain), upstream));
      const [dx, dw] = g.gradients(loss, [x, w]);
      return { scaled, plain, dx, dw };
    };
    const values = Object.fromEntries(
      Object.entries(shapes).map(([name, shape], seed) => {
        const data = Float32Array.from(
          { length: g.sizeOf(shape) },
          (_, i) => 4 * Math.sin(seed + i * 78.233),
        );
        return [name, { data, shape }];
      }),
    );
    const { run, program } = compiled(f, executor);
    expect(productsOf(program(values))).toEqual(
      expect.arrayContaining(["s8,s8,i16", "s8,s8,i16", "f32,f32,f32", "s8,f32,f32"]),
    );
    const actual = await run(values);
    const leaves = Object.fromEntries(
      Object.entries(shapes).map(([name, shape]) => [name, g.leaf(name, shape)]),
    );
    const bindings = new Map(
      Object.entries(values).map(([name, { data, shape }]) => [
        leaves[name],
        { data: Float64Array.from(data), shape },
      ]),
    );
    const outputs = f(leaves);
    const expected = g.evaluate(Object.values(outputs), bindings, "f64");
    Object.keys(outputs).forEach((name, i) => {
      const largest = Math.max(...Array.from(expected[i].data, Math.abs));
      actual[name].data.forEach((value, j) => {
        expect(Math.abs(value - expected[i].data[j]) / largest, `${name}[${j}]`).toBeLessThan(1e-6);
      });
    });
  });
});

describe("a product stays in floating point where", () => {
  const x = (t: Record<string, Tensor>, lattice: Lattice = { lo: 0, hi: 3, step: 1 }) =>
    g.codes(g.round(t.x), lattice);
  const w = (t: Record<string, Tensor>, lattice: Lattice = { lo: -3, hi: 3, step: 2 }) =>
    g.codes(g.round(t.w), lattice);
  const rows: [string, Fn, channels?: number][] = [
    ["the input is no codes", (t) => ({ y: g.convolution(t.x, w(t)) })],
    ["the weights are no codes", (t) => ({ y: g.convolution(x(t), t.w) })],
    ["the input's scale varies over pixels", (t) => ({ y: g.convolution(g.mul(x(t), t.perPixel), w(t)) })],
    [
      "the input's scale varies over its channels",
      (t) => ({ y: g.convolution(g.mul(x(t), t.perInput), w(t)) }),
    ],
    [
      "the weights' scale varies over inputs",
      (t) => ({ y: g.convolution(x(t), g.mul(w(t), g.reshape(t.perInput, [4, 1]))) }),
    ],
    [
      "the lattice has more levels than a byte",
      (t) => ({ y: g.convolution(x(t, { lo: 0, hi: 256, step: 1 }), w(t)) }),
    ],
    [
      "the codes are read as floats too",
      (t) => ({ y: g.convolution(x(t), w(t)), z: g.maxPool(x(t), { size: 2 }) }),
    ],
    ["the codes are a result too", (t) => ({ y: g.convolution(x(t), w(t)), z: x(t) })],
    [
      "the sum may pass 2^31",
      (t) => ({ y: g.convolution(x(t, { lo: 0, hi: 255, step: 1 }), w(t, { lo: -128, hi: 127, step: 1 })) }),
      66_000,
    ],
  ];
  test.each(rows)("%s", (_, f, channels = 4) => {
    const shapes = { x: [2, 2, 2, channels], w: [1, 1, channels, 5], perPixel: [2, 2, 2, 1], perInput: [4] };
    const values = Object.fromEntries(
      Object.entries(shapes).map(([name, shape]) => [
        name,
        { data: new Float32Array(g.sizeOf(shape)), shape },
      ]),
    );
    expect(productsOf(compiled(f, reference).program(values))).toEqual(["f32,f32,f32"]);
  });
});

describe("the products of a training step of LeNet-5", () => {
  const float = "f32,f32,f32";
  // conv1, conv2, fc1, fc2, fc3; then the filter gradients of the same.
  const rows: [string, Method, forward: string[], filters: string[]][] = [
    ["baseline", baseline(), [float, float, float, float, float], [float, float, float, float, float]],
    [
      "qnn 1/1",
      qnn({ weightBits: 1, activationBits: 1 }),
      [float, ...Array<string>(4).fill("s8,s8,i16")],
      [float, ...Array<string>(4).fill("s8,f32,f32")],
    ],
    [
      "qnn 8/8",
      qnn({ weightBits: 8, activationBits: 8 }),
      [float, ...Array<string>(4).fill("s8,s8,i32")],
      [float, ...Array<string>(4).fill("s8,f32,f32")],
    ],
    [
      "qnn 1/32",
      qnn({ weightBits: 1, activationBits: 32 }),
      Array<string>(5).fill(float),
      Array<string>(5).fill(float),
    ],
    [
      "dorefa 2/2",
      dorefa({ weightBits: 2, activationBits: 2 }),
      [float, ...Array<string>(3).fill("u8,s8,i16"), float],
      [float, ...Array<string>(3).fill("u8,f32,f32"), float],
    ],
    // Weights of 8 bits are odd codes up to ±255: 2s + 1, and the sum over the inputs beside.
    [
      "dorefa 8/8",
      dorefa({ weightBits: 8, activationBits: 8 }),
      [float, ...Array<string>(6).fill("u8,s8,i32"), float],
      [float, ...Array<string>(3).fill("u8,f32,f32"), float],
    ],
    [
      "dorefa 2/32",
      dorefa({ weightBits: 2, activationBits: 32 }),
      Array<string>(5).fill(float),
      Array<string>(5).fill(float),
    ],
    [
      "xnor 1/1",
      xnor({ weightBits: 1, activationBits: 1 }),
      [float, ...Array<string>(3).fill("s8,s8,i16"), float],
      [float, ...Array<string>(3).fill("s8,f32,f32"), float],
    ],
    [
      "xnor 1/32",
      xnor({ weightBits: 1, activationBits: 32 }),
      Array<string>(5).fill(float),
      Array<string>(5).fill(float),
    ],
    ["twn", twn(), Array<string>(5).fill(float), Array<string>(5).fill(float)],
    ["ttq", ttq(), Array<string>(5).fill(float), Array<string>(5).fill(float)],
  ];
  test.each(rows)("%s", (_, method, forward, filters) => {
    const program = stepProgram(method);
    const of = (op: string) =>
      productsOf({
        ...program,
        instructions: program.instructions.filter((i) => i.kind === "product" && i.op === op),
      });
    expect(of("convolution")).toEqual(forward);
    expect(of("convolutionFilterGradient").sort()).toEqual([...filters].sort());
    expect(of("convolutionInputGradient")).toEqual(Array(4).fill(float));
  });
});

function stepProgram(method: Method): Program {
  const specs = describeNetwork(lenet5, method);
  const optimizer = adam({ learningRate: 0.01 });
  const parameters = initialise(specs.parameters, 1);
  const values = {
    parameters,
    statistics: initialise(specs.statistics, 1),
    optimizer: optimizer.initial(parameters),
  };
  const state = createState<TrainingTensors>(values, { executor: reference });
  return compileStep(lenet5, method, optimizer, reference).program(state, {
    images: { data: new Float32Array(2 * 28 * 28), shape: [2, 28, 28, 1] },
    labels: { data: new Int32Array(2), shape: [2] },
    random: { data: new Int32Array(2), shape: [2] },
    scalars: optimizer.scalars(1, 0.01),
  });
}
