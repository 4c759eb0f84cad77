/**
 * The space of a map: any shape, seen as [sample, position, channel].
 *
 * Neighbouring axes that every value of the map has, or lacks, alike merge into one. What is left
 * fits three axes in nearly all networks; where it does not, the caller materialises something.
 */
import type { Shape } from "../graph/tensor.js";
import type { Axes } from "../runtime/program.js";

/** Which axes of the full shape a value has: bit `a` for axis `a`. */
export type Mask = number;
export const wholeMask = (shape: Shape): Mask => (1 << shape.length) - 1;
export const has = (mask: Mask, axis: number): boolean => ((mask >> axis) & 1) === 1;
export const maskWhere = (shape: Shape, hasAxis: (axis: number) => boolean): Mask =>
  shape.reduce((mask, _, axis) => mask | (hasAxis(axis) ? 1 << axis : 0), 0);

export interface Space {
  readonly extents: readonly [number, number, number];
  axesOf(mask: Mask): Axes;
}

/**
 * Finds the space of `shape` for values with these masks, or undefined if it has more than three axes.
 * With `rowsAreSamples`, two merged axes become sample and channel instead of position and channel.
 */
export function findSpace(
  shape: Shape,
  masks: ReadonlySet<Mask>,
  rowsAreSamples: boolean,
): Space | undefined {
  const merged: { extent: number; axis: number }[] = [];
  const all = [...masks];
  for (let axis = 0; axis < shape.length; axis++) {
    if (shape[axis] === 1) continue;
    const last = merged.at(-1);
    if (last !== undefined && all.every((mask) => has(mask, axis) === has(mask, last.axis)))
      last.extent *= shape[axis];
    else merged.push({ extent: shape[axis], axis });
  }
  if (merged.length > 3) return undefined;
  if (merged.length === 2 && rowsAreSamples) merged.splice(1, 0, { extent: 1, axis: -1 });
  const missing = 3 - merged.length;
  const extents = [1, 1, 1] as [number, number, number];
  merged.forEach(({ extent }, i) => (extents[missing + i] = extent));

  return {
    extents,
    axesOf(mask) {
      const full = merged.every(({ axis }) => axis < 0 || has(mask, axis));
      if (full) return 7;
      let axes = 0;
      merged.forEach(({ axis }, i) => {
        if (axis >= 0 && has(mask, axis)) axes |= 4 >> (missing + i);
      });
      // An axis of extent 1 may be counted as present: a value per row of one sample is a value per pixel.
      if (axes === 2 && extents[0] === 1) axes = 6;
      return axes as Axes;
    },
  };
}
