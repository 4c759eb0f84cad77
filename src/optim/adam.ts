/** Adam: Kingma and Ba 2015, arXiv 1412.6980, with the bias corrections as in PyTorch. */
import type { Rules } from "../errors/options.js";
import { checkOptions, checkValue, fraction, notNegative, optional, positive } from "../errors/options.js";
import { add, div, mul, sqrt, square, sub } from "../graph/index.js";
import type { Optimizer } from "./optimizer.js";
import { decayed, mapRecord, zerosLike } from "./records.js";

/** The options of `optim.adam`. */
export interface AdamOptions {
  readonly learningRate: number;
  /** Decay rates of the two moments. Default 0.9 and 0.999. */
  readonly betas?: readonly [number, number];
  /** Added to the root of the second moment. Default 1e-8. */
  readonly epsilon?: number;
  /** Weight decay, added to the gradient (not decoupled as in AdamW). Default 0. */
  readonly weightDecay?: number;
}

const rules: Rules<AdamOptions> = {
  learningRate: positive,
  betas: optional({ allowed: "two numbers", test: (value) => Array.isArray(value) && value.length === 2 }),
  epsilon: optional(positive),
  weightDecay: optional(notNegative),
};

/** @throws UserError for an option out of range. */
export function checkAdam(of: string, options: AdamOptions): void {
  checkOptions(of, options, rules);
  options.betas?.forEach((beta, i) => checkValue(`betas[${i}]`, beta, fraction));
}

/**
 * g' = g + weightDecay·p; m = β1·m + (1 - β1)·g'; v = β2·v + (1 - β2)·g'²; at step t
 * p = p - learningRate/(1 - β1^t) · m / (√v/√(1 - β2^t) + ε).
 *
 * @throws UserError for an option out of range.
 */
export function adam(options: AdamOptions): Optimizer {
  checkAdam("adam", options);
  const { learningRate, betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = 0 } = options;
  const [beta1, beta2] = betas;
  return {
    name: "adam",
    options: { learningRate, betas, epsilon, weightDecay },
    learningRate,
    invariantToScale: true,
    initial: (parameters) => ({ m: zerosLike(parameters), v: zerosLike(parameters) }),
    scalars: (step, rate) => ({
      stepSize: rate / (1 - beta1 ** step),
      rootCorrection: Math.sqrt(1 - beta2 ** step),
    }),
    update(parameters, gradients, own, { stepSize, rootCorrection }) {
      const g = decayed(gradients, parameters, weightDecay);
      const m = mapRecord(g, (gradient, name) => add(mul(own.m[name], beta1), mul(gradient, 1 - beta1)));
      const v = mapRecord(g, (gradient, name) =>
        add(mul(own.v[name], beta2), mul(square(gradient), 1 - beta2)),
      );
      const step = mapRecord(m, (moment, name) =>
        div(mul(moment, stepSize), add(div(sqrt(v[name]), rootCorrection), epsilon)),
      );
      return { parameters: mapRecord(parameters, (p, name) => sub(p, step[name])), own: { m, v } };
    },
  };
}
