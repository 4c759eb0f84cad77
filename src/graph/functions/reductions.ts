/** Reductions over some axes (negative ones count from the last), or over all of them. */
import { shown, UserError } from "../../errors.js";
import { checkTensors, node } from "../node.js";
import { text } from "../ops/shapes.js";
import type { OpName, Tensor } from "../tensor.js";
import { sizeOf } from "../tensor.js";
import { div } from "./arithmetic.js";
import { reshape } from "./broadcasting.js";

/** An axis or several; negative ones count from the last. */
export type ReductionAxes = number | readonly number[];

function normalise(op: string, x: Tensor, axes: ReductionAxes | undefined): number[] {
  checkTensors(op, x);
  const rank = x.shape.length;
  if (axes === undefined) return x.shape.map((_, axis) => axis);
  const given = typeof axes === "number" ? [axes] : axes;
  if (!Array.isArray(given)) {
    throw new UserError(`${op}: axes must be a number or an array of numbers, got ${shown(given)}`);
  }
  const counted = given.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b);
  if (counted.some((axis, i) => !(axis >= 0 && axis < rank) || axis === counted[i - 1])) {
    throw new UserError(
      `${op}: axes ${text(given)} must be different axes of the shape ${text(x.shape)}, from ${-rank} to ${rank - 1}`,
    );
  }
  return counted;
}

function reduce(op: OpName, x: Tensor, axes: ReductionAxes | undefined, keepAxes: boolean): Tensor {
  const reduced = normalise(op, x, axes);
  const result = node(op, [x], { axes: reduced });
  if (!keepAxes) return result;
  return reshape(
    result,
    x.shape.map((extent, axis) => (reduced.includes(axis) ? 1 : extent)),
  );
}

/** `keepAxes` leaves reduced axes in the shape, with extent 1. */
export const sum = (x: Tensor, axes?: ReductionAxes, keepAxes = false): Tensor =>
  reduce("sum", x, axes, keepAxes);

/** The largest value; the gradient is shared equally among ties. */
export const reduceMax = (x: Tensor, axes?: ReductionAxes, keepAxes = false): Tensor =>
  reduce("reduceMax", x, axes, keepAxes);

/** The mean over some axes, or over all; `keepAxes` leaves those in the shape, with extent 1. */
export function mean(x: Tensor, axes?: ReductionAxes, keepAxes = false): Tensor {
  const count = sizeOf(normalise("mean", x, axes).map((axis) => x.shape[axis]));
  return div(sum(x, axes, keepAxes), count);
}

/** Shape [2, ...kept]: the mean, then the biased variance, taken about the mean. */
export const moments = (x: Tensor, axes?: ReductionAxes): Tensor =>
  node("moments", [x], { axes: normalise("moments", x, axes) });
