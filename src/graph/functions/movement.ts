/** Functions that rearrange values. */
import type { Rule } from "../../errors/options.js";
import { checkValue } from "../../errors/options.js";
import { checkTensors, node } from "../node.js";
import type { Tensor } from "../tensor.js";

const numbers: Rule = {
  allowed: "an array of one whole number an axis",
  test: (value) => Array.isArray(value) && value.every((item) => Number.isInteger(item)),
};

/** Output axis i is input axis permutation[i]; without a permutation the axes are reversed. */
export function transpose(x: Tensor, permutation?: readonly number[]): Tensor {
  checkTensors("transpose", x);
  const all = permutation ?? x.shape.map((_, axis) => axis).reverse();
  checkValue("permutation", all, numbers, "transpose: ");
  return node("transpose", [x], { permutation: all });
}

/** Adds low[axis] zeros before and high[axis] after each axis. */
export function pad(x: Tensor, low: readonly number[], high: readonly number[]): Tensor {
  checkValue("low", low, numbers, "pad: ");
  checkValue("high", high, numbers, "pad: ");
  return node("pad", [x], { low, high });
}

/** The part from index low[axis] (inclusive) to high[axis] (exclusive) of each axis. */
export function slice(x: Tensor, low: readonly number[], high: readonly number[]): Tensor {
  checkValue("low", low, numbers, "slice: ");
  checkValue("high", high, numbers, "slice: ");
  return node("slice", [x], { low, high });
}
