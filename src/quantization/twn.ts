/** TWN: Li et al. 2016, "Ternary weight networks", arXiv 1605.04711. Weights α·{-1, 0, 1}, activations in full precision. */
import type { Rules } from "../errors/options.js";
import { checkOptions, optional } from "../errors/options.js";
import type { Tensor } from "../graph/index.js";
import {
  abs,
  coded,
  div,
  ge,
  gt,
  le,
  lt,
  max,
  mean,
  mul,
  neg,
  straightThrough,
  sum,
} from "../graph/index.js";
import type { Method } from "./method.js";
import { choice, presetOf } from "./options.js";
import type { Preset } from "./primitives.js";
import { ternaryCodes } from "./primitives.js";

/** The options of `quant.twn`. */
export interface TwnOptions {
  /** 2 (three of the four values are used), or 32 for the method's network without its quantizer. Default 2. */
  readonly weightBits?: number;
  /** Default "paper". "redbit" has a threshold and scale for each output channel, and ties count as ±1. */
  readonly preset?: Preset;
}

const rules: Rules<TwnOptions> = {
  weightBits: optional(choice("twn", [2, 32])),
  preset: presetOf("twn"),
};

/** TWN: weights of three values. @throws UserError for other bits, an unknown preset, and unknown options. */
export function twn(options: TwnOptions = {}): Method {
  checkOptions("twn", options, rules);
  const { weightBits = 2, preset = "paper" } = options;
  return {
    name: "twn",
    options: { weightBits, preset },
    weightBits,
    activationBits: 32,
    pooling: "maximum",
    dropout: 0.5,
    fullPrecision: () => false,
    weights: (w) => (weightBits === 32 ? w : ternarize(w, preset)),
    activations: (x) => x,
  };
}

/**
 * Sections 2.2 and 2.3: Δ = 0.7·mean |w|; +1 where w > Δ, -1 where w < -Δ, else 0; α = the mean of |w|
 * where |w| > Δ. In "redbit" ties |w| = Δ are ±1, and have no part in α all the same. The gradient passes
 * unchanged.
 */
function ternarize(w: Tensor, preset: Preset): Tensor {
  const perChannel = preset === "redbit";
  const axes = w.shape.map((_, axis) => axis).slice(0, perChannel ? -1 : undefined);
  const size = abs(w);
  const threshold = mul(mean(size, axes), 0.7);
  const kept = gt(size, threshold);
  const scale = div(sum(mul(size, kept), axes), max(sum(kept, axes), 1));
  const [above, below] = perChannel ? [ge, le] : [gt, lt];
  const ternary = ternaryCodes(above(w, threshold), below(w, neg(threshold)));
  return straightThrough(coded(ternary, scale), w);
}
