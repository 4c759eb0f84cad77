import { describe, expect, test } from "vitest";
import type {
  CopyInstruction,
  Instruction,
  MapInstruction,
  Operand,
  ProductInstruction,
  Program,
  WindowInstruction,
} from "./program.js";
import { verify } from "./verify.js";

const at = (segment: Operand["segment"], offset: number, shape: number[]): Operand => {
  return { segment, offset, storage: "f32", shape };
};

const map: MapInstruction = {
  kind: "map",
  space: [1, 2, 4],
  operands: [
    { ...at("inputs", 0, [8]), axes: 7 },
    { ...at("constants", 0, []), axes: 0 },
  ],
  body: [{ op: "add", arguments: [0, 1] }],
  results: [
    { ...at("scratch", 0, [8]), axes: 7, slot: 2, reduction: "none" },
    { ...at("outputs", 0, [2, 4]), axes: 1, slot: 2, reduction: "moments" },
  ],
};

const product: ProductInstruction = {
  kind: "product",
  op: "convolution",
  geometry: {
    images: 1,
    height: 4,
    width: 4,
    channels: 1,
    kernel: [3, 3],
    stride: [1, 1],
    padding: [0, 0],
    outHeight: 2,
    outWidth: 2,
    outChannels: 2,
  },
  inputs: [at("inputs", 0, [1, 4, 4, 1]), at("state", 0, [3, 3, 1, 2])],
  out: at("scratch", 0, [1, 2, 2, 2]),
};

const copy: CopyInstruction = {
  kind: "move",
  op: "copy",
  extents: [2, 3],
  from: at("inputs", 0, [3, 2]),
  fromStrides: [1, 2],
  to: at("scratch", 0, [2, 3]),
  toStrides: [3, 1],
};

function program(...instructions: Instruction[]): Program {
  const bytes = { constants: 4, state: 72, inputs: 64, outputs: 32, scratch: 32 };
  return { bytes, instructions, names: {}, constants: new Uint8Array(4) };
}

test("a Program within its segments passes", () => {
  expect(() => verify(program(map, product, copy))).not.toThrow();
});

