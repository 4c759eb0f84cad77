/**
 * Gradients that are rounded to bfloat16: which products read them so, that rounding the gradient is
 * all that changes, and that the kernels give the same bits on any number of threads.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { HostArray, Lattice, Tensor } from "../graph/index.js";
import * as g from "../graph/index.js";
import type { Executor } from "../runtime/executor.js";
import { createNativeExecutor, instructionSets } from "../runtime/native.js";
import { wasmExecutor } from "../runtime/native.test.fixture.js";
import type { Program } from "../runtime/program.js";
import { createReferenceExecutor } from "../runtime/reference.js";
import { compile } from "./compile.js";
import { createState } from "./state.js";

/** The reference executor, asked to multiply bf16. */
const plain = createReferenceExecutor();
const reference: Executor = { ...plain, target: { ...plain.target, bf16Products: true } };
const native = (threads: number) => createNativeExecutor({ threads, instructionSet: "avx512bf16" });
const hasBf16 = instructionSets().includes("avx512bf16");
const executors = [reference, ...(hasBf16 ? [native(2)] : [])];

interface Case {
  readonly x: HostArray;
  readonly w: HostArray;
  /** The gradient of y = convolution(x, w). */
  readonly gradient: HostArray;
  readonly lattices: readonly [Lattice, Lattice];
  readonly window: g.ConvolutionOptions;
}
type Values = Readonly<Record<"x" | "w" | "gradient", HostArray>>;
type Quantizer = (x: Tensor, lattice: Lattice) => Tensor;

const half: Quantizer = (x, lattice) => g.coded(g.codes(x, lattice), 0.5);
const perChannel: Quantizer = (x, lattice) => {
  const channels = x.shape.at(-1)!;
  return g.coded(g.codes(x, lattice), g.array(Float32Array.from({ length: channels }, (_, k) => 1 + k / 4)));
};
const none: Quantizer = (x) => g.mul(x, 0.5);

/** dx and dw of y = convolution(quantized x, quantized w), whose gradient is rounded. */
function gradientsOf({ lattices, window }: Case, activations: Quantizer, weights: Quantizer) {
  return ({ x, w, gradient }: Record<string, Tensor>) => {
    const [a, b] = [activations(x, lattices[0]), weights(w, lattices[1])];
    const y = g.convolution(a, b, window);
    const rounded = g.customGradient(y, [y], (dy) => [g.bf16(dy)]);
    const [dx, dw] = g.gradients(g.sum(g.mul(rounded, gradient)), [a, b]);
    return { y, dx, dw };
  };
}

function compiled(f: (t: Record<string, Tensor>) => Record<string, Tensor>, executor: Executor) {
  const step = compile((_: Record<string, never>, batch: Record<string, Tensor>) => f(batch), { executor });
  const state = createState<Record<string, never>>({}, { executor });
  return {
    run: ({ x, w, gradient }: Values): Promise<Record<string, HostArray>> => step(state, { x, w, gradient }),
    program: ({ x, w, gradient }: Values) => step.program(state, { x, w, gradient }),
  };
}

/** The op and the storages of the operands of each product of a gradient. */
const productsOf = ({ instructions }: Program): Record<string, string> =>
  Object.fromEntries(
    instructions.flatMap((instruction) =>
      instruction.kind === "product" && instruction.op !== "convolution"
        ? [[instruction.op, instruction.inputs.map(({ storage }) => storage).join()]]
        : [],
    ),
  );

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

function caseOf(
  shapes: readonly number[][],
  lattices: Case["lattices"],
  window: g.ConvolutionOptions,
  seed = 1,
): Case {
  let state = seed;
  const next = () => (state = (state * 48271) % 2147483647) / 2147483647;
  const [x, w] = shapes.map((shape, i) => {
    const { lo, hi, step } = lattices[i];
    const levels = (hi - lo) / step + 1;
    return {
      shape,
      data: Float32Array.from({ length: size(shape) }, () => lo + step * Math.floor(next() * levels)),
    };
  });
  const { shape } = g.convolution(g.leaf("x", x.shape), g.leaf("w", w.shape), window);
  const gradient = { shape, data: Float32Array.from({ length: size(shape) }, () => (next() - 0.5) * 3) };
  return { x, w, gradient, lattices, window };
}

const unsigned: Lattice = { lo: 0, hi: 3, step: 1 };
const signed: Lattice = { lo: -3, hi: 3, step: 2 };
const small = caseOf(
  [
    [2, 5, 6, 3],
    [3, 3, 3, 4],
  ],
  [unsigned, signed],
  { padding: 1 },
);

