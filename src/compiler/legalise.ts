/**
 * A pass after `simplify`, graph → graph: reductions over axes that no map can express.
 *
 * A map can reduce leading, trailing or one middle run of axes. Any other reduction first moves
 * the reduced axes to the front.
 */
import { node } from "../graph/node.js";
import type { Tensor } from "../graph/tensor.js";
import { isReduction } from "./kinds.js";
import { topologicalOrder } from "../graph/order.js";

export function legalise(outputs: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  const legal = new Map<Tensor, Tensor>();
  for (const tensor of topologicalOrder(Object.values(outputs))) {
    const inputs = tensor.inputs.map((input) => legal.get(input)!);
    legal.set(tensor, rewrite(tensor, inputs));
  }
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, legal.get(tensor)!]));
}

function rewrite(tensor: Tensor, inputs: readonly Tensor[]): Tensor {
  const [x] = inputs;
  if (isReduction(tensor.op)) {
    const reduced = new Set(tensor.attributes.axes!);
    if (tensor.op !== "moments" && [...reduced].every((axis) => x.shape[axis] === 1)) {
      return node("reshape", [x], { shape: tensor.shape });
    }
    const runs = x.shape
      .map((extent, axis) => (extent === 1 ? "" : reduced.has(axis) ? "R" : "K"))
      .join("")
      .replace(/R+/g, "R")
      .replace(/K+/g, "K");
    if (!["", "K", "R", "RK", "KR", "KRK"].includes(runs)) {
      const kept = x.shape.map((_, axis) => axis).filter((axis) => !reduced.has(axis));
      const moved = node("transpose", [x], { permutation: [...reduced, ...kept] });
      return node(tensor.op, [moved], { axes: [...reduced].map((_, i) => i) });
    }
  }
  return inputs.every((input, i) => input === tensor.inputs[i])
    ? tensor
    : node(tensor.op, inputs, tensor.attributes);
}
