/** Numbers on the host. */
import type { Shape } from "./tensor.js";

/** A dense, row-major array: Float32Array is f32, Int32Array i32. */
export interface HostArray {
  readonly data: Float32Array | Int32Array;
  readonly shape: Shape;
}

/** An f32 array that is made as a step's inputs are written, so that the host never has all of it. */
export interface HostParts {
  readonly shape: Shape;
  /** Its elements in order. A part is valid until the next one is asked for. */
  parts(): Iterable<Float32Array>;
}
