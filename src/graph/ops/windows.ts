/** Sums and maxima over the windows of an NHWC image: what pooling is made of. */
import { UserError } from "../../errors.js";
import type { Case, Op, Sampler, View } from "../op.js";
import type { Attributes, Shape, Tensor, WindowShape } from "../tensor.js";
import { mostElements, mostExtent, paddedSize } from "../limits.js";
import { checkRank, checkShape, text } from "./shapes.js";

/** Windows that fit in an extent: floor((extent + 2·padding - size) / stride) + 1. */
export function outputExtents(op: string, x: Shape, window: WindowShape | undefined): [number, number] {
  if (window === undefined) throw new UserError(`${op}: give the window's size, stride and padding`);
  const { size, stride, padding } = window;
  const whole = (values: readonly number[], least: number) =>
    values.every((value) => Number.isInteger(value) && value >= least && value <= mostExtent);
  if (!whole(size, 1) || !whole(stride, 1) || !whole(padding, 0)) {
    throw new UserError(
      `${op}: size ${text(size)} and stride ${text(stride)} must be whole numbers from 1, padding ${text(padding)} from 0, ` +
        `all at most ${mostExtent}`,
    );
  }
  if (paddedSize(x, window) > mostElements) {
    throw new UserError(
      `${op}: images of the shape ${text(x)} with padding ${text(padding)} and stride ${text(stride)} have more than 2^50 elements`,
    );
  }
  const extent = (axis: 0 | 1) =>
    Math.floor((x[axis + 1] + 2 * padding[axis] - size[axis]) / stride[axis]) + 1;
  const extents: [number, number] = [extent(0), extent(1)];
  if (extents[0] < 1 || extents[1] < 1) {
    throw new UserError(
      `${op}: a window of ${size.join("x")} does not fit in an image of ${x[1]}x${x[2]} with padding ${text(padding)}`,
    );
  }
  return extents;
}

/** The kernel for the gradient of a maximum numbers the taps of a window in floats, which are exact so far. */
export const mostTaps = 2 ** 24;

function inferWindow(op: string, [x]: readonly Tensor[], { window }: Attributes) {
  checkRank(op, "the input", x.shape, "N, H, W, C");
  const extents = outputExtents(op, x.shape, window);
  if (window!.padding.some((padding, axis) => padding >= window!.size[axis])) {
    throw new UserError(
      `${op}: padding ${text(window!.padding)} must be smaller than the window ${text(window!.size)}`,
    );
  }
  if (op === "windowMax" && window!.size[0] * window!.size[1] > mostTaps) {
    throw new UserError(`${op}: a window of ${window!.size.join("x")} has more than 2^24 pixels`);
  }
  return { shape: [x.shape[0], ...extents, x.shape[3]], dtype: "f32" as const };
}

/** Calls visit(output pixel, input pixel, tap) for every pixel under every window, in row order; padding is left out. */
export function eachTap(
  x: Shape,
  y: Shape,
  window: WindowShape,
  visit: (output: number, input: number, tap: number) => void,
): void {
  const [images, height, width] = x;
  const [, outHeight, outWidth] = y;
  const { size, stride, padding } = window;
  for (let output = 0; output < images * outHeight * outWidth; output++) {
    const image = Math.floor(output / (outHeight * outWidth));
    const top = (Math.floor(output / outWidth) % outHeight) * stride[0] - padding[0];
    const left = (output % outWidth) * stride[1] - padding[1];
    for (let row = Math.max(top, 0); row < Math.min(top + size[0], height); row++) {
      for (let column = Math.max(left, 0); column < Math.min(left + size[1], width); column++) {
        visit(output, (image * height + row) * width + column, (row - top) * size[1] + column - left);
      }
    }
  }
}

