/** The pass before `simplify`, graph → graph: a fused form that the target lacks becomes what it stands for. */
import * as f from "../graph/functions.js";
import { node } from "../graph/node.js";
import { topologicalOrder } from "../graph/order.js";
import type { Tensor } from "../graph/tensor.js";
import type { Target } from "../runtime/target.js";

export function unfuse(
  outputs: Readonly<Record<string, Tensor>>,
  { fused }: Pick<Target, "fused">,
): Readonly<Record<string, Tensor>> {
  if (fused.includes("moments")) return outputs;
  const made = new Map<Tensor, Tensor>();
  for (const tensor of topologicalOrder(Object.values(outputs))) {
    const inputs = tensor.inputs.map((input) => made.get(input)!);
    if (tensor.op === "moments") made.set(tensor, meanAndVariance(inputs[0], tensor.attributes.axes!));
    else if (inputs.every((input, i) => input === tensor.inputs[i])) made.set(tensor, tensor);
    else made.set(tensor, node(tensor.op, inputs, tensor.attributes));
  }
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, made.get(tensor)!]));
}

/** The mean over axes and the mean square of the differences from it, [2, ...what is left of the shape]. */
function meanAndVariance(x: Tensor, axes: readonly number[]): Tensor {
  const differences = f.sub(x, f.mean(x, axes, true));
  const parts = [f.mean(x, axes), f.mean(f.square(differences), axes)].map((part, row) => {
    const ends = (at: number): number[] => [at, ...part.shape.map(() => 0)];
    return f.pad(f.reshape(part, [1, ...part.shape]), ends(row), ends(1 - row));
  });
  return f.add(parts[0], parts[1]);
}
