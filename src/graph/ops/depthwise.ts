/**
 * Depthwise convolutions and their two gradients: each channel of x [N, H, W, C] has a kernel of its own in w
 * [rows, columns, C].
 */
import { UserError } from "../../errors.js";
import { mostElements } from "../limits.js";
import type { Op, Sampler, View } from "../op.js";
import type { Attributes } from "../tensor.js";
import { sizeOf } from "../tensor.js";
import { checkRank, checkShape, text } from "./shapes.js";
import { eachTap, outputExtents } from "./windows.js";

/** inputs: x, w. */
export function depthwise([x, w]: readonly View[], y: View, { window }: Attributes): void {
  const channels = x.shape[3];
  const sums = new Float64Array(y.data.length);
  eachTap(x.shape, y.shape, window!, (output, input, tap) => {
    for (let c = 0; c < channels; c++) {
      sums[output * channels + c] += x.data[input * channels + c] * w.data[tap * channels + c];
    }
  });
  y.data.set(sums);
}

/** inputs: the output's gradient, w. */
export function depthwiseInputGradient([g, w]: readonly View[], dx: View, { window }: Attributes): void {
  const channels = dx.shape[3];
  const sums = new Float64Array(dx.data.length);
  eachTap(dx.shape, g.shape, window!, (output, input, tap) => {
    for (let c = 0; c < channels; c++) {
      sums[input * channels + c] += g.data[output * channels + c] * w.data[tap * channels + c];
    }
  });
  dx.data.set(sums);
}

/** inputs: x, the output's gradient. */
export function depthwiseFilterGradient([x, g]: readonly View[], dw: View, { window }: Attributes): void {
  const channels = x.shape[3];
  const sums = new Float64Array(dw.data.length);
  eachTap(x.shape, g.shape, window!, (output, input, tap) => {
    for (let c = 0; c < channels; c++) {
      sums[tap * channels + c] += x.data[input * channels + c] * g.data[output * channels + c];
    }
  });
  dw.data.set(sums);
}

function sampleShapes(random: Sampler) {
  const pair = (draw: (axis: 0 | 1) => number): [number, number] => [draw(0), draw(1)];
  const size = pair(() => random.integer(1, 3));
  const stride = pair(() => random.integer(1, 3));
  const padding = pair(() => random.integer(0, 3));
  const [images, channels] = random.shape(2);
  const least = (axis: 0 | 1) => Math.max(1, size[axis] - 2 * padding[axis]);
  const x = [images, ...pair((axis) => random.integer(least(axis), 7)), channels];
  const window = { size, stride, padding };
  return { x, w: [...size, channels], y: [images, ...outputExtents("sample", x, window), channels], window };
}

export const depthwiseOps = {
  depthwise: {
    infer([x, w], { window }) {
      checkRank("depthwise", "the input", x.shape, "N, H, W, C");
      checkRank("depthwise", "the filter", w.shape, "rows, columns, C");
      if (x.shape[3] !== w.shape[2]) {
        throw new UserError(
          `depthwise: the input ${text(x.shape)} has ${x.shape[3]} channels but the filter ${text(w.shape)} takes ${w.shape[2]}`,
        );
      }
      const extents = outputExtents("depthwise", x.shape, window);
      if (window!.size.some((size, axis) => size !== w.shape[axis])) {
        throw new UserError(
          `depthwise: the window ${text(window!.size)} must be the filter's, ${text(w.shape.slice(0, 2))}`,
        );
      }
      if (x.shape[0] * extents[0] * extents[1] * sizeOf(w.shape) > mostElements) {
        throw new UserError(
          `depthwise: ${text(x.shape)} with the filter ${text(w.shape)} takes more than 2^50 multiply-adds`,
        );
      }
      return { shape: [x.shape[0], ...extents, x.shape[3]], dtype: "f32" };
    },
    reference: depthwise,
    sample(random) {
      const { x, w, window } = sampleShapes(random);
      return { inputs: [random.values(x), random.uniform(w, -1, 1)], attributes: { window } };
    },
  },
  depthwiseInputGradient: {
    infer: (_, a) => ({ shape: checkShape("depthwiseInputGradient", a.shape), dtype: "f32" }),
    reference: depthwiseInputGradient,
    sample(random) {
      const { x, w, y, window } = sampleShapes(random);
      return { inputs: [random.values(y), random.uniform(w, -1, 1)], attributes: { window, shape: x } };
    },
  },
  depthwiseFilterGradient: {
    infer: (_, a) => ({ shape: checkShape("depthwiseFilterGradient", a.shape), dtype: "f32" }),
    reference: depthwiseFilterGradient,
    sample(random) {
      const { x, w, y, window } = sampleShapes(random);
      return { inputs: [random.values(x), random.uniform(y, -1, 1)], attributes: { window, shape: w } };
    },
  },
} satisfies Record<string, Op>;
