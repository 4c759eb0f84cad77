/** Numbers on the host. */
import type { Shape } from "./tensor.js";

/** A dense, row-major array: Float32Array is f32, Int32Array i32. */
export interface HostArray {
  readonly data: Float32Array | Int32Array;
  readonly shape: Shape;
}
