/** Functions that say what the gradient is. */
import { shown, UserError } from "../../errors.js";
import { checkTensors, node } from "../node.js";
import type { Backward, Tensor } from "../tensor.js";
import { sameShape, text } from "../ops/shapes.js";

/** x, of which gradients see only a constant. */
export const stopGradient = (x: Tensor): Tensor => node("stopGradient", [x]);

/**
 * A value whose gradient is given by rule: `backward` takes the value's gradient and returns one for
 * each of `inputs`, of that input's shape, or null for zero. Nothing flows through `value` itself.
 */
export function customGradient(value: Tensor, inputs: readonly Tensor[], backward: Backward): Tensor {
  if (!Array.isArray(inputs)) {
    throw new UserError(`customGradient: inputs must be an array of tensors, got ${shown(inputs)}`);
  }
  if (typeof backward !== "function") {
    throw new UserError(`customGradient: backward must be a function, got ${shown(backward)}`);
  }
  return node("customGradient", [value, ...(inputs as readonly Tensor[])], { backward });
}

/** The straight-through estimator (Bengio et al. 2013): the value of `forward`, the gradient of `x`. */
export function straightThrough(forward: Tensor, x: Tensor): Tensor {
  checkTensors("straightThrough", forward, x);
  if (!sameShape(forward.shape, x.shape)) {
    throw new UserError(
      `straightThrough: the value ${text(forward.shape)} and x ${text(x.shape)} must have one shape`,
    );
  }
  return customGradient(forward, [x], (g) => [g]);
}
