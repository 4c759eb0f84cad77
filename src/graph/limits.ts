/** The largest values and windows, for ops and for whoever verifies a Program. */
import type { Shape, WindowShape } from "./tensor.js";

/**
 * Elements of a value, of an image with its padding, and multiply-adds of a product: at most so many. Their bytes then
 * stay below 2^53, which a number counts exactly, and the kernels' 64-bit integers hold every sum of a few of them.
 */
export const mostElements = 2 ** 50;

/** The largest size, stride or padding of a window. */
export const mostExtent = 2 ** 31 - 1;

/** Elements of images [N, H, W, C] that a window walks over: with their padding, or one stride where that is more. */
export function paddedSize(
  [images, height, width, channels]: Shape,
  { stride, padding }: Pick<WindowShape, "stride" | "padding">,
): number {
  const extent = (own: number, axis: 0 | 1): number => Math.max(own + 2 * padding[axis], stride[axis]);
  return images * extent(height, 0) * extent(width, 1) * channels;
}
