/** Functions that rearrange values. */
import { node } from "../node.js";
import type { Tensor } from "../tensor.js";

/** Output axis i is input axis permutation[i]; without a permutation the axes are reversed. */
export function transpose(x: Tensor, permutation?: readonly number[]): Tensor {
  return node("transpose", [x], { permutation: permutation ?? x.shape.map((_, axis) => axis).reverse() });
}

/** Adds low[axis] zeros before and high[axis] after each axis. */
export const pad = (x: Tensor, low: readonly number[], high: readonly number[]): Tensor =>
  node("pad", [x], { low, high });

/** The part from index low[axis] (inclusive) to high[axis] (exclusive) of each axis. */
export const slice = (x: Tensor, low: readonly number[], high: readonly number[]): Tensor =>
  node("slice", [x], { low, high });
