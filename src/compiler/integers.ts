/**
 * Products of coded values on integers.
 *
 * Σ (codes·scale)·(codes·scale) becomes scale · Σ codes·codes where both operands are codes times a
 * scale that is constant along the reduced axes. The sum of codes is exact; the result rounds once,
 * in the scale. Which of these products then run on bytes is decided in `storage.ts`.
 */
import type { Attributes, Lattice, OpName, Tensor } from "../graph/tensor.js";
import { sizeOf } from "../graph/tensor.js";
import { isExactInBf16 } from "./bf16.js";

type Make = (op: OpName, inputs: readonly Tensor[], attributes: Attributes) => Tensor;

/** Makes nodes: simplified ones, and products as they are. */
export interface Build {
  readonly simple: Make;
  readonly plain: Make;
}

/** codes · scale; the scale is one number, or one number per index of the tensor's first or last axis. */
interface Scale {
  readonly scale: Tensor;
  readonly along: "all" | "first" | "last";
}
interface Coded extends Partial<Scale> {
  readonly codes: Tensor;
}

/** v = step·stored + offset, where `stored` fits a byte. */
interface Stored {
  readonly stored: Tensor;
  readonly step: number;
  readonly offset: number;
}

const signedByte: Lattice = { lo: -128, hi: 127, step: 1 };
const unsignedByte: Lattice = { lo: 0, hi: 255, step: 1 };
const isSublattice = (a: Lattice, b: Lattice): boolean => a.lo >= b.lo && a.hi <= b.hi;

/** The bytes that hold codes of a lattice. */
export function bytesFor(lattice: Lattice): readonly ("u8" | "s8")[] {
  const fits = { u8: isSublattice(lattice, unsignedByte), s8: isSublattice(lattice, signedByte) };
  return (["u8", "s8"] as const).filter((byte) => fits[byte]);
}

/** The largest |Σ a·b| of so many products of codes. */
export function productBound(a: Lattice, b: Lattice, count: number): number {
  return count * Math.max(-a.lo, a.hi) * Math.max(-b.lo, b.hi);
}

/** Products whose sums need more bits are left in floating point. */
const mostBound = 2 ** 31;

/**
 * A convolution of simplified inputs on codes, or undefined where a condition fails: an operand is not codes times a
 * scale, a scale varies along a reduced axis, or the sum may pass 2^31.
 */
export function lowerConvolution(
  [x, w]: readonly Tensor[],
  attributes: Attributes,
  shape: readonly number[],
  build: Build,
): { value: Tensor; codes: readonly Tensor[] } | undefined {
  const [a, b] = [codedOf(x, build), codedOf(w, build)];
  if (a === undefined || b === undefined || a.along === "last" || b.along === "first") return undefined;
  const [p, q] = [
    storedOf(a.codes, [unsignedByte, signedByte], build),
    storedOf(b.codes, [signedByte], build),
  ];
  if (p === undefined || q === undefined) return undefined;
  const count = sizeOf(w.shape.slice(0, 3));
  if (productBound(a.codes.lattice!, b.codes.lattice!, count) >= mostBound) return undefined;
  if (productBound(p.stored.lattice!, q.stored.lattice!, count) >= mostBound) return undefined;

  /** factor · (left * right), repeated from these axes of the result's shape. */
  const part = (left: Tensor, right: Tensor, factor: number, axes: readonly number[]): Tensor => {
    const product = build.plain("convolution", [left, right], attributes);
    const scaled = build.simple("mul", [product, filled(factor, product.shape, build)], {});
    const kept = axes.map((axis) => shape[axis]);
    return repeat(build.simple("reshape", [scaled], { shape: kept }), shape, axes, build);
  };
  // Sums of ones run over the taps that exist, so that padding counts nothing.
  const onesOfX = onesLike([1, ...x.shape.slice(1)], build);
  const onesOfW = onesLike([...w.shape.slice(0, 3), 1], build);
  let sum = part(p.stored, q.stored, p.step * q.step, [0, 1, 2, 3]);
  for (const [left, right, factor, axes] of [
    [p.stored, onesOfW, p.step * q.offset, [0, 1, 2]],
    [onesOfX, q.stored, p.offset * q.step, [1, 2, 3]],
    [onesOfX, onesOfW, p.offset * q.offset, [1, 2]],
  ] as const) {
    if (factor !== 0) sum = build.simple("add", [sum, part(left, right, factor, axes)], {});
  }
  for (const scale of combinedScales(a, b, build))
    sum = build.simple("mul", [sum, spread(scale, shape, build)], {});
  return { value: sum.op === "convolution" ? asFloats(sum, build) : sum, codes: [p.stored, q.stored] };
}

/** x·1: its readers get floats, whatever the storage of x. */
export const asFloats = (x: Tensor, build: Build): Tensor =>
  build.plain("mul", [x, filled(1, x.shape, build)], {});

/** The filter gradient from codes, or undefined where `takes` does not allow x. */
export function lowerFilterGradient(
  [x, g]: readonly Tensor[],
  attributes: Attributes,
  takes: (codes: Tensor) => boolean,
  build: Build,
): Tensor | undefined {
  const coded = codedOf(x, build);
  if (coded === undefined || !takes(coded.codes)) return undefined;
  const sum = build.plain("convolutionFilterGradient", [coded.codes, g], attributes);
  if (!isScaled(coded)) return sum;
  // The sum runs over all images.
  return coded.along === "all" ? build.simple("mul", [sum, spread(coded, sum.shape, build)], {}) : undefined;
}

