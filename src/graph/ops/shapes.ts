/** What the shape rules and loops of several ops share. */
import { shown, UserError } from "../../errors.js";
import type { Shape } from "../tensor.js";
import { sizeOf } from "../tensor.js";

export const text = (shape: Shape) => `[${shape.join(", ")}]`;

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((extent, axis) => extent === b[axis]);

/** Distance in elements between neighbours along each axis of a dense, row-major value. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

/** The offset strides · (i, j, ...) of every index (i, j, ...) within `extents`, in row-major order. */
export function offsets(extents: Shape, strides: readonly number[]): Int32Array {
  const result = new Int32Array(sizeOf(extents));
  let filled = 1;
  for (let axis = extents.length - 1; axis >= 0; axis--) {
    // The first `filled` entries serve index 0 of this axis; its other indices repeat them, shifted.
    for (let index = 1; index < extents[axis]; index++) {
      for (let i = 0; i < filled; i++) result[index * filled + i] = result[i] + index * strides[axis];
    }
    filled *= extents[axis];
  }
  return result;
}

export function checkShape(op: string, shape: Shape | undefined): Shape {
  if (!Array.isArray(shape) || !shape.every((extent) => Number.isInteger(extent) && extent > 0)) {
    const given = Array.isArray(shape) ? text(shape) : shown(shape);
    throw new UserError(`${op}: the shape ${given} must be a list of whole numbers from 1`);
  }
  return shape as Shape;
}

export function checkRank(op: string, what: string, shape: Shape, layout: string): void {
  const rank = layout.split(",").length;
  if (shape.length !== rank) {
    throw new UserError(
      `${op}: ${what} must have the ${rank} axes [${layout}], got the shape ${text(shape)}`,
    );
  }
}

/** Axes of a shape of `rank` axes, ascending and without repetition. */
export function checkAxes(op: string, axes: readonly number[] | undefined, rank: number): readonly number[] {
  const valid = axes?.every(
    (axis, i) => Number.isInteger(axis) && axis >= 0 && axis < rank && (i === 0 || axis > axes[i - 1]),
  );
  if (axes === undefined || !valid) {
    throw new UserError(`${op}: axes ${axes && text(axes)} must ascend and lie between 0 and ${rank - 1}`);
  }
  return axes;
}
