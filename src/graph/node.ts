import { shown, UserError } from "../errors.js";
import { ops } from "./ops.js";
import type { Attributes, OpName, Tensor } from "./tensor.js";
import { mostElements } from "./limits.js";
import { sizeOf } from "./tensor.js";

let nodes = 0;

/** What JavaScript makes of a tensor where it needs a number or a text: operators would give NaN without a word. */
const conversion = {
  [Symbol.toPrimitive](hint: string): string {
    if (hint === "string") return shown(this);
    throw new UserError(
      `operators such as + and * do not work on ${shown(this)}: write add(x, y) for x + y, mul(x, 2) for x * 2, lt(x, y) for x < y`,
    );
  },
};

/** Records a node of the graph. Throws a UserError where the op does not take these inputs. */
export function node(op: OpName, inputs: readonly Tensor[], attributes: Attributes = {}): Tensor {
  checkTensors(op, ...inputs);
  const inferred = ops[op].infer(inputs, attributes);
  if (sizeOf(inferred.shape) > mostElements) {
    throw new UserError(
      `${op}: a value of the shape [${inferred.shape.join(", ")}] has more than 2^50 elements`,
    );
  }
  const parts = { id: nodes++, op, inputs, attributes, ...inferred };
  return Object.assign(Object.create(conversion) as object, parts);
}

/** Whether a value is a node of the graph. */
export function isTensor(value: unknown): value is Tensor {
  return typeof value === "object" && value !== null && "op" in value && "inputs" in value;
}

/** @throws UserError for what is no tensor, as what a function without `return` gives. */
export function checkTensors(op: string, ...values: readonly unknown[]): void {
  values.forEach((value, i) => {
    if (!isTensor(value)) throw new UserError(`${op}: input ${i} must be a tensor, got ${shown(value)}`);
  });
}
