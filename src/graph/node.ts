import { UserError } from "../errors.js";
import { ops } from "./ops.js";
import type { Attributes, OpName, Tensor } from "./tensor.js";
import { mostElements, sizeOf } from "./tensor.js";

let nodes = 0;

/** Records a node of the graph. Throws a UserError where the op does not take these inputs. */
export function node(op: OpName, inputs: readonly Tensor[], attributes: Attributes = {}): Tensor {
  const inferred = ops[op].infer(inputs, attributes);
  if (sizeOf(inferred.shape) > mostElements) {
    throw new UserError(
      `${op}: a value of the shape [${inferred.shape.join(", ")}] has more than 2^50 elements`,
    );
  }
  return { id: nodes++, op, inputs, attributes, ...inferred };
}
