/** AdamW: Loshchilov and Hutter 2019, arXiv 1711.05101, in PyTorch's form: the decay is scaled by the learning rate. */
import { mul } from "../graph/index.js";
import type { AdamOptions } from "./adam.js";
import { adam, checkAdam } from "./adam.js";
import type { Optimizer } from "./optimizer.js";
import { isMethodScalar, mapRecord } from "./records.js";

/** The options of `optim.adamw`. */
export interface AdamwOptions extends Omit<AdamOptions, "weightDecay"> {
  /** The share of each weight that a step takes away, times the learning rate. Default 0.01. */
  readonly weightDecay?: number;
}

/** The default weight decay of AdamW, that of PyTorch. */
export const adamwDecay = 0.01;

/**
 * p' = (1 - learningRate·weightDecay)·p, then Adam's step from p' by the gradient alone. A method's own scalars do not decay.
 *
 * @throws UserError for an option out of range.
 */
export function adamw(options: AdamwOptions): Optimizer {
  checkAdam("adamw", options);
  const { weightDecay = adamwDecay } = options;
  const steps = adam({ ...options, weightDecay: 0 });
  return {
    ...steps,
    name: "adamw",
    options: { ...steps.options, weightDecay },
    scalars: (step, rate) => ({ ...steps.scalars(step, rate), kept: 1 - rate * weightDecay }),
    update(parameters, gradients, own, { kept, ...scalars }) {
      const shrunk = mapRecord(parameters, (p, name) => (isMethodScalar(name) ? p : mul(p, kept)));
      return steps.update(shrunk, gradients, own, scalars);
    },
  };
}
