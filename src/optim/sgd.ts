/** Stochastic gradient descent with momentum, in PyTorch's form: no dampening, no Nesterov step. */
import type { Rules } from "../errors/options.js";
import { checkOptions, fraction, notNegative, optional, positive } from "../errors/options.js";
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
}

const rules: Rules<SgdOptions> = {
  learningRate: positive,
  momentum: optional(fraction),
  weightDecay: optional(notNegative),
};

/**
 * g' = g + weightDecay·p; v = momentum·v + g', v = 0 before the first step; p = p - learningRate·v.
 *
 * @throws UserError for an option out of range.
 */
export function sgd(options: SgdOptions): Optimizer {
  checkOptions("sgd", options, rules);
  const { learningRate, momentum = 0.9, weightDecay = 0 } = options;
  const own = <T>(velocity: T): Record<string, T> => (momentum === 0 ? {} : { velocity });
  return {
    name: "sgd",
    options: { learningRate, momentum, weightDecay },
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
      return {
        parameters: mapRecord(parameters, (p, name) => sub(p, mul(velocity[name], scalars.learningRate))),
        own: own(velocity),
      };
    },
  };
}
