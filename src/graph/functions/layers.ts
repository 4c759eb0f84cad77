/** What layers are made of: convolution, matrix product, pooling. Images are NHWC. */
import { UserError } from "../../errors.js";
import { checkOptions } from "../../errors/options.js";
import { checkTensors, node } from "../node.js";
import { checkRank, text } from "../ops/shapes.js";
import type { Tensor, WindowShape } from "../tensor.js";
import { div, where } from "./arithmetic.js";
import { broadcastTo, reshape } from "./broadcasting.js";
import { array } from "./leaves.js";
import { concatenate, slice } from "./movement.js";
import type { Placement } from "./same.js";
import { pixelsUnder, placementOf } from "./same.js";
import type { ConvolutionOptions, PoolOptions } from "./windows.js";
import { convolutionRules, poolRules } from "./windows.js";

export type { ConvolutionOptions, Padding, Pair, PoolOptions } from "./windows.js";

/**
 * x [N, H, W, C], w [rows, columns, C / groups, outputs] -> [N, H', W', outputs], H' = ⌊(H + 2·padding - rows) / stride⌋ + 1,
 * or ⌈H / stride⌉ with padding "same". Channels and outputs are cut into `groups` of neighbours, and a group's outputs see its
 * channels alone; as many groups as channels make a depthwise convolution.
 */
export function convolution(x: Tensor, w: Tensor, options: ConvolutionOptions = {}): Tensor {
  checkTensors("convolution", x, w);
  checkOptions("convolution", options, convolutionRules, "convolution: ");
  const { stride = 1, padding = 0, groups = 1 } = options;
  checkRank("convolution", "the filter", w.shape, "rows, columns, C, outputs");
  checkRank("convolution", "the input", x.shape, "N, H, W, C");
  const [rows, columns] = w.shape;
  const { window, padded, cropped } = placementOf(x.shape, { size: [rows, columns], stride, padding }, true);
  return cropped(grouped(padded(x), w, groups, window));
}

function grouped(x: Tensor, w: Tensor, groups: number, window: WindowShape): Tensor {
  if (groups === 1) return node("convolution", [x, w], { window });
  const [rows, columns, taken, outputs] = w.shape;
  const [images, height, width, channels] = x.shape;
  if (channels !== groups * taken || outputs % groups !== 0) {
    throw new UserError(
      `convolution: ${groups} groups of the filter ${text(w.shape)} take ${groups * taken} channels and give a multiple of ${groups} outputs, not ${channels} and ${outputs}`,
    );
  }
  if (taken === 1) {
    // An input channel for each output.
    const each = [images, height, width, channels, outputs / channels];
    const repeated = reshape(broadcastTo(reshape(x, [...x.shape, 1]), each), [
      images,
      height,
      width,
      outputs,
    ]);
    return node("depthwise", [outputs === channels ? x : repeated, reshape(w, [rows, columns, outputs])], {
      window,
    });
  }
  const own = outputs / groups;
  const products = Array.from({ length: groups }, (_, i) =>
    node(
      "convolution",
      [
        slice(x, [0, 0, 0, i * taken], [images, height, width, (i + 1) * taken]),
        slice(w, [0, 0, 0, i * own], [rows, columns, taken, (i + 1) * own]),
      ],
      { window },
    ),
  );
  return concatenate(products, 3);
}

/** a [N, K] times b [K, M] -> [N, M]. */
export function matmul(a: Tensor, b: Tensor): Tensor {
  checkTensors("matmul", a, b);
  checkRank("matmul", "the first input", a.shape, "N, K");
  checkRank("matmul", "the second input", b.shape, "K, M");
  const [[n, k], [rows, m]] = [a.shape, b.shape];
  if (k !== rows) {
    throw new UserError(
      `matmul: ${text(a.shape)} has ${k} columns but ${text(b.shape)} has ${rows} rows; they must be equal`,
    );
  }
  return reshape(convolution(reshape(a, [n, 1, 1, k]), reshape(b, [1, 1, k, m])), [n, m]);
}

function placed(op: string, x: Tensor, options: PoolOptions): Placement {
  checkTensors(op, x);
  checkOptions(op, options, poolRules, `${op}: `);
  checkRank(op, "the input", x.shape, "N, H, W, C");
  const { size, stride = size, padding = 0 } = options;
  return placementOf(x.shape, { size, stride, padding }, false);
}

/** The mean over each window; padding counts as zeros, but "same" padding does not count. */
export function averagePool(x: Tensor, options: PoolOptions): Tensor {
  const { window, padded } = placed("averagePool", x, options);
  const total = node("windowSum", [padded(x)], { window });
  const whole = window.size[0] * window.size[1];
  if (options.padding !== "same") return div(total, whole);
  const [rows, columns] = ([0, 1] as const).map((axis) =>
    pixelsUnder(x.shape[axis + 1], total.shape[axis + 1], window, axis),
  );
  const counts = rows.flatMap((height) => columns.map((width) => height * width));
  const isWhole = counts.every((count) => count === whole);
  return div(total, isWhole ? whole : array(Float32Array.from(counts), [rows.length, columns.length, 1]));
}

/** The maximum over each window; padding never wins, and the gradient goes to the first maximum in row order. */
export function maxPool(x: Tensor, options: PoolOptions): Tensor {
  const { window, padded } = placed("maxPool", x, options);
  const images = padded(x);
  return node("windowMax", [images === x ? x : lowered(images, x)], { window });
}

/** Images whose pixels beyond those of x never are a maximum. */
function lowered(images: Tensor, { shape: [, height, width] }: Tensor): Tensor {
  const [, rows, columns] = images.shape;
  const inside = Float32Array.from({ length: rows * columns }, (_, i) =>
    Math.floor(i / columns) < height && i % columns < width ? 1 : 0,
  );
  return where(array(inside, [rows, columns, 1]), images, -Infinity);
}
