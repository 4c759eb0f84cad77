/**
 * Padding "same", as TensorFlow has it and ONNX as SAME_UPPER: ⌈extent / stride⌉ outputs along each axis. Where an odd
 * number of zeros is needed for that, the odd one lies below and on the right.
 *
 * Windows have as many zeros on both sides of an axis. So the odd row is either added to the image, or all windows begin
 * one stride earlier and the first output is dropped: codes that a layer multiplies stay codes then.
 */
import type { Shape, Tensor, WindowShape } from "../tensor.js";
import { pad, slice } from "./movement.js";
import type { Pair, Padding } from "./windows.js";
import { pair } from "./windows.js";

/** How windows lie over images. */
export interface Placement {
  /** The window over what `padded` gives. */
  readonly window: WindowShape;
  /** The images with the odd row and column, if these are added to them. */
  padded(x: Tensor): Tensor;
  /** The outputs of the windows, without those of windows that began one stride too early. */
  cropped(y: Tensor): Tensor;
}

export const unchanged = (x: Tensor): Tensor => x;
/** Calls `of` for height and width. */
const each = <T>(of: (axis: 0 | 1) => T): [T, T] => [of(0), of(1)];

/**
 * The windows of a convolution, or of pooling, over images of the shape x, [N, H, W, C].
 *
 * @param isCropped whether outputs may be dropped, so that images need no more rows; windows that lie in the padding
 *   alone are avoided all the same.
 */
export function placementOf(
  x: Shape,
  options: { readonly size: Pair; readonly stride: Pair; readonly padding: Padding },
  isCropped: boolean,
): Placement {
  const [size, stride] = [pair(options.size), pair(options.stride)];
  if (options.padding !== "same") {
    const window = { size, stride, padding: pair(options.padding) };
    return { window, padded: unchanged, cropped: unchanged };
  }
  const zeros = each((axis) => {
    const [extent, step] = [x[axis + 1], stride[axis]];
    return Math.max((Math.ceil(extent / step) - 1) * step + size[axis] - extent, 0);
  });
  const before = each((axis) => Math.floor(zeros[axis] / 2));
  const odd = each((axis) => zeros[axis] % 2);
  if (odd.every((count) => count === 0)) {
    return { window: { size, stride, padding: before }, padded: unchanged, cropped: unchanged };
  }
  const earlier = each((axis) => before[axis] + odd[axis] * stride[axis]);
  if (isCropped && earlier.every((padding, axis) => padding < size[axis])) {
    return {
      window: { size, stride, padding: earlier },
      padded: unchanged,
      cropped: (y) => slice(y, [0, ...odd, 0], y.shape),
    };
  }
  return {
    window: { size, stride, padding: before },
    padded: (images) => pad(images, [0, 0, 0, 0], [0, ...odd, 0]),
    cropped: unchanged,
  };
}

/** How many pixels of an image lie under each window along an axis. */
export const pixelsUnder = (
  extent: number,
  outputs: number,
  { size, stride, padding }: WindowShape,
  axis: 0 | 1,
) =>
  Array.from({ length: outputs }, (_, i) => {
    const first = i * stride[axis] - padding[axis];
    return Math.min(first + size[axis], extent) - Math.max(first, 0);
  });
