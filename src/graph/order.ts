import type { Tensor } from "./tensor.js";

/** Every node that the given ones depend on, themselves included, each after its inputs. */
export function topologicalOrder(
  outputs: readonly Tensor[],
  inputsOf = (tensor: Tensor): readonly Tensor[] => tensor.inputs,
): Tensor[] {
  const seen = new Set(outputs);
  // A Set also iterates over what is added meanwhile.
  for (const tensor of seen) for (const input of inputsOf(tensor)) seen.add(input);
  // Inputs are made before the nodes that use them.
  return [...seen].sort((a, b) => a.id - b.id);
}
