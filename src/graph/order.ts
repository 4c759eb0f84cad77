import type { Tensor } from "./tensor.js";

/** Every node that the given ones depend on, themselves included, each after its inputs. */
export function topologicalOrder(
  outputs: readonly Tensor[],
  inputsOf = (tensor: Tensor): readonly Tensor[] => tensor.inputs,
): Tensor[] {
  const byId = new Map<number, Tensor>();
  const waiting = [...outputs];
  for (let tensor = waiting.pop(); tensor !== undefined; tensor = waiting.pop()) {
    if (byId.has(tensor.id)) continue;
    byId.set(tensor.id, tensor);
    waiting.push(...inputsOf(tensor));
  }
  // Inputs are made before the nodes that use them.
  return Array.from(Float64Array.from(byId.keys()).sort(), (id) => byId.get(id)!);
}
