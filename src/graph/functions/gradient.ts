/** Functions that say what the gradient is. */
import { UserError } from "../../errors.js";
import { node } from "../node.js";
import type { Backward, Tensor } from "../tensor.js";
import { sameShape, text } from "../ops/shapes.js";

/** x, of which gradients see only a constant. */
export const stopGradient = (x: Tensor): Tensor => node("stopGradient", [x]);

/**
 * A value whose gradient is given by rule: `backward` takes the value's gradient and returns one for
 * each of `inputs`, of that input's shape, or null for zero. Nothing flows through `value` itself.
 */
export const customGradient = (value: Tensor, inputs: readonly Tensor[], backward: Backward): Tensor =>
  node("customGradient", [value, ...inputs], { backward });

/** The straight-through estimator (Bengio et al. 2013): the value of `forward`, the gradient of `x`. */
export function straightThrough(forward: Tensor, x: Tensor): Tensor {
  if (!sameShape(forward.shape, x.shape)) {
    throw new UserError(
      `straightThrough: the value ${text(forward.shape)} and x ${text(x.shape)} must have one shape`,
    );
  }
  return customGradient(forward, [x], (g) => [g]);
}