/** The input gradient of a layer on coded weights of one scale, from codes that are exact in bf16; else undefined. */
export function lowerInputGradient(
  [g, w]: readonly Tensor[],
  attributes: Attributes,
  build: Build,
): Tensor | undefined {
  const coded = codedOf(w, build);
  if (coded === undefined || !isExactInBf16(coded.codes)) return undefined;
  if (isScaled(coded) && coded.along !== "all") return undefined;
  const sum = build.plain("convolutionInputGradient", [g, asFloats(coded.codes, build)], attributes);
  return isScaled(coded) ? build.simple("mul", [sum, spread(coded, sum.shape, build)], {}) : sum;
}

/** Takes a simplified tensor apart into codes and scale. */
function codedOf(tensor: Tensor, build: Build): Coded | undefined {
  if (tensor.op === "codes") return { codes: tensor };
  if (tensor.op === "reshape") {
    const inner = codedOf(tensor.inputs[0], build);
    if (inner === undefined) return undefined;
    const [before, after] = [tensor.inputs[0].shape, tensor.shape];
    if (inner.along === "first" && before[0] !== after[0]) return undefined;
    if (inner.along === "last" && before.at(-1) !== after.at(-1)) return undefined;
    return { ...inner, codes: build.simple("reshape", [inner.codes], tensor.attributes) };
  }
  if (tensor.op !== "mul") return undefined;
  for (const [codes, factor] of [tensor.inputs, [...tensor.inputs].reverse()]) {
    const scale = codes.op === "codes" ? scaleOf(factor, build) : undefined;
    if (scale !== undefined) return { codes, ...scale };
  }
  return undefined;
}

/** A factor as a scale, if it varies along the first or the last axis at most. */
function scaleOf(factor: Tensor, build: Build): Scale | undefined {
  const [scale] = factor.inputs;
  const last = factor.shape.length - 1;
  if (factor.op === "broadcast") {
    const axes = factor.attributes.axes!.join();
    const along = axes === "" ? "all" : axes === "0" ? "first" : axes === `${last}` ? "last" : undefined;
    return along && { scale, along };
  }
  // Where only one axis is longer than 1, nothing repeats.
  const size = sizeOf(factor.shape);
  if (factor.op !== "reshape" || (size !== 1 && size !== factor.shape[last])) return undefined;
  const along = size === 1 ? "all" : "last";
  return { scale: build.simple("reshape", [scale], { shape: size === 1 ? [] : [size] }), along };
}

/** Codes that fit into one of the types of bytes: the codes themselves, or shifted and divided by their step. */
function storedOf(codes: Tensor, bytes: readonly Lattice[], build: Build): Stored | undefined {
  const lattice = codes.lattice!;
  if (bytes.some((byte) => isSublattice(lattice, byte))) return { stored: codes, step: 1, offset: 0 };
  const { lo, hi, step } = lattice;
  if ((hi - lo) / step > 255) return undefined;
  const offset = lo - signedByte.lo * step;
  const moved = build.simple("sub", [codes, filled(offset, codes.shape, build)], {});
  const divided = build.simple("mul", [moved, filled(1 / step, codes.shape, build)], {});
  const place = (value: number): number => (value - offset) / step;
  return {
    stored: build.simple("codes", [divided], { lattice: { lo: place(lo), hi: place(hi), step: 1 } }),
    step,
    offset,
  };
}

const isScaled = (coded: Coded): coded is Coded & Scale => coded.scale !== undefined;

/** The scales of two operands as few factors: a scale that is one number is multiplied into the other. */
function combinedScales(a: Coded, b: Coded, build: Build): Scale[] {
  const [first, second] = [a, b]
    .filter(isScaled)
    .sort((x, y) => Number(x.along !== "all") - Number(y.along !== "all"));
  if (second === undefined) return first === undefined ? [] : [first];
  if (first.along !== "all") return [first, second];
  const { scale, along } = second;
  return [{ scale: build.simple("mul", [scale, repeat(first.scale, scale.shape, [], build)], {}), along }];
}

/** A scale repeated to the shape of a product of [first, ..., last]. */
function spread({ scale, along }: Scale, shape: readonly number[], build: Build): Tensor {
  const axes = { all: [], first: [0], last: [shape.length - 1] }[along];
  return repeat(scale, shape, axes, build);
}

function repeat(value: Tensor, shape: readonly number[], axes: readonly number[], build: Build): Tensor {
  return build.simple("broadcast", [value], { shape, axes });
}

function filled(value: number, shape: readonly number[], build: Build): Tensor {
  return repeat(build.simple("constant", [], { value }), shape, [], build);
}

/** Codes that are all 1. They are an array, since a single number has no codes. */
function onesLike(shape: readonly number[], build: Build): Tensor {
  const ones = build.simple("constant", [], { data: new Float32Array(sizeOf(shape)).fill(1), shape });
  return build.simple("codes", [ones], { lattice: { lo: 1, hi: 1, step: 1 } });
}
