/**
 * DoReFa-Net: Zhou et al. 2016, "DoReFa-Net: Training low bitwidth convolutional neural networks with
 * low bitwidth gradients", arXiv 1606.06160. q_k(x) = round(n·x)/n of x in [0, 1], n = 2^k - 1.
 */
import type { Rules } from "../errors/options.js";
import { checkOptions, optional } from "../errors/options.js";
import type { Tensor } from "../graph/index.js";
import {
  abs,
  add,
  clip,
  coded,
  codes,
  customGradient,
  div,
  eq,
  lt,
  mean,
  mul,
  random as uniform,
  reduceMax,
  relu,
  stopGradient,
  straightThrough,
  sub,
  tanh,
  where,
} from "../graph/index.js";
import type { LayerInfo, Method } from "./method.js";
import { isFirst, isLast } from "./method.js";
import { bits, presetOf } from "./options.js";
import type { Preset } from "./primitives.js";
import { centredCodes, signCodes, steps, unitCodes } from "./primitives.js";

/** The options of `quant.dorefa`. */
export interface DorefaOptions {
  /** 1 to 8, or 32. */
  readonly weightBits: number;
  readonly activationBits: number;
  /** The bits of the gradients at the outputs of quantized layers. Default 32. */
  readonly gradientBits?: number;
  /**
   * Default "paper". "redbit": sign(0) = 0 in weights of 1 bit, activations of 1 bit are 1 where x > 0,
   * the largest weight is a constant for the gradient, and what the last layer multiplies is not limited.
   */
  readonly preset?: Preset;
}

const rules: Rules<DorefaOptions> = {
  weightBits: bits,
  activationBits: bits,
  gradientBits: optional(bits),
  preset: presetOf("dorefa"),
};

/** DoReFa-Net: weights, activations and gradients of few bits. @throws UserError for bits other than 1 to 8 or 32, an unknown preset, and unknown options. */
export function dorefa(options: DorefaOptions): Method {
  checkOptions("dorefa", options, rules);
  const { weightBits, activationBits, gradientBits = 32, preset = "paper" } = options;
  return {
    name: "dorefa",
    options: { weightBits, activationBits, gradientBits, preset },
    weightBits,
    activationBits,
    residual: "preactivation",
    dropout: 0,
    // Section 2.7: the first and the last layer stay as they are.
    fullPrecision: (layer) => isFirst(layer) || isLast(layer),
    weights: (w) => quantizeWeights(w, weightBits, preset),
    activations: (x) => quantizeActivations(x, activationBits, preset),
    // The last layer's input is bounded like every other's, but not rounded. In a residual network it is the mean of
    // sums without activation, and stays as it is.
    nonlinearity: (x, { index, count }) =>
      preset === "paper" && activationBits < 32 && index === count - 2 ? clip(relu(x), 0, 1) : relu(x),
    ...(gradientBits < 32 && {
      outputGradient: (y: Tensor, { index }: LayerInfo, key: Tensor) =>
        quantizeGradient(y, gradientBits, uniform(key, y.shape, index)),
    }),
  };
}

/**
 * Section 2.3. k = 1: E·sign(w), E = mean |w|; the gradient passes unchanged.
 * k > 1: 2·q_k(tanh(w) / (2·max |tanh w|) + 1/2) - 1; the gradient passes the rounding unchanged and
 * goes through tanh and the maximum. 0 / 0 counts as 0.
 */
function quantizeWeights(w: Tensor, bits: number, preset: Preset): Tensor {
  if (bits === 32) return w;
  if (bits === 1) return straightThrough(coded(signCodes(w, preset), mean(abs(w))), w);
  const t = tanh(w);
  const maximum = reduceMax(abs(t));
  const largest = preset === "paper" ? maximum : stopGradient(maximum);
  const half = div(t, where(eq(largest, 0), 1, mul(largest, 2)));
  return straightThrough(coded(centredCodes(add(half, 0.5), bits), 1 / steps(bits)), mul(half, 2));
}

/** Section 2.4: q_k(clip(x, 0, 1)), in "redbit" with k = 1 1{x > 0}; the gradient is g·1{0 <= x <= 1}. */
function quantizeActivations(x: Tensor, bits: number, preset: Preset): Tensor {
  if (bits === 32) return x;
  const clipped = clip(x, 0, 1);
  const levels =
    bits === 1 && preset === "redbit"
      ? codes(lt(0, x), { lo: 0, hi: 1, step: 1 })
      : coded(unitCodes(clipped, bits), 1 / steps(bits));
  return straightThrough(levels, clipped);
}

/**
 * Section 2.5: y, of which the gradient g becomes 2M·[q_k(clip(g/(2M) + 1/2 + N, 0, 1)) - 1/2],
 * M = max |g| over each sample, N uniform in ±1/(2n), made from `noise`, uniform in [0, 1).
 */
function quantizeGradient(y: Tensor, bits: number, noise: Tensor): Tensor {
  const n = steps(bits);
  return customGradient(y, [y], (g) => {
    const sampleAxes = g.shape.map((_, axis) => axis).slice(1);
    const largest = reduceMax(abs(g), sampleAxes, true);
    const half = div(g, where(eq(largest, 0), 1, mul(largest, 2)));
    const dithered = add(add(half, 0.5), div(sub(noise, 0.5), n));
    // 2M·(r/n - 1/2) = (M/n)·(2r - n)
    return [coded(centredCodes(clip(dithered, 0, 1), bits), div(largest, n))];
  });
}
