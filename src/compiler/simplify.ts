/**
 * The first pass, graph → graph: removes what has no effect on values, computes what is constant,
 * and makes equal expressions one node.
 *
 * Gradients were taken before, so the identities that exist for them (`stopGradient`,
 * `customGradient`) disappear here; `coded` becomes the product it stands for, and products of two
 * coded values become products of their codes. The rules are in `simplify-rules.ts`.
 */
import { node } from "../graph/node.js";
import { topologicalOrder } from "../graph/order.js";
import type { Attributes, OpName, Tensor } from "../graph/tensor.js";
import type { Target } from "../runtime/target.js";
import { isElementwise } from "./kinds.js";
import type { Context } from "./simplify-rules.js";
import { elementwiseRules, rules } from "./simplify-rules.js";

/** @param target whose products decide whether gradients that are rounded to bf16 are multiplied as such. */
export function simplify(
  outputs: Readonly<Record<string, Tensor>>,
  target: Pick<Target, "bf16Products">,
): Record<string, Tensor> {
  const interned = new Map<string, Tensor>();
  const context: Context = { simple: rewrite, plain: intern, target, multiplied: new Set() };

  function intern(op: OpName, inputs: readonly Tensor[], attributes: Attributes): Tensor {
    const key = keyOf(op, inputs, attributes);
    const known = key === undefined ? undefined : interned.get(key);
    if (known !== undefined) return known;
    const made = node(op, inputs, attributes);
    if (key !== undefined) interned.set(key, made);
    return made;
  }

  /** The simplest node equal to op(inputs): rules first, then sharing. */
  function rewrite(op: OpName, inputs: readonly Tensor[], attributes: Attributes): Tensor {
    for (const rule of rules[op] ?? []) {
      const simpler = rule(inputs, attributes, context);
      if (simpler !== undefined) return simpler;
    }
    for (const rule of isElementwise(op) ? elementwiseRules : []) {
      const simpler = rule(op, inputs, attributes, context);
      if (simpler !== undefined) return simpler;
    }
    return intern(op, inputs, attributes);
  }

  const simplified = new Map<Tensor, Tensor>();
  for (const tensor of topologicalOrder(Object.values(outputs))) {
    const inputs = tensor.inputs.map((input) => simplified.get(input)!);
    simplified.set(tensor, rewrite(tensor.op, inputs, tensor.attributes));
  }
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, simplified.get(tensor)!]));
}

function keyOf(op: OpName, inputs: readonly Tensor[], attributes: Attributes): string | undefined {
  if (attributes.data !== undefined || attributes.backward !== undefined) return undefined;
  if (Object.keys(attributes).length === 0) return `${op}|${inputs.map((input) => input.id).join()}`;
  // JSON has no -0, NaN or infinities; String tells all but -0 apart.
  const value = Object.is(attributes.value, -0) ? "-0" : String(attributes.value);
  return `${op}|${inputs.map((input) => input.id).join()}|${value}|${JSON.stringify(attributes)}`;
}
