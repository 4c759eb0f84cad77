/** Stochastic gradient descent with momentum, in PyTorch's form, without dampening. */
import { UserError } from "../errors.js";
import type { Rules } from "../errors/options.js";
import { checkOptions, flag, fraction, notNegative, optional, positive } from "../errors/options.js";
import { add, mul, sub } from "../graph/index.js";
import type { Optimizer } from "./optimizer.js";
import { decayed, mapRecord, zerosLike } from "./records.js";

/** The options of `optim.sgd`. */
export interface SgdOptions {
  readonly learningRate: number;
  /** The share of the velocity that is kept. Default 0.9; 0 keeps no velocity. */
  readonly momentum?: number;
  /** Weight decay, added to the gradient before momentum. Default 0. */
  readonly weightDecay?: number;
  /** Nesterov's momentum: a step follows the gradient and the velocity that is kept of the new one. Default false. */
  readonly nesterov?: boolean;
}

const rules: Rules<SgdOptions> = {
  learningRate: positive,
  momentum: optional(fraction),
  weightDecay: optional(notNegative),
  nesterov: optional(flag),
};

/**
 * g' = g + weightDecay·p; v = momentum·v + g', v = 0 before the first step; p = p - learningRate·v. With
 * `nesterov` p = p - learningRate·(g' + momentum·v).
 *
 * @throws UserError for an option out of range, and for `nesterov` without momentum.
 */
export function sgd(options: SgdOptions): Optimizer {
  checkOptions("sgd", options, rules);
  const { learningRate, momentum = 0.9, weightDecay = 0, nesterov = false } = options;
  if (nesterov && momentum === 0) throw new UserError("nesterov needs a momentum above 0, got 0", "nesterov");
  const own = <T>(velocity: T): Record<string, T> => (momentum === 0 ? {} : { velocity });
  return {
    name: "sgd",
    // Runs of before had no such option, and are known by their options.
    options: { learningRate, momentum, weightDecay, ...(nesterov ? { nesterov } : {}) },
    learningRate,
    initial: (parameters) => own(zerosLike(parameters)),
    scalars: (_, rate) => ({ learningRate: rate }),
    update(parameters, gradients, { velocity: before }, scalars, withoutMomentum = () => false) {
      const g = decayed(gradients, parameters, weightDecay);
      const velocity =
        momentum === 0
          ? g
          : mapRecord(g, (gradient, name) =>
              withoutMomentum(name) ? gradient : add(mul(before[name], momentum), gradient),
            );
      const direction = nesterov
        ? mapRecord(velocity, (v, name) => (withoutMomentum(name) ? v : add(g[name], mul(v, momentum))))
        : velocity;
      return {
        parameters: mapRecord(parameters, (p, name) => sub(p, mul(direction[name], scalars.learningRate))),
        own: own(velocity),
      };
    },
  };
}
