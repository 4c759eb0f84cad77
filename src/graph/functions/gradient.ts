/** Functions that say what the gradient is. */
import { counted, shown, UserError } from "../../errors.js";
import { keptAt } from "../../errors/place.js";
import { checkTensors, isTensor, node } from "../node.js";
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
  const tensors: readonly Tensor[] = inputs;
  return node("customGradient", [value, ...tensors], {
    backward: keptAt((gradient: Tensor) => {
      const gradients: unknown = backward(gradient);
      checkGradients(gradients, tensors);
      return gradients;
    }),
  });
}

/** @throws UserError unless there is a gradient for each input. */
function checkGradients(
  gradients: unknown,
  inputs: readonly Tensor[],
): asserts gradients is readonly (Tensor | null)[] {
  if (!Array.isArray(gradients)) {
    throw new UserError(
      `customGradient: the rule must return an array of ${counted(inputs.length, "gradient")}, got ${shown(gradients)}`,
    );
  }
  if (gradients.length !== inputs.length) {
    throw new UserError(
      `customGradient: the rule returned ${gradients.length} gradients for ${inputs.length} inputs`,
    );
  }
  gradients.forEach((gradient: unknown, i) => {
    if (gradient === null) return;
    if (!isTensor(gradient)) {
      throw new UserError(
        `customGradient: the gradient of input ${i} must be a tensor, or null for zero, got ${shown(gradient)}`,
      );
    }
    if (!sameShape(gradient.shape, inputs[i].shape)) {
      throw new UserError(
        `customGradient: the gradient of input ${i} has the shape ${text(gradient.shape)}, it must be ${text(inputs[i].shape)}`,
      );
    }
  });
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
