/**
 * The second pass: which values get memory.
 *
 * Everything elementwise that is not listed here is recomputed inside each map that needs it, from
 * values that have memory: reading a value costs more than the few operations that make it. So the
 * backward pass of a batch normalisation reads the convolution's output again, instead of storing
 * normalised values and masks.
 */
import type { Tensor } from "../graph/tensor.js";
import { isConstant, isCostly, isElementwise, isReduction } from "./kinds.js";

/** Recomputing a value with several users stays cheap up to this many operands and operations. */
const mostOperands = 3;
const mostOperations = 24;

/** The elementwise and broadcast nodes of `order` that need memory of their own. */
export function chooseMaterialised(order: readonly Tensor[], outputs: readonly Tensor[]): Set<Tensor> {
  const users = new Map<Tensor, Tensor[]>(order.map((tensor) => [tensor, []]));
  for (const tensor of order) for (const input of new Set(tensor.inputs)) users.get(input)!.push(tensor);

  const isOutput = new Set(outputs);
  const materialised = new Set<Tensor>();
  const costs = new Map<Tensor, { operands: Set<Tensor>; operations: number }>();
  for (const tensor of order) {
    if (!isElementwise(tensor.op) && tensor.op !== "broadcast") continue;
    const using = users.get(tensor)!;
    if (isOutput.has(tensor) || using.some((user) => !isElementwise(user.op) && !isReduction(user.op))) {
      materialised.add(tensor);
      continue;
    }
    if (tensor.op === "broadcast") continue;
    const cost = recomputation(tensor, materialised, costs);
    const shared = using.length > 1;
    const dear = isCostly(tensor.op) || cost.operands.size > mostOperands || cost.operations > mostOperations;
    if (shared && dear) materialised.add(tensor);
  }
  return materialised;
}

/** What a map must read and do to recompute a value. Broadcast values and constants are cheap to read. */
function recomputation(
  tensor: Tensor,
  materialised: ReadonlySet<Tensor>,
  costs: Map<Tensor, { operands: Set<Tensor>; operations: number }>,
): { operands: Set<Tensor>; operations: number } {
  const operands = new Set<Tensor>();
  let operations = 1;
  for (const input of tensor.inputs) {
    const inner = materialised.has(input) ? undefined : costs.get(input);
    if (inner !== undefined) {
      inner.operands.forEach((operand) => operands.add(operand));
      operations += inner.operations;
    } else if (input.op !== "broadcast" && !isConstant(input.op)) {
      operands.add(input);
    }
  }
  const cost = { operands, operations };
  costs.set(tensor, cost);
  return cost;
}