describe("refused", () => {
  const random: Instruction = {
    kind: "move",
    op: "random",
    stream: 0,
    from: { ...at("inputs", 0, [2]), storage: "i32" },
    to: at("scratch", 0, [8]),
  };
  const window: Instruction = {
    ...product,
    kind: "window",
    op: "windowSum",
    geometry: { ...product.geometry, outChannels: 1 },
    inputs: [product.inputs[0]],
  };
  const wide: MapInstruction = {
    ...map,
    operands: [map.operands[1]],
    body: [],
    results: [{ ...at("outputs", 0, []), axes: 0, slot: 0, reduction: "sum" }],
  };
  /** A convolution with a 1x1 kernel; with padding and a stride as large it has three outputs an axis, or one. */
  const far = (padding: number, stride: number): ProductInstruction => {
    const out = Math.floor((3 + 2 * padding) / stride) + 1;
    return {
      ...product,
      geometry: {
        images: 1,
        height: 4,
        width: 4,
        channels: 1,
        outChannels: 2,
        outHeight: out,
        outWidth: out,
        kernel: [1, 1],
        stride: [stride, stride],
        padding: [padding, padding],
      },
    };
  };
  const many: ProductInstruction = {
    ...product,
    geometry: {
      images: 2 ** 25,
      height: 1,
      width: 1,
      channels: 2 ** 13,
      outHeight: 1,
      outWidth: 1,
      outChannels: 2 ** 13,
      kernel: [1, 1],
      stride: [1, 1],
      padding: [0, 0],
    },
  };
  const pooled = (size: number): WindowInstruction => ({
    kind: "window",
    op: "windowMaxGradient",
    out: at("scratch", 0, []),
    inputs: [at("inputs", 0, []), at("state", 0, [])],
    geometry: {
      images: 1,
      height: size,
      width: size,
      channels: 1,
      outChannels: 1,
      outHeight: 1,
      outWidth: 1,
      kernel: [size, size],
      stride: [1, 1],
      padding: [0, 0],
    },
  });
  const cases: [string, Instruction, string][] = [
    ["an operand past its segment", { ...map, space: [1, 4, 8] }, "operand ends at byte 128 of inputs"],
    [
      "a negative offset",
      { ...map, operands: [{ ...map.operands[0], offset: -4 }, map.operands[1]] },
      "offset is -4",
    ],
    [
      "an odd offset",
      { ...map, operands: [{ ...map.operands[0], offset: 2 }, map.operands[1]] },
      "multiple of 4",
    ],
    ["a slot that comes later", { ...map, body: [{ op: "add", arguments: [0, 2] }] }, "slot is 2"],
    ["a missing argument", { ...map, body: [{ op: "add", arguments: [0] }] }, "add takes 2 arguments, got 1"],
    ["a write to inputs", { ...copy, to: at("inputs", 0, [6]) }, "writes to inputs"],
    ["a write to constants", { ...product, out: at("constants", 0, [8]) }, "writes to constants"],
    ["moments a pixel", { ...map, results: [{ ...map.results[1], axes: 6 }] }, "moments cannot have axes 6"],
    [
      "moments that need twice the room",
      { ...map, results: [{ ...map.results[1], offset: 4 }] },
      "result ends at byte 36",
    ],
    [
      "a geometry that does not fit",
      { ...product, geometry: { ...product.geometry, outWidth: 3 } },
      "output extent 3 should be 2",
    ],
    ["a stride past the end", { ...copy, fromStrides: [1, 9] }, "operand ends at byte 80"],
    ["an unknown kind", { ...map, kind: "sum" as never }, "unknown kind"],
    ["an unknown move", { ...random, op: "swap" as never }, "unknown operation swap"],
    [
      "a window by a name that every object has",
      { ...window, op: "toString" as never, inputs: [] },
      "unknown operation toString",
    ],
    ["an unknown product", { ...product, op: "convolve" as never }, "unknown operation convolve"],
    [
      "an unknown reduction",
      { ...map, results: [{ ...map.results[0], reduction: "constructor" as never }] },
      "unknown operation constructor",
    ],
    ["a space of two extents", { ...map, space: [8, 1] as never }, "three extents"],
    [
      "a kernel of three extents",
      { ...product, geometry: { ...product.geometry, kernel: [3, 3, 2] as never } },
      "kernel, stride and padding are pairs",
    ],
    [
      "random numbers of a negative shape",
      { ...random, to: at("scratch", 0, [-2, -4]) },
      "extent of a shape is -2",
    ],
    ["a copy to a negative shape", { ...copy, to: at("scratch", 0, [-2, 3]) }, "extent of a shape is -2"],
    ["a stream of more than 32 bits", { ...random, stream: 2 ** 32 }, "stream is 4294967296"],
    ["a fraction", { ...copy, extents: [2, 1.5] }, "extent is 1.5"],
    ["NaN", { ...copy, toStrides: [3, NaN] }, "stride is NaN"],
    [
      "a product of integers",
      { ...product, inputs: [{ ...product.inputs[0], storage: "i32" }, product.inputs[1]] },
      "convolution cannot take i32,f32,f32",
    ],
    [
      "a forward product of bf16",
      { ...product, inputs: [{ ...product.inputs[0], storage: "bf16" }, product.inputs[1]] },
      "convolution cannot take bf16,f32,f32",
    ],
    [
      "a map of 2^64 elements",
      { ...wide, space: [2 ** 32, 2 ** 32, 1] },
      "elements of the space: 18446744073709552000",
    ],
    ["padding of more than 31 bits", far(2 ** 51, 2 ** 52), "stride is 4503599627370496"],
    [
      "padding that makes an image of 2^62 elements",
      far(2 ** 30, 2 ** 31 - 1),
      "elements of the padded images",
    ],
    ["more multiply-adds than can be counted", many, "multiply-adds: 2251799813685248"],
    ["a window whose taps a float cannot number", pooled(5000), "a window has 25000000 pixels"],
    ["a copy of more than can be counted", { ...copy, extents: [2 ** 40, 2 ** 40] }, "elements to move"],
    [
      "a copy that writes an element twice",
      { ...copy, toStrides: [1, 1] },
      "stride 1 writes an element twice",
    ],
    [
      "a copy of many to one element",
      { ...copy, extents: [2 ** 49], fromStrides: [0], toStrides: [0] },
      "writes an element twice",
    ],
    [
      "codes of half a step",
      { ...map, results: [{ ...map.results[0], lattice: { lo: 0, hi: 3, step: 0.5 as never } }] },
      "the step of codes is 0.5",
    ],
    [
      "a lattice that is none",
      { ...map, results: [{ ...map.results[0], lattice: null as never }] },
      "the lowest code is NaN",
    ],
    ["no random numbers", { ...random, to: at("scratch", 0, [8, 0]) }, "random numbers is 0"],
    [
      "more random numbers than a stream has",
      { ...random, to: at("scratch", 0, [2 ** 34 + 1]) },
      "random numbers is 17179869185",
    ],
    [
      "a product that writes over its input",
      { ...product, out: at("state", 40, [8]) },
      "a result at 40 of state overlaps an operand",
    ],
    [
      "two results in one place",
      { ...map, results: [map.results[1], { ...map.results[1], reduction: "sum" }] },
      "a result at 0 of outputs overlaps another",
    ],
    [
      "a map that writes behind where it reads",
      {
        ...map,
        operands: [{ ...at("scratch", 4, [7]), axes: 7 }, map.operands[1]],
        space: [1, 1, 7],
        results: [map.results[0]],
      },
      "overlaps an operand",
    ],
    [
      "a map whose repeated operand is replaced",
      {
        ...map,
        operands: [{ ...at("scratch", 0, [4]), axes: 1 }, map.operands[1]],
        results: [map.results[0]],
      },
      "overlaps an operand",
    ],
  ];
  test.each(cases)("%s", (_, instruction, message) => {
    expect(() => verify(program(map, instruction))).toThrow(`instruction 1 (${instruction.kind}): `);
    expect(() => verify(program(map, instruction))).toThrow(message);
  });
});

test("a map may replace an operand element by element", () => {
  const place = { ...at("scratch", 0, [8]), axes: 7 as const };
  const update: MapInstruction = { ...map, operands: [place, map.operands[1]] };
  expect(() => verify(program(update))).not.toThrow();
});

test("a segment that is not whole words, and a name outside of its segment, are refused", () => {
  const { bytes, ...rest } = program(map);
  expect(() => verify({ ...rest, bytes: { ...bytes, state: 70 } })).toThrow(
    "bytes of state are not a multiple of 4",
  );
  const named = (operand: Operand) => () => verify({ ...rest, bytes, names: { "state/w": operand } });
  expect(named(at("state", 0, [18]))).not.toThrow();
  expect(named(at("state", 0, [19]))).toThrow("name state/w: value ends at byte 76 of state, which has 72");
  expect(named(at("state", 72, [-1]))).toThrow("name state/w: extent of a shape is -1");
});