export function windowSum([x]: readonly View[], y: View, { window }: Attributes): void {
  const channels = x.shape[3];
  const sums = new Float64Array(y.data.length);
  eachTap(x.shape, y.shape, window!, (output, input) => {
    for (let c = 0; c < channels; c++) sums[output * channels + c] += x.data[input * channels + c];
  });
  y.data.set(sums);
}

/** inputs: the output's gradient. */
export function windowSumGradient([g]: readonly View[], dx: View, { window }: Attributes): void {
  const channels = dx.shape[3];
  const sums = new Float64Array(dx.data.length);
  eachTap(dx.shape, g.shape, window!, (output, input) => {
    for (let c = 0; c < channels; c++) sums[input * channels + c] += g.data[output * channels + c];
  });
  dx.data.set(sums);
}

/** NaN never wins. */
export function windowMax([x]: readonly View[], y: View, { window }: Attributes): void {
  const channels = x.shape[3];
  y.data.fill(-Infinity);
  eachTap(x.shape, y.shape, window!, (output, input) => {
    for (let c = 0; c < channels; c++) {
      const value = x.data[input * channels + c];
      if (value > y.data[output * channels + c]) y.data[output * channels + c] = value;
    }
  });
}

/** inputs: x, then the output's gradient, which goes to the first maximum of a window in row order. */
export function windowMaxGradient([x, g]: readonly View[], dx: View, { window }: Attributes): void {
  const channels = x.shape[3];
  const winners = new Int32Array(g.data.length).fill(-1);
  eachTap(x.shape, g.shape, window!, (output, input) => {
    for (let c = 0; c < channels; c++) {
      const winner = winners[output * channels + c];
      if (winner < 0 || x.data[input * channels + c] > x.data[winner]) {
        winners[output * channels + c] = input * channels + c;
      }
    }
  });
  const sums = new Float64Array(dx.data.length);
  for (let i = 0; i < winners.length; i++) sums[winners[i]] += g.data[i];
  dx.data.set(sums);
}

function sampleWindow(random: Sampler): { x: Shape; y: Shape; window: WindowShape } {
  const pair = (draw: (axis: 0 | 1) => number): [number, number] => [draw(0), draw(1)];
  const size = pair(() => random.integer(1, 3));
  const window = {
    size,
    stride: pair(() => random.integer(1, 3)),
    padding: pair((axis) => random.integer(0, Math.min(2, size[axis] - 1))),
  };
  const [images, channels] = random.shape(2);
  const [height, width] = pair((axis) => random.integer(size[axis], 7));
  const x = [images, height, width, channels];
  return { x, y: [images, ...outputExtents("sample", x, window), channels], window };
}

function sampleForward(random: Sampler): Case {
  const { x, window } = sampleWindow(random);
  return { inputs: [random.values(x)], attributes: { window } };
}

const inferGradient = (op: string, g: Tensor, a: Attributes) => {
  checkRank(op, "the gradient", g.shape, "N, H, W, C");
  return { shape: checkShape(op, a.shape), dtype: "f32" as const };
};

export const windows = {
  windowSum: {
    infer: (inputs, a) => inferWindow("windowSum", inputs, a),
    reference: windowSum,
    sample: sampleForward,
  },
  windowMax: {
    infer: (inputs, a) => inferWindow("windowMax", inputs, a),
    reference: windowMax,
    sample: sampleForward,
  },
  windowSumGradient: {
    infer: ([g], a) => inferGradient("windowSumGradient", g, a),
    reference: windowSumGradient,
    sample(random) {
      const { x, y, window } = sampleWindow(random);
      return { inputs: [random.values(y)], attributes: { window, shape: x } };
    },
  },
  windowMaxGradient: {
    infer: ([, g], a) => inferGradient("windowMaxGradient", g, a),
    reference: windowMaxGradient,
    sample(random) {
      const { x, y, window } = sampleWindow(random);
      return { inputs: [random.values(x), random.values(y)], attributes: { window, shape: x } };
    },
  },
} satisfies Record<string, Op>;
