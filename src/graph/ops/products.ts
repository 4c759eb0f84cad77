/**
 * Convolutions and their two gradients: x is NHWC, w is HWIO (rows, columns, input channels, output
 * channels), y is NHWC. A matrix product is a 1x1 convolution of one-pixel images. All three are
 * sums of rows times matrices that lie contiguous in memory.
 */
import { UserError } from "../../errors.js";
import type { Data, Op, Sampler, View } from "../op.js";
import type { Attributes, Shape, WindowShape } from "../tensor.js";
import { mostElements } from "../limits.js";
import { sizeOf } from "../tensor.js";
import { checkRank, checkShape, text } from "./shapes.js";
import { outputExtents } from "./windows.js";

/** Products of rows of `a`, whose elements are `stride` apart, and matrices [rows, columns] that lie dense in `b`. */
interface RowProducts {
  readonly sums: Float64Array;
  readonly a: Data;
  readonly stride: number;
  readonly b: Data;
  readonly columns: number;
}

/**
 * sums[at + j] += Σ_k a[aAt + k·stride] · b[bAt + k·columns + j], for j < columns and k < rows.
 * Four rows at a time, so that a sum is loaded and stored once for four products.
 */
function addProduct(
  { sums, a, stride, b, columns }: RowProducts,
  at: number,
  aAt: number,
  bAt: number,
  rows: number,
): void {
  let k = 0;
  for (; k + 4 <= rows; k += 4) {
    const a0 = a[aAt + k * stride];
    const a1 = a[aAt + (k + 1) * stride];
    const a2 = a[aAt + (k + 2) * stride];
    const a3 = a[aAt + (k + 3) * stride];
    const b0 = bAt + k * columns;
    const b1 = b0 + columns;
    const b2 = b1 + columns;
    const b3 = b2 + columns;
    for (let j = 0; j < columns; j++) {
      sums[at + j] += a0 * b[b0 + j] + a1 * b[b1 + j] + a2 * b[b2 + j] + a3 * b[b3 + j];
    }
  }
  for (; k < rows; k++) {
    const a0 = a[aAt + k * stride];
    const b0 = bAt + k * columns;
    for (let j = 0; j < columns; j++) sums[at + j] += a0 * b[b0 + j];
  }
}

function geometry(x: Shape, y: Shape, { size, stride, padding }: WindowShape) {
  const [images, height, width, channels] = x;
  const [, outHeight, outWidth, outChannels] = y;
  const sizes = { images, height, width, channels, outHeight, outWidth, outChannels };
  const isMatrixProduct = [...size, ...stride].every((n) => n === 1) && padding.every((n) => n === 0);
  if (!isMatrixProduct) return { ...sizes, size, stride, padding };
  // All pixels form one row of one image: a longer inner loop.
  const pixels = images * height * width;
  const row = { images: 1, height: 1, width: pixels, outHeight: 1, outWidth: pixels };
  return { ...sizes, ...row, size, stride, padding };
}

/** inputs: x, w. */
export function convolution([x, w]: readonly View[], y: View, { window }: Attributes): void {
  const { images, height, width, channels, outHeight, outWidth, outChannels, size, stride, padding } =
    geometry(x.shape, y.shape, window!);
  const sums = new Float64Array(outChannels);
  const products = { sums, a: x.data, stride: 1, b: w.data, columns: outChannels };
  for (let output = 0; output < images * outHeight * outWidth; output++) {
    const image = Math.floor(output / (outHeight * outWidth));
    const top = (Math.floor(output / outWidth) % outHeight) * stride[0] - padding[0];
    const left = (output % outWidth) * stride[1] - padding[1];
    // The taps of one row of the kernel that lie in the image are neighbours in x and in w.
    const first = Math.max(0, -left);
    const last = Math.min(size[1], width - left);
    sums.fill(0);
    for (let i = 0; i < size[0]; i++) {
      const row = top + i;
      if (row < 0 || row >= height || first >= last) continue;
      const xAt = ((image * height + row) * width + left + first) * channels;
      const wAt = (i * size[1] + first) * channels * outChannels;
      addProduct(products, 0, xAt, wAt, (last - first) * channels);
    }
    y.data.set(sums, output * outChannels);
  }
}

/** inputs: the output's gradient, w. */
export function convolutionInputGradient([g, w]: readonly View[], dx: View, { window }: Attributes): void {
  const { images, height, width, channels, outHeight, outWidth, outChannels, size, stride, padding } =
    geometry(dx.shape, g.shape, window!);
  const transposed = transposeTaps(w.data, size[0] * size[1], channels, outChannels);
  const sums = new Float64Array(height * width * channels);
  const products = { sums, a: g.data, stride: 1, b: transposed, columns: channels };
  for (let image = 0; image < images; image++) {
    sums.fill(0);
    for (let pixel = 0; pixel < outHeight * outWidth; pixel++) {
      const top = Math.floor(pixel / outWidth) * stride[0] - padding[0];
      const left = (pixel % outWidth) * stride[1] - padding[1];
      const gAt = (image * outHeight * outWidth + pixel) * outChannels;
      for (let row = Math.max(top, 0); row < Math.min(top + size[0], height); row++) {
        for (let column = Math.max(left, 0); column < Math.min(left + size[1], width); column++) {
          const tap = (row - top) * size[1] + column - left;
          const at = (row * width + column) * channels;
          addProduct(products, at, gAt, tap * channels * outChannels, outChannels);
        }
      }
    }
    dx.data.set(sums, image * sums.length);
  }
}

