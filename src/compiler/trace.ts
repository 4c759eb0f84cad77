/** Host values and traced tensors: what goes into a compiled function and what stands for it in the graph. */
import type { HostArray, HostParts } from "../graph/host.js";
import type { DType, Shape, Tensor } from "../graph/tensor.js";
import { sizeOf } from "../graph/tensor.js";
import { shown, UserError } from "../errors.js";
import type { Tree } from "./tree.js";

/** A number stands for an f32 array of shape []. */
export type HostValue = HostArray | HostParts | number;

/** A tree of tensors as the tree of host arrays that it becomes when a compiled function has run. */
export type Results<T> = T extends Tensor ? HostArray : { readonly [K in keyof T]: Results<T[K]> };

/** The tree of tensors that stands for a tree of values in a compiled function. */
export type TensorsOf<V> = V extends HostValue ? Tensor : { readonly [K in keyof V]: TensorsOf<V[K]> };

/** A tree of tensors as the tree of values that a compiled function takes for it. */
export type Values<T> = T extends Tensor ? HostValue : { readonly [K in keyof T]: Values<T[K]> };

export { isTensor } from "../graph/node.js";

export function isHostValue(value: unknown): value is HostValue {
  return (
    typeof value === "number" ||
    (typeof value === "object" && value !== null && ("data" in value || isParts(value)))
  );
}

/** Whether a value is an array that is made part by part. */
export const isParts = (value: object): value is HostParts =>
  "parts" in value && typeof value.parts === "function";

/** The array that a host value stands for. @throws UserError if its shape does not fit its data. */
export function toArray(value: HostArray | number, path: string): HostArray {
  if (typeof value === "number") return { data: Float32Array.of(value), shape: [] };
  const { data, shape } = value;
  if (!Array.isArray(shape))
    throw new UserError(`${path} must have a shape, such as [2, 1], got ${shown(shape)}`);
  if (!(data instanceof Float32Array || data instanceof Int32Array)) {
    throw new UserError(`${path} must be a number, or have data of type Float32Array or Int32Array`);
  }
  if (data.length !== sizeOf(shape)) {
    throw new UserError(
      `${path} has ${data.length} elements, but shape [${shape.join(", ")}] needs ${sizeOf(shape)}`,
    );
  }
  return value;
}

export function dtypeOf({ data }: HostArray): DType {
  return data instanceof Int32Array ? "i32" : "f32";
}

/** Shapes and types of a tree of arrays by path. */
export type Signature = Readonly<Record<string, { readonly shape: Shape; readonly dtype: DType }>>;

/** Tensors in nested records, as a compiled function takes and returns them. */
export type TensorTree = Tree<Tensor>;
