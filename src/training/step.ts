/** The compiled functions of a training: one step, the scores of a batch, logits, and the quantized weights. */
import { valueAndGradients } from "../compiler/autodiff.js";
import { compile } from "../compiler/compile.js";
import type { Tensor } from "../graph/index.js";
import type { TieRule } from "../graph/index.js";
import { add, broadcastTo, constant, mul, neg, reduceMax, topKCorrect } from "../graph/index.js";
import type { GradientType, Network, Tensors } from "../nn/index.js";
import {
  apply,
  constrainWeights,
  quantizedInputs,
  quantizedWeights,
  scaleGradients,
  scaleSteps,
} from "../nn/index.js";
import type { Optimizer } from "../optim/index.js";
import { checkUpdate, clipped, isMethodScalar } from "../optim/index.js";
import type { Method } from "../quantization/index.js";
import type { Executor } from "../runtime/executor.js";
import type { Loss } from "../optim/losses.js";
import { kept, withoutMeant } from "./patterns.js";
import { crossEntropy, lossValue } from "../optim/losses.js";

export type WeightTensors = { readonly parameters: Tensors; readonly statistics: Tensors };
export type TrainingTensors = WeightTensors & { readonly optimizer: Readonly<Record<string, Tensors>> };

/** images f32 [N, height, width, channels], labels i32 [N]. */
type LabelledTensors = { readonly images: Tensor; readonly labels: Tensor };
/** random: i32 [2], the key of the random numbers. */
type PassTensors = LabelledTensors & { readonly random: Tensor };
/** scalars: the optimizer's, each of shape []. */
type StepTensors = PassTensors & { readonly scalars: Tensors };

/** The options of a step. */
export interface StepRules {
  /** "bf16" rounds the gradients that layers on codes multiply. Default "f32". */
  readonly gradients?: GradientType;
  /** How equal logits count. Default "first". */
  readonly ties?: TieRule;
  /** What is minimised. Default: the cross-entropy. */
  readonly loss?: Loss;
  /** Patterns of layers and norms that stay as they are. Default: none. */
  readonly freeze?: readonly string[];
  /** The most that the norm of all gradients together may be; larger ones are scaled down to it. */
  readonly clipNorm?: number;
}

/** One step of training: (state, batch) to the next state, the mean loss and the numbers of right answers. */
export function compileStep(
  network: Network,
  method: Method,
  optimizer: Optimizer,
  executor: Executor,
  rules: StepRules = {},
) {
  const pass = passOf(network, method, rules);
  return compile(
    (state: TrainingTensors, { scalars, ...batch }: StepTensors) => {
      const { gradients, statistics, loss, logits } = pass(state, batch);
      const after = constrained({ network, method, optimizer, ...rules }, state, gradients, scalars);
      return {
        state: { parameters: after.parameters, statistics, optimizer: after.optimizer },
        loss,
        ...rightAnswers(logits, batch.labels, rules.ties),
      };
    },
    { executor },
  );
}

/** What is trained, and the gradients that have been summed since the last update: zeros after it. */
export type SummingTensors = TrainingTensors & { readonly gradients: Tensors };

/**
 * The part of a step on one of the small batches that its batch is divided into: adds `share` times the gradients of the
 * mean loss to those summed so far.
 */
export function compileSummedPass(
  network: Network,
  method: Method,
  executor: Executor,
  rules: StepRules = {},
) {
  const pass = passOf(network, method, rules);
  return compile(
    (
      { gradients: sums, ...state }: SummingTensors,
      { share, ...batch }: PassTensors & { readonly share: Tensor },
    ) => {
      const { gradients, statistics, loss, logits } = pass(state, batch, share);
      const summed = Object.entries(sums).map(([name, sum]) => [name, add(sum, gradients[name])] as const);
      return {
        state: { ...state, statistics, gradients: Object.fromEntries(summed) },
        loss,
        ...rightAnswers(logits, batch.labels, rules.ties),
      };
    },
    { executor },
  );
}

/** The update by the gradients that have been summed. */
export function compileUpdate(
  network: Network,
  method: Method,
  optimizer: Optimizer,
  executor: Executor,
  { freeze, clipNorm }: StepRules = {},
) {
  return compile(
    ({ gradients, ...state }: SummingTensors, { scalars }: Pick<StepTensors, "scalars">) => {
      const after = constrained({ network, method, optimizer, freeze, clipNorm }, state, gradients, scalars);
      const zeros = Object.entries(gradients).map(
        ([name, { shape }]) => [name, broadcastTo(constant(0), shape)] as const,
      );
      return {
        state: {
          parameters: after.parameters,
          statistics: state.statistics,
          optimizer: after.optimizer,
          gradients: Object.fromEntries(zeros),
        },
      };
    },
    { executor },
  );
}

/** Forward and backward: the logits and the mean loss of a batch, the loss's gradients times `share`, and the statistics after the batch. */
function passOf(
  network: Network,
  method: Method,
  { gradients = "f32", loss = crossEntropy, freeze }: StepRules,
) {
  return (
    { parameters, statistics }: WeightTensors,
    { images, labels, random }: PassTensors,
    share?: Tensor,
  ) => {
    const { auxiliary, gradients: ofParameters } = valueAndGradients((inputs: Tensors) => {
      const weights = { parameters: inputs, statistics };
      const options = { training: true, random, gradients };
      const { logits, ...after } = apply(network, method, weights, images, options);
      const value = lossValue(loss, logits, labels);
      return {
        value: share === undefined ? value : mul(value, share),
        auxiliary: { loss: value, logits, statistics: kept(freeze, statistics, after.statistics) },
      };
    }, parameters);
    return { ...auxiliary, gradients: ofParameters };
  };
}

