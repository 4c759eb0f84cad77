/** NumPy's broadcasting, spelled out as nodes. */
import { shown, UserError } from "../../errors.js";
import { checkTensors, isTensor, node } from "../node.js";
import { checkShape, sameShape, text } from "../ops/shapes.js";
import type { OpName, Shape, Tensor } from "../tensor.js";
import { sizeOf } from "../tensor.js";

/** What the functions take where a number may stand for a tensor of shape []. */
export type Value = Tensor | number;

/** @throws UserError, which begins with the op, for anything but a number or a tensor. */
export function toTensor(op: string, x: Value): Tensor {
  if (typeof x === "number") return node("constant", [], { value: x });
  if (isTensor(x)) return x;
  throw new UserError(`${op}: an input must be a tensor or a number, got ${shown(x)}`);
}

/** The same values in another shape; `x` itself where the shape is its own. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  checkTensors("reshape", x);
  checkShape("reshape", shape);
  return sameShape(x.shape, shape) ? x : node("reshape", [x], { shape });
}

/** Repeats `x` to `shape`: axes are matched from the last, and extents of 1 and missing axes repeat. */
export function broadcastTo(x: Value, shape: Shape): Tensor {
  const tensor = toTensor("broadcastTo", x);
  checkShape("broadcastTo", shape);
  if (sameShape(tensor.shape, shape)) return tensor;
  const missing = shape.length - tensor.shape.length;
  const fits = tensor.shape.every((extent, axis) => extent === 1 || extent === shape[axis + missing]);
  if (missing < 0 || !fits) {
    throw new UserError(
      `broadcastTo: ${text(tensor.shape)} does not fit ${text(shape)}; counted from the last axis, each extent must be equal or 1`,
    );
  }
  if (sizeOf(tensor.shape) === sizeOf(shape)) return reshape(tensor, shape);
  const axes = shape.map((_, axis) => axis).filter((axis) => (tensor.shape[axis - missing] ?? 1) > 1);
  const own = reshape(
    tensor,
    axes.map((axis) => shape[axis]),
  );
  return node("broadcast", [own], { shape, axes });
}

/** An elementwise op on inputs that are first broadcast to their common shape. */
export function elementwise(op: OpName, ...values: readonly Value[]): Tensor {
  const inputs = values.map((value) => toTensor(op, value));
  if (inputs.every((input) => sameShape(input.shape, inputs[0].shape))) return node(op, inputs);
  const rank = Math.max(...inputs.map(({ shape }) => shape.length));
  const shape = Array.from({ length: rank }, (_, axis) =>
    Math.max(...inputs.map((input) => input.shape[axis - rank + input.shape.length] ?? 1)),
  );
  const fits = inputs.every((input) =>
    input.shape.every((extent, i) => extent === 1 || extent === shape[i + rank - input.shape.length]),
  );
  if (!fits) {
    const shapes = inputs.map((input) => text(input.shape)).join(" and ");
    throw new UserError(
      `${op}: the shapes ${shapes} do not broadcast; counted from the last axis, extents must be equal or 1`,
    );
  }
  return node(
    op,
    inputs.map((input) => broadcastTo(input, shape)),
  );
}