describe("products that read a rounded gradient", () => {
  const floats = { convolutionInputGradient: "f32,f32", convolutionFilterGradient: "f32,f32" };
  test.each<[string, Quantizer, Quantizer, Record<string, string>]>([
    [
      "codes and codes: both as bf16",
      half,
      half,
      { convolutionInputGradient: "bf16,f32", convolutionFilterGradient: "u8,bf16" },
    ],
    ["weights only: the input gradient", none, half, { ...floats, convolutionInputGradient: "bf16,f32" }],
    [
      "activations only: the filter gradient",
      half,
      none,
      { ...floats, convolutionFilterGradient: "f32,bf16" },
    ],
    [
      "weights of one scale per channel: the filter gradient",
      half,
      perChannel,
      { convolutionInputGradient: "f32,f32", convolutionFilterGradient: "u8,bf16" },
    ],
    ["no codes: neither", none, none, floats],
  ])("%s", (_, activations, weights, products) => {
    const f = gradientsOf(small, activations, weights);
    expect(productsOf(compiled(f, reference).program(small))).toEqual(products);
  });

  test("codes of more than 8 bits are not exact in bfloat16", () => {
    const wide = { ...small, lattices: [unsigned, { lo: -257, hi: 257, step: 2 }] as const };
    const f = gradientsOf(wide, half, half);
    expect(productsOf(compiled(f, reference).program(wide)).convolutionInputGradient).toBe("f32,f32");
  });

  test("an executor without such products keeps it as f32", () => {
    const program = compiled(gradientsOf(small, half, half), createReferenceExecutor()).program(small);
    expect(productsOf(program).convolutionInputGradient).toBe("f32,f32");
  });

  test("and refuses a program that has them", () => {
    const program = compiled(gradientsOf(small, half, half), reference).program(small);
    expect(() => wasmExecutor().load(program)).toThrow("simd128 has no products of bf16");
    for (const instructionSet of instructionSets().filter((name) => name !== "avx512bf16")) {
      const load = () => createNativeExecutor({ threads: 1, instructionSet }).load(program);
      expect(load).toThrow(`${instructionSet} has no products of bf16`);
    }
  });

  test("a gradient that is one number per image and channel is read as bf16, too", () => {
    const f = ({ x, w }: Record<string, Tensor>) => {
      const [a, b] = [half(x, unsigned), half(w, signed)];
      const y = g.convolution(a, b, { padding: 1 });
      const rounded = g.customGradient(y, [y], (dy) => [g.bf16(dy)]);
      const means = g.mean(rounded, [1, 2]);
      const [dx, dw] = g.gradients(g.sum(g.square(means)), [a, b]);
      return { dx, dw };
    };
    expect(productsOf(compiled(f, reference).program(small))).toEqual({
      convolutionInputGradient: "bf16,f32",
      convolutionFilterGradient: "u8,bf16",
    });
  });
});

const cases = fc
  .record({
    images: fc.integer({ min: 1, max: 5 }),
    extent: fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 })),
    channels: fc.tuple(fc.constantFrom(1, 3, 16, 20, 33), fc.constantFrom(1, 5, 16, 32, 70)),
    kernel: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
    stride: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    padding: fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 })),
    lattices: fc.tuple(
      fc.constantFrom<Lattice>(unsigned, { lo: 0, hi: 255, step: 1 }, { lo: -1, hi: 1, step: 2 }),
      fc.constantFrom<Lattice>(signed, { lo: -127, hi: 127, step: 2 }, { lo: -255, hi: 255, step: 2 }),
    ),
    seed: fc.integer({ min: 1, max: 1e6 }),
  })
  .filter(({ extent, kernel, padding }) => kernel.every((k, i) => k <= extent[i] + 2 * padding[i]))
  .map(({ images, extent, channels: [from, to], kernel, stride, padding, lattices, seed }) =>
    caseOf(
      [
        [images, ...extent, from],
        [...kernel, from, to],
      ],
      lattices,
      { stride, padding },
      seed,
    ),
  );

describe.each(executors)("gradients from a rounded gradient: $instructionSet", (executor) => {
  // Products are exact, and numbers near the smallest are far away: only the sums round, 2^-23 of each
  // partial sum at most, and these are below the sum over absolute values.
  test("are those of the graph but for the rounding of sums", async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (c) => {
        const f = gradientsOf(c, half, half);
        const leaves = {
          x: g.leaf("x", c.x.shape),
          w: g.leaf("w", c.w.shape),
          gradient: g.leaf("gradient", c.gradient.shape),
        };
        const { dx, dw } = f(leaves);
        const valuesOf = (change: (value: number) => number) =>
          g.evaluate(
            [dx, dw],
            new Map(
              (["x", "w", "gradient"] as const).map((name) => [
                leaves[name],
                { data: c[name].data.map(change) as Float32Array, shape: c[name].shape },
              ]),
            ),
            "f64",
          );
        const [right, magnitude] = [valuesOf((value) => value), valuesOf(Math.abs)];
        const found = await compiled(f, executor).run(c);
        [found.dx, found.dw].forEach(({ data }, i) => {
          data.forEach((value, j) => {
            const bound = 2 ** -18 * magnitude[i].data[j];
            expect(Math.abs(value - right[i].data[j]), `${["dx", "dw"][i]}[${j}]`).toBeLessThanOrEqual(bound);
          });
        });
      }),
      { numRuns: 40 },
    );
  });
});

describe.skipIf(!hasBf16)("on several threads", () => {
  const layers = [
    caseOf(
      [
        [9, 32, 32, 16],
        [3, 3, 16, 16],
      ],
      [unsigned, signed],
      { padding: 1 },
    ),
    caseOf(
      [
        [9, 17, 15, 32],
        [3, 3, 32, 64],
      ],
      [unsigned, signed],
      { padding: 1, stride: 2 },
    ),
    caseOf(
      [
        [300, 1, 1, 130],
        [1, 1, 130, 70],
      ],
      [unsigned, signed],
      {},
    ),
  ];
  test.each(layers)("the bits are the same: layer %#", async (layer) => {
    const run = async (threads: number) =>
      compiled(gradientsOf(layer, half, half), native(threads)).run(layer);
    const one = await run(1);
    for (const threads of [2, 3]) expect(await run(threads)).toEqual(one);
  });
});