/** What is trained after an update, its weights as the method constrains them. */
function constrained(
  parts: Updating,
  { parameters, optimizer }: TrainingTensors,
  gradients: Tensors,
  scalars: Tensors,
): Pick<TrainingTensors, "parameters" | "optimizer"> {
  const after = updated(parts, parameters, clippedBy(parts, gradients), optimizer, scalars);
  const latent = constrainWeights(parts.network, parts.method, after.parameters);
  return { parameters: kept(parts.freeze, parameters, latent), optimizer: after.own };
}

/** The loss's gradients by the norm of those that are used, before a method multiplies any of them by a number of its own. */
const clippedBy = ({ clipNorm, freeze }: Updating, gradients: Tensors): Tensors =>
  clipNorm === undefined
    ? gradients
    : { ...gradients, ...clipped(withoutMeant(freeze, gradients), clipNorm) };

/** What an update follows from. */
interface Updating extends Pick<StepRules, "freeze" | "clipNorm"> {
  readonly network: Network;
  readonly method: Method;
  readonly optimizer: Optimizer;
}

/** The parameters after the optimizer's step, scaled as the method asks but not yet constrained by it; and the optimizer's own tensors. */
export function updated(
  { network, method, optimizer, freeze }: Updating,
  before: Tensors,
  gradients: Tensors,
  own: TrainingTensors["optimizer"],
  scalars: Tensors,
): ReturnType<Optimizer["update"]> {
  const withoutMomentum = (name: string) => method.ownMomentum === false && isMethodScalar(name);
  const scaled = scaleGradients(network, method, gradients, optimizer);
  const given = {
    parameters: withoutMeant(freeze, before),
    own: mapped(own, (record) => withoutMeant(freeze, record)),
  };
  const after = optimizer.update(
    given.parameters,
    withoutMeant(freeze, scaled),
    given.own,
    scalars,
    withoutMomentum,
  );
  checkUpdate(optimizer, after, given);
  if (freeze === undefined) {
    return { ...after, parameters: scaleSteps(network, method, before, after.parameters) };
  }
  return {
    parameters: scaleSteps(network, method, before, { ...before, ...after.parameters }),
    own: mapped(own, (record, key) => ({ ...record, ...after.own[key] })),
  };
}

const mapped = <T, U>(
  record: Readonly<Record<string, T>>,
  change: (value: T, key: string) => U,
): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));

/** What training starts from: the initial parameters as the method constrains them. */
export function compileStart(network: Network, method: Method, executor: Executor) {
  return compile(
    ({ parameters }: { readonly parameters: Tensors }, _batch: Record<string, never>) => ({
      state: { parameters: constrainWeights(network, method, parameters) },
    }),
    { executor },
  );
}

/** The mean cross-entropy of a batch, whatever was minimised, the numbers of right answers, and the logits [N, classes]. */
export function compileScores(network: Network, method: Method, executor: Executor, ties: TieRule = "first") {
  return compile(
    (state: WeightTensors, { images, labels }: LabelledTensors) => {
      const logits = logitsOf(network, method, state, images);
      return { loss: crossEntropy.value(logits, labels), ...rightAnswers(logits, labels, ties), logits };
    },
    { executor },
  );
}

/** The logits [N, classes] of a batch. */
export function compileLogits(
  network: Network,
  method: Method,
  executor: Executor,
  memoryLimit = executor.memoryLimit,
) {
  return compile(
    (state: WeightTensors, { images }: { readonly images: Tensor }) => ({
      logits: logitsOf(network, method, state, images),
    }),
    { executor, memoryLimit },
  );
}

/** The range (largest minus smallest value) of the quantized input of each layer, over a batch in training. */
export function compileSpreads(network: Network, method: Method, executor: Executor) {
  return compile(
    (state: WeightTensors, { images, random }: Pick<StepTensors, "images" | "random">) => {
      const inputs = quantizedInputs(network, method, state, images, { training: true, random });
      const spread = (x: Tensor) => add(reduceMax(x), reduceMax(neg(x)));
      return { spreads: Object.fromEntries(Object.entries(inputs).map(([name, x]) => [name, spread(x)])) };
    },
    { executor },
  );
}

/** The weights that each layer computes with, by parameter name. */
export function compileQuantizedWeights(network: Network, method: Method, executor: Executor) {
  return compile(
    ({ parameters }: WeightTensors, _batch: Record<string, never>) => ({
      weights: quantizedWeights(network, method, parameters),
    }),
    { executor },
  );
}

function logitsOf(network: Network, method: Method, state: WeightTensors, images: Tensor): Tensor {
  return apply(network, method, state, images, { training: false }).logits;
}

/** With fewer than five classes the top five are all of them. */
function rightAnswers(
  logits: Tensor,
  labels: Tensor,
  ties: TieRule = "first",
): { top1: Tensor; top5: Tensor } {
  return {
    top1: topKCorrect(logits, labels, 1, ties),
    top5: topKCorrect(logits, labels, Math.min(5, logits.shape[1]), ties),
  };
}
