/**
 * QNN: Hubara et al. 2016, "Quantized neural networks: training neural networks with low precision
 * weights and activations", arXiv 1609.07061. k > 1 bits are two's complement fractions:
 * clamp(round(n·x)/n, -1, 1 - 1/n), n = 2^(k-1).
 */
import type { Rules } from "../errors/options.js";
import { checkOptions } from "../errors/options.js";
import type { Tensor } from "../graph/index.js";
import {
  abs,
  clip,
  coded,
  div,
  eq,
  reduceMax,
  relu,
  sizeOf,
  straightThrough,
  where,
} from "../graph/index.js";
import type { Method } from "./method.js";
import { bits, presetOf } from "./options.js";
import type { Preset } from "./primitives.js";
import { passWithinOne, signCodes, signedCodes } from "./primitives.js";

/** The options of `quant.qnn`. */
export interface QnnOptions {
  /** 1 to 8, or 32. */
  readonly weightBits: number;
  readonly activationBits: number;
  /** Default "paper". "redbit" scales weights of 2 bits and more by their largest, and does not clamp latent weights. */
  readonly preset?: Preset;
}

const rules: Rules<QnnOptions> = { weightBits: bits, activationBits: bits, preset: presetOf("qnn") };

/** QNN: weights and activations of few bits. @throws UserError for bits other than 1 to 8 or 32, an unknown preset, and unknown options. */
export function qnn(options: QnnOptions): Method {
  checkOptions("qnn", options, rules);
  const { weightBits, activationBits, preset = "paper" } = options;
  const open = preset === "redbit";
  return {
    name: "qnn",
    options: { weightBits, activationBits, preset },
    weightBits,
    activationBits,
    pooling: "maximum",
    dropout: 0,
    fullPrecision: () => false,
    weights: (w) => quantizeWeights(w, weightBits, preset),
    // The first layer takes the images as they are.
    activations: (x, { index }) => (index === 0 ? x : quantizeActivations(x, activationBits, preset)),
    nonlinearity: (x) => (activationBits === 32 ? relu(x) : passWithinOne(clip(x, -1, 1), x, open)),
    ...(preset === "paper" && weightBits < 32 && latentWithinOne),
  };
}

/**
 * Latent weights as in the authors' code: in [-1, 1] from the start, so that they reach all levels, with steps longer
 * by as much as Glorot's U(±√(1.5/(fanIn + fanOut))) is narrower than that.
 */
const latentWithinOne: Partial<Method> = {
  initialBound: () => 1,
  stepFactor: ({ shape }) => {
    const [inputs, outputs] = shape.slice(-2);
    return Math.sqrt((sizeOf(shape.slice(0, -2)) * (inputs + outputs)) / 1.5);
  },
  constrain: (w) => clip(w, -1, 1),
};

/** k = 1: sign(w). k > 1: as above, in "redbit" of w/m and times m = max |w|. The gradient passes unchanged. */
function quantizeWeights(w: Tensor, bits: number, preset: Preset): Tensor {
  if (bits === 32) return w;
  if (bits === 1) return straightThrough(signCodes(w, preset), w);
  const n = 2 ** (bits - 1);
  if (preset === "paper") return straightThrough(coded(signedCodes(w, bits), 1 / n), w);
  const largest = reduceMax(abs(w));
  const relative = div(w, where(eq(largest, 0), 1, largest));
  return straightThrough(coded(signedCodes(relative, bits), div(largest, n)), w);
}

/** Quantizes Hardtanh's values; at k = 1 to sign(x). The gradient is g·1{|x| <= 1}, in "redbit" g·1{|x| < 1}. */
function quantizeActivations(x: Tensor, bits: number, preset: Preset): Tensor {
  if (bits === 32) return x;
  const value = bits === 1 ? signCodes(x, preset) : coded(signedCodes(x, bits), 1 / 2 ** (bits - 1));
  return passWithinOne(value, x, preset === "redbit");
}
