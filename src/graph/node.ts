import { ops } from "./ops.js";
import type { Attributes, OpName, Tensor } from "./tensor.js";

let nodes = 0;

/** Records a node of the graph. Throws a UserError where the op does not take these inputs. */
export function node(op: OpName, inputs: readonly Tensor[], attributes: Attributes = {}): Tensor {
  return { id: nodes++, op, inputs, attributes, ...ops[op].infer(inputs, attributes) };
}
