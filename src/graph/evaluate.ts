/** The oracle: runs a graph op by op with the reference loops, every value in memory of its own. */
import { shown, UserError } from "../errors.js";
import { checkValue, oneOf } from "../errors/options.js";
import { checkTensors } from "./node.js";
import type { Data, View } from "./op.js";
import { ops } from "./ops.js";
import { topologicalOrder } from "./order.js";
import type { Tensor } from "./tensor.js";
import { sizeOf } from "./tensor.js";

/**
 * The values of `outputs`, given those of leaves (or of any other tensors). "f32" rounds every
 * value to single precision, "f64" none. Throws a UserError for a leaf without a value.
 */
export function evaluate(
  outputs: readonly Tensor[],
  bindings: ReadonlyMap<Tensor, View>,
  precision: "f32" | "f64" = "f32",
): View[] {
  if (!Array.isArray(outputs))
    throw new UserError(`evaluate takes an array of tensors, got ${shown(outputs)}`);
  checkTensors("evaluate", ...(outputs as readonly Tensor[]));
  if (!(bindings instanceof Map)) {
    throw new UserError(`evaluate: bindings must be a Map of tensors to arrays, got ${shown(bindings)}`);
  }
  checkValue("precision", precision, oneOf("f32", "f64"), "evaluate: ");
  const values = new Map(bindings);
  const order = topologicalOrder(outputs, (tensor) => (bindings.has(tensor) ? [] : valueInputs(tensor)));
  // The last node that reads a value gives its memory back: weights of 100 MB pass a dozen nodes.
  const lastReader = new Map<Tensor, Tensor>();
  for (const tensor of order) for (const input of valueInputs(tensor)) lastReader.set(input, tensor);
  for (const output of outputs) lastReader.delete(output);
  for (const tensor of order) {
    if (values.has(tensor)) continue;
    const output = { data: allocate(tensor, precision), shape: tensor.shape };
    const inputs = valueInputs(tensor);
    ops[tensor.op].reference(
      inputs.map((input) => values.get(input)!),
      output,
      tensor.attributes,
    );
    values.set(tensor, output);
    for (const input of inputs) if (lastReader.get(input) === tensor) values.delete(input);
  }
  return outputs.map((tensor) => values.get(tensor)!);
}

/** The inputs that the value depends on: those of a `customGradient` beyond the first are for its rule. */
const valueInputs = ({ op, inputs }: Tensor) => (op === "customGradient" ? inputs.slice(0, 1) : inputs);

function allocate({ shape, dtype }: Tensor, precision: "f32" | "f64"): Data {
  if (dtype === "i32") return new Int32Array(sizeOf(shape));
  return precision === "f32" ? new Float32Array(sizeOf(shape)) : new Float64Array(sizeOf(shape));
}
