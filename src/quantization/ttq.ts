/**
 * TTQ: Zhu et al. 2016, "Trained ternary quantization", arXiv 1612.01064. Weights {-n, 0, p}, where p
 * and n are trained for each layer; activations in full precision.
 */
import type { Rules } from "../errors/options.js";
import { checkOptions, optional } from "../errors/options.js";
import type { Tensor } from "../graph/index.js";
import { abs, customGradient, gt, lt, mul, neg, reduceMax, sum, where } from "../graph/index.js";
import type { LayerInfo, Method } from "./method.js";
import { isFirst, isLast } from "./method.js";
import { choice, presetOf } from "./options.js";
import type { Preset } from "./primitives.js";

/** The options of `quant.ttq`. */
export interface TtqOptions {
  /** 2 (three of the four values are used), or 32 for the method's network without its quantizer. Default 2. */
  readonly weightBits?: number;
  /** Default "paper". In "redbit" the two scales have no momentum. */
  readonly preset?: Preset;
}

const rules: Rules<TtqOptions> = {
  weightBits: optional(choice("ttq", [2, 32])),
  preset: presetOf("ttq"),
};

/** TTQ: weights of three values, of which two are trained. @throws UserError for other bits, an unknown preset, and unknown options. */
export function ttq(options: TtqOptions = {}): Method {
  checkOptions("ttq", options, rules);
  const { weightBits = 2, preset = "paper" } = options;
  return {
    name: "ttq",
    options: { weightBits, preset },
    weightBits,
    activationBits: 32,
    pooling: "maximum",
    dropout: 0.5,
    // AlexNet as the published table has it: its norms are of pooled values, or stand before the layer.
    normPlaces: {
      alexnet: { conv1: "pooled", conv2: "pooled", conv3: "before", conv4: "before", conv5: "before" },
    },
    // Section 5: the first and the last layer stay as they are.
    fullPrecision: (layer: LayerInfo) => isFirst(layer) || isLast(layer),
    weights: (w, _, own) => (weightBits === 32 ? w : ternarize(w, own.positive, own.negative)),
    activations: (x) => x,
    ...(weightBits < 32 && { own: () => ({ positive: 1, negative: 1 }) }),
    ownMomentum: preset === "paper",
  };
}

/**
 * Section 4, equations 6 to 8: Δ = 0.05·max |w|; p where w > Δ, -n where w < -Δ, else 0. With g the
 * gradient of that: dw = g·{p, 1, n} by region, dp = Σ g where w > Δ, dn = -Σ g where w < -Δ.
 */
function ternarize(w: Tensor, positive: Tensor, negative: Tensor): Tensor {
  const threshold = mul(reduceMax(abs(w)), 0.05);
  const above = gt(w, threshold);
  const below = lt(w, neg(threshold));
  const value = where(above, positive, where(below, neg(negative), 0));
  return customGradient(value, [w, positive, negative], (g) => [
    mul(g, where(above, positive, where(below, negative, 1))),
    sum(mul(g, above)),
    neg(sum(mul(g, below))),
  ]);
}
