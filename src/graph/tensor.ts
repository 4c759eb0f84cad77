/**
 * The graph: a tensor is a node that remembers which op made it from which tensors.
 *
 * Calling the functions of `functions.ts` on tensors records nodes and computes nothing.
 * Gradients (`gradients.ts`) and the compiler read the recorded graph.
 */

import { shown, UserError } from "../errors.js";
import type { ElementwiseOp } from "./ops/loops.js";

/** Element type as the user sees it. How a value is stored is the compiler's choice. */
export type DType = "f32" | "i32";

/** The extents of an array along its axes; [] for a single number. */
export type Shape = readonly number[];

/** The values that integer codes may take: lo, lo + step, ..., hi. */
export interface Lattice {
  readonly lo: number;
  readonly hi: number;
  readonly step: 1 | 2;
}

/** The names of the operations that a graph is made of. */
export type OpName =
  // leaves
  | "leaf" // a value given at run time: state or input
  | "constant" // one number, or an array fixed when the program is compiled
  | "iota" // 0, 1, 2, ... along one axis
  | "random" // uniform in [0, 1), a function of key, stream and position
  // elementwise, of inputs of one shape; comparisons give 0 or 1, and `select` inputs[1] where inputs[0] is not 0, else inputs[2]
  | ElementwiseOp
  // elementwise: inputs[0] codes, inputs[1] scale; the value is their product
  | "coded"
  // identities with a meaning for lattices and gradients
  | "codes"
  | "stopGradient"
  | "customGradient"
  // reductions over attributes.axes; the axes disappear from the shape
  | "sum"
  | "reduceMax"
  | "moments" // shape [2, ...kept]: the mean, then the biased variance
  // windows over NHWC
  | "windowSum"
  | "windowMax"
  | "windowSumGradient"
  | "windowMaxGradient"
  // products: x NHWC, w HWIO
  | "convolution"
  | "convolutionInputGradient"
  | "convolutionFilterGradient"
  // products by channel: x NHWC, w [rows, columns, C]
  | "depthwise"
  | "depthwiseInputGradient"
  | "depthwiseFilterGradient"
  // movement
  | "reshape"
  | "transpose"
  | "broadcast"
  | "pad"
  | "slice"
  | "concatenate";

/** Height and width of a window or kernel, its stride, and the zero padding on either side of each axis. */
export interface WindowShape {
  readonly size: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
}

/** Gradient with respect to each differentiable input of a `customGradient` node. */
export type Backward = (gradient: Tensor) => readonly (Tensor | null)[];

/** What an op needs to know beside its inputs. Each op reads only its own fields. */
export interface Attributes {
  /** leaf: its name, unique in a program, where it lives, and its element type (default f32). */
  readonly name?: string;
  readonly kind?: "state" | "input";
  readonly dtype?: DType;
  /** constant: one number (shape []) or the data in row-major order. */
  readonly value?: number;
  readonly data?: Float32Array | Int32Array;
  /** iota: the axis that counts; concatenate: the axis along which its inputs follow one another; reductions: the reduced axes, ascending; broadcast: the output axis of each input axis, ascending. */
  readonly axis?: number;
  readonly axes?: readonly number[];
  /** leaf, constant array, reshape, broadcast, random, iota and the gradients of windows and products: the output's shape. */
  readonly shape?: Shape;
  /** transpose: output axis i is input axis permutation[i]. */
  readonly permutation?: readonly number[];
  /** pad: zeros before and after each axis; slice: first (inclusive) and last (exclusive) index of each axis. */
  readonly low?: readonly number[];
  readonly high?: readonly number[];
  readonly window?: WindowShape;
  /** codes */
  readonly lattice?: Lattice;
  /** random: numbers streams apart that share a key. */
  readonly stream?: number;
  /** customGradient: inputs[0] is the value; the rule gives the gradients of inputs[1...]. */
  readonly backward?: Backward;
}

/** A node of the graph. Immutable; compare by identity. Operators such as `x * 2` throw: write `mul(x, 2)`. */
export interface Tensor {
  readonly id: number;
  readonly op: OpName;
  readonly inputs: readonly Tensor[];
  readonly attributes: Attributes;
  readonly shape: Shape;
  readonly dtype: DType;
  /** Set where every element is known to be an integer code. */
  readonly lattice?: Lattice;
}

/** Tensors by name, such as the parameters of a network. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** Number of elements of a shape. */
export function sizeOf(shape: Shape): number {
  if (!Array.isArray(shape)) throw new UserError(`a shape must be an array of numbers, got ${shown(shape)}`);
  return (shape as Shape).reduce((product, extent) => product * extent, 1);
}
