/** Functions that rearrange values. */
import type { Rule } from "../../errors/options.js";
import { checkValue } from "../../errors/options.js";
import { shown, UserError } from "../../errors.js";
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

/** Tensors of one shape but along an axis, one after another along it: by default the last, the channels of images. */
export function concatenate(tensors: readonly Tensor[], axis = -1): Tensor {
  if (!Array.isArray(tensors) || tensors.length === 0) {
    throw new UserError(`concatenate takes an array of tensors, got ${shown(tensors)}`);
  }
  checkTensors("concatenate", ...(tensors as readonly Tensor[]));
  const rank = (tensors as readonly Tensor[])[0].shape.length;
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new UserError(
      `concatenate: axis must be an integer from ${-rank} to ${rank - 1}, got ${shown(axis)}`,
    );
  }
  return node("concatenate", tensors, { axis: axis < 0 ? axis + rank : axis });
}