/** [tap][input channel][output channel] -> [tap][output channel][input channel] */
function transposeTaps(w: Data, taps: number, channels: number, outChannels: number): Data {
  const result = w.slice();
  for (let tap = 0; tap < taps; tap++) {
    const at = tap * channels * outChannels;
    for (let c = 0; c < channels; c++) {
      for (let o = 0; o < outChannels; o++) result[at + o * channels + c] = w[at + c * outChannels + o];
    }
  }
  return result;
}

/** inputs: x, the output's gradient. */
export function convolutionFilterGradient([x, g]: readonly View[], dw: View, { window }: Attributes): void {
  const { images, height, width, channels, outHeight, outWidth, outChannels, size, stride, padding } =
    geometry(x.shape, g.shape, window!);
  const sums = new Float64Array(dw.data.length);
  const products = { sums, a: x.data, stride: stride[1] * channels, b: g.data, columns: outChannels };
  for (let line = 0; line < images * outHeight; line++) {
    const image = Math.floor(line / outHeight);
    const top = (line % outHeight) * stride[0] - padding[0];
    for (let i = Math.max(0, -top); i < Math.min(size[0], height - top); i++) {
      for (let j = 0; j < size[1]; j++) {
        // The output columns whose tap j lies in the image: 0 <= column·stride + j - padding < width.
        const first = Math.max(0, Math.ceil((padding[1] - j) / stride[1]));
        const last = Math.min(outWidth, Math.ceil((width + padding[1] - j) / stride[1]));
        const column = first * stride[1] + j - padding[1];
        const xAt = ((image * height + top + i) * width + column) * channels;
        const gAt = (line * outWidth + first) * outChannels;
        for (let c = 0; c < channels; c++) {
          const at = ((i * size[1] + j) * channels + c) * outChannels;
          addProduct(products, at, xAt + c, gAt, last - first);
        }
      }
    }
  }
  dw.data.set(sums);
}

function sampleShapes(random: Sampler) {
  const pair = (draw: (axis: 0 | 1) => number): [number, number] => [draw(0), draw(1)];
  const isMatrixProduct = random.integer(0, 4) === 0;
  const most = isMatrixProduct ? 1 : 3;
  const size = pair(() => random.integer(1, most));
  const stride = pair(() => random.integer(1, most));
  const padding = pair(() => random.integer(0, most - 1));
  const [images, channels] = random.shape(2);
  const [, outChannels] = random.shape(2);
  const least = (axis: 0 | 1) => Math.max(1, size[axis] - 2 * padding[axis]);
  const x = [images, ...pair((axis) => random.integer(least(axis), 2 * most)), channels];
  const w = [...size, channels, outChannels];
  const window = { size, stride, padding };
  return { x, w, y: [images, ...outputExtents("sample", x, window), outChannels], window };
}

export const products = {
  convolution: {
    infer([x, w], { window }) {
      checkRank("convolution", "the input", x.shape, "N, H, W, C");
      checkRank("convolution", "the filter", w.shape, "rows, columns, C, outputs");
      if (x.shape[3] !== w.shape[2]) {
        throw new UserError(
          `convolution: the input ${text(x.shape)} has ${x.shape[3]} channels but the filter ${text(w.shape)} takes ${w.shape[2]}`,
        );
      }
      const extents = outputExtents("convolution", x.shape, window);
      if (window!.size.some((size, axis) => size !== w.shape[axis])) {
        throw new UserError(
          `convolution: the window ${text(window!.size)} must be the filter's, ${text(w.shape.slice(0, 2))}`,
        );
      }
      if (x.shape[0] * extents[0] * extents[1] * sizeOf(w.shape) > mostElements) {
        throw new UserError(
          `convolution: ${text(x.shape)} with the filter ${text(w.shape)} takes more than 2^50 multiply-adds`,
        );
      }
      return { shape: [x.shape[0], ...extents, w.shape[3]], dtype: "f32" };
    },
    reference: convolution,
    sample(random) {
      const { x, w, window } = sampleShapes(random);
      return { inputs: [random.values(x), random.uniform(w, -1, 1)], attributes: { window } };
    },
  },
  convolutionInputGradient: {
    infer: (_, a) => ({ shape: checkShape("convolutionInputGradient", a.shape), dtype: "f32" }),
    reference: convolutionInputGradient,
    sample(random) {
      const { x, w, y, window } = sampleShapes(random);
      return { inputs: [random.values(y), random.uniform(w, -1, 1)], attributes: { window, shape: x } };
    },
  },
  convolutionFilterGradient: {
    infer: (_, a) => ({ shape: checkShape("convolutionFilterGradient", a.shape), dtype: "f32" }),
    reference: convolutionFilterGradient,
    sample(random) {
      const { x, w, y, window } = sampleShapes(random);
      return { inputs: [random.values(x), random.uniform(y, -1, 1)], attributes: { window, shape: w } };
    },
  },
} satisfies Record<string, Op>;
