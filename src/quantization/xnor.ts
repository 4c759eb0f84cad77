/**
 * XNOR-Net and, with activations in full precision, BWN: Rastegari et al. 2016, "XNOR-Net: ImageNet
 * classification using binary convolutional neural networks", arXiv 1603.05279.
 *
 * Batch normalisation stands before the signs that a quantized layer multiplies, not after the layer.
 */
import type { Rules } from "../errors/options.js";
import { checkOptions, checkValue, flag, optional } from "../errors/options.js";
import type { Tensor, WindowShape } from "../graph/index.js";
import {
  abs,
  add,
  averagePool,
  clip,
  coded,
  customGradient,
  lt,
  mean,
  mul,
  relu,
  sizeOf,
  stopGradient,
  sub,
  sum,
  where,
} from "../graph/index.js";
import type { LayerInfo, Method } from "./method.js";
import { isFirst, isLast } from "./method.js";
import { choice, presetOf } from "./options.js";
import type { Preset } from "./primitives.js";
import { passWithinOne, signCodes } from "./primitives.js";

/** The options of `quant.xnor`. */
export interface XnorOptions {
  /** 1, or 32 for the method's network without its quantizer. Default 1. */
  readonly weightBits?: number;
  /** 1 (XNOR-Net), or 32 (BWN). Default 1. */
  readonly activationBits?: number;
  /** Default "paper". */
  readonly preset?: Preset;
  /** ReLU after quantized layers too, as the published table has it. Default: in "redbit", and with activations in full precision. */
  readonly reluAfterConvolution?: boolean;
  /** Multiplies outputs by K, the mean |x| over each window (section 3.2). Only in "paper"; default false, as in the authors' code. */
  readonly inputScale?: boolean;
}

const rules: Rules<XnorOptions> = {
  weightBits: optional(choice("xnor", [1, 32])),
  activationBits: optional(choice("xnor", [1, 32])),
  preset: presetOf("xnor"),
  reluAfterConvolution: optional(flag),
  inputScale: optional(flag),
};

/**
 * XNOR-Net: weights and activations of 1 bit; BWN: weights alone.
 *
 * @throws UserError for other bits, an unknown preset, and options that are unknown or exclude each other.
 */
export function xnor(options: XnorOptions = {}): Method {
  checkOptions("xnor", options, rules);
  const { weightBits = 1, activationBits = 1, preset = "paper", inputScale = false } = options;
  const { reluAfterConvolution = preset === "redbit" || activationBits === 32 } = options;
  if (activationBits === 32) {
    const rule = choice("xnor with activations of 32 bits", [true]);
    checkValue("reluAfterConvolution", reluAfterConvolution, rule);
  }
  if (preset === "redbit" || activationBits === 32) {
    const where = preset === "redbit" ? "preset redbit" : "activations of 32 bits";
    checkValue("inputScale", inputScale, choice(`xnor with ${where}`, [false]));
  }
  const fullPrecision = (layer: LayerInfo) => isFirst(layer) || isLast(layer);
  return {
    name: "xnor",
    options: { weightBits, activationBits, preset, reluAfterConvolution, inputScale },
    weightBits,
    activationBits,
    pooling: "maximum",
    normalisation: "before",
    // Figure 3: a sign is taken of normalised values only.
    normalisesEveryInput: preset === "paper" && activationBits === 1,
    normPlaces: { alexnet: { conv1: "pooled", fc3: "before" } },
    dropout: 0,
    fullPrecision,
    weights: (w) => (weightBits === 32 ? w : binarize(w, preset)),
    activations: (x) => (activationBits === 32 ? x : passWithinOne(signCodes(x, preset), x, true)),
    nonlinearity: (x, layer) => (reluAfterConvolution || fullPrecision(layer) ? relu(x) : x),
    ...(weightBits < 32 && { constrain: centre }),
    ...(preset === "paper" && weightBits < 32 && { gradientFactor: timesCount }),
    ...(inputScale && { output: scaleByInput }),
  };
}

/** The axis of a layer's weights that runs over its inputs. */
const inputAxis = (w: Tensor) => w.shape.length - 2;

/**
 * Constrains latent weights as in the authors' code: centred over the input channels, then clamped. A single channel is
 * not centred, since that would make it zero.
 */
function centre(w: Tensor): Tensor {
  const centred = w.shape[inputAxis(w)] === 1 ? w : sub(w, mean(w, inputAxis(w), true));
  return clip(centred, -1, 1);
}

/**
 * Section 3.1: α·sign(w), α = mean |w| for each output channel. With N weights an output channel and C
 * inputs, the gradient is in "paper" (the authors' code) g·(1/N + α·1{|w| < 1})·(1 - 1/C), in "redbit"
 * the exact chain rule (1 - 1/C)·N·(α·g + sign(w)/N·Σ sign(w)·g), the sum over the output channel.
 * 1 - 1/C comes from the centring, and is 1 where that is left out.
 */
function binarize(w: Tensor, preset: Preset): Tensor {
  const axes = w.shape.map((_, axis) => axis).slice(0, -1);
  const count = sizeOf(w.shape.slice(0, -1));
  const inputs = w.shape[inputAxis(w)];
  const centring = inputs === 1 ? 1 : 1 - 1 / inputs;
  const scale = mean(abs(w), axes);
  const signs = signCodes(w, preset);
  return customGradient(coded(signs, scale), [w], (g) => {
    if (preset === "paper") {
      const factor = add(where(lt(abs(w), 1), scale, 0), 1 / count);
      return [mul(g, mul(factor, centring))];
    }
    const along = mul(sum(mul(signs, g), axes), 1 / count);
    return [mul(add(mul(scale, g), mul(signs, along)), centring * count)];
  });
}

/** N: the authors' code has it in "paper" too. It is left out with Adam and its like, where it would cancel. */
const timesCount: Method["gradientFactor"] = ({ shape }, _, invariantToScale) =>
  invariantToScale ? 1 : sizeOf(shape.slice(0, -1));

/** y·K: K is the mean |x| over the inputs of each output, a constant for the gradient. */
function scaleByInput(y: Tensor, x: Tensor, _: LayerInfo, window?: WindowShape): Tensor {
  const size = mean(abs(x), -1, true);
  return mul(y, stopGradient(window === undefined ? size : averagePool(size, window)));
}
