/** Functions that start a graph. */
import { node } from "../node.js";
import type { DType, Shape, Tensor } from "../tensor.js";

/** A number, of shape []. */
export const constant = (value: number): Tensor => node("constant", [], { value });

/** Values in row-major order that are fixed when the graph is made. */
export const array = (data: Float32Array | Int32Array, shape: Shape = [data.length]): Tensor =>
  node("constant", [], { data, shape });

/** A value given at run time: an input, or state that lasts from run to run. */
export const leaf = (
  name: string,
  shape: Shape,
  dtype: DType = "f32",
  kind: "state" | "input" = "input",
): Tensor => node("leaf", [], { name, shape, dtype, kind });

/** 0, 1, 2, ... along one axis, i32. */
export const iota = (shape: Shape, axis = 0): Tensor => node("iota", [], { shape, axis });

/**
 * Numbers uniform in [0, 1), a pure function of the key (i32 [2]), the stream and the position; two
 * nodes with the same key and stream hold the same numbers.
 */
export const random = (key: Tensor, shape: Shape, stream = 0): Tensor =>
  node("random", [key], { shape, stream });
