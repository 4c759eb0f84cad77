/** What layers are made of: convolution, matrix product, pooling. Images are NHWC. */
import { UserError } from "../../errors.js";
import { checkOptions } from "../../errors/options.js";
import { checkTensors, node } from "../node.js";
import { checkRank, text } from "../ops/shapes.js";
import type { Tensor, WindowShape } from "../tensor.js";
import { div } from "./arithmetic.js";
import { reshape } from "./broadcasting.js";
import type { ConvolutionOptions, PoolOptions } from "./windows.js";
import { convolutionRules, pair, poolRules } from "./windows.js";

export type { ConvolutionOptions, Pair, PoolOptions } from "./windows.js";

/** x [N, H, W, C], w [rows, columns, C, outputs] -> [N, H', W', outputs], H' = ⌊(H + 2·padding - rows) / stride⌋ + 1. */
export function convolution(x: Tensor, w: Tensor, options: ConvolutionOptions = {}): Tensor {
  checkTensors("convolution", x, w);
  checkOptions("convolution", options, convolutionRules, "convolution: ");
  const { stride = 1, padding = 0 } = options;
  checkRank("convolution", "the filter", w.shape, "rows, columns, C, outputs");
  const [rows, columns] = w.shape;
  return node("convolution", [x, w], {
    window: { size: [rows, columns], stride: pair(stride), padding: pair(padding) },
  });
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

function windowOf(op: string, options: PoolOptions): WindowShape {
  checkOptions(op, options, poolRules, `${op}: `);
  const { size, stride = size, padding = 0 } = options;
  return { size: pair(size), stride: pair(stride), padding: pair(padding) };
}

/** The mean over each window; padding counts as zeros. */
export function averagePool(x: Tensor, options: PoolOptions): Tensor {
  const window = windowOf("averagePool", options);
  return div(node("windowSum", [x], { window }), window.size[0] * window.size[1]);
}

/** The maximum over each window; padding never wins, and the gradient goes to the first maximum in row order. */
export const maxPool = (x: Tensor, options: PoolOptions): Tensor =>
  node("windowMax", [x], { window: windowOf("maxPool", options) });
