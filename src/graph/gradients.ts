/** Reverse-mode differentiation, as a transformation of the graph. */
import { shown, UserError } from "../errors.js";
import { add, constant } from "./functions.js";
import { broadcastTo } from "./functions/broadcasting.js";
import { text } from "./ops/shapes.js";
import { checkTensors } from "./node.js";
import { rules } from "./rules.js";
import type { Tensor } from "./tensor.js";
import { topologicalOrder } from "./order.js";

/**
 * The gradient of the scalar `of` with respect to each tensor, of that tensor's shape; zeros where
 * `of` does not depend on it. Throws a UserError where `of` is not a scalar.
 */
export function gradients(of: Tensor, withRespectTo: readonly Tensor[]): Tensor[] {
  if (!Array.isArray(withRespectTo)) {
    throw new UserError(`gradients takes an array of tensors, got ${shown(withRespectTo)}`);
  }
  checkTensors("gradients", of, ...(withRespectTo as readonly Tensor[]));
  if (of.shape.length !== 0) {
    throw new UserError(
      `gradients: the value must be a scalar, got the shape ${text(of.shape)}; take its mean or sum`,
    );
  }
  const order = topologicalOrder([of]);
  const wanted = new Set(withRespectTo);
  // Only nodes between `withRespectTo` and `of` take part.
  const active = new Set<Tensor>();
  for (const tensor of order) {
    const depends = wanted.has(tensor) || tensor.inputs.some((input) => active.has(input));
    if (depends && tensor.dtype === "f32") active.add(tensor);
  }

  const found = new Map<Tensor, Tensor>([[of, constant(1)]]);
  for (const tensor of order.reverse()) {
    const g = found.get(tensor);
    const rule = rules[tensor.op];
    if (g === undefined || rule === undefined || !tensor.inputs.some((input) => active.has(input))) continue;
    rule(g, tensor).forEach((gradient, i) => {
      const input = tensor.inputs[i];
      if (gradient === null || !active.has(input)) return;
      const others = found.get(input);
      found.set(input, others === undefined ? gradient : add(others, gradient));
    });
  }
  return withRespectTo.map((tensor) => found.get(tensor) ?? broadcastTo(0, tensor.shape));
}
