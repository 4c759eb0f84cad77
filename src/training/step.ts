/** The compiled functions of a training: one step, the scores of a batch, logits, and the quantized weights. */
import { valueAndGradients } from "../compiler/autodiff.js";
import { compile } from "../compiler/compile.js";
import type { Tensor } from "../graph/index.js";
import type { TieRule } from "../graph/index.js";
import { add, neg, reduceMax, topKCorrect } from "../graph/index.js";
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
import { checkUpdate, isMethodScalar } from "../optim/index.js";
import type { Method } from "../quantization/index.js";
import type { Executor } from "../runtime/executor.js";
import type { Loss } from "../optim/losses.js";
import { crossEntropy, lossValue } from "../optim/losses.js";

export type WeightTensors = { readonly parameters: Tensors; readonly statistics: Tensors };
export type TrainingTensors = WeightTensors & { readonly optimizer: Readonly<Record<string, Tensors>> };

/** images f32 [N, height, width, channels], labels i32 [N]. */
type LabelledTensors = { readonly images: Tensor; readonly labels: Tensor };
/** random: i32 [2], the key of the step's random numbers; scalars: the optimizer's, each of shape []. */
type StepTensors = LabelledTensors & { readonly random: Tensor; readonly scalars: Tensors };

/** The options of a step. */
export interface StepRules {
  /** "bf16" rounds the gradients that layers on codes multiply. Default "f32". */
  readonly gradients?: GradientType;
  /** How equal logits count. Default "first". */
  readonly ties?: TieRule;
  /** What is minimised. Default: the cross-entropy. */
  readonly loss?: Loss;
}

/** One step of training: (state, batch) to the next state, the mean loss and the numbers of right answers. */
export function compileStep(
  network: Network,
  method: Method,
  optimizer: Optimizer,
  executor: Executor,
  { gradients = "f32", ties = "first", loss = crossEntropy }: StepRules = {},
) {
  return compile(
    (state: TrainingTensors, { images, labels, random, scalars }: StepTensors) => {
      const {
        value,
        auxiliary,
        gradients: parameterGradients,
      } = valueAndGradients((parameters: Tensors) => {
        const weights = { parameters, statistics: state.statistics };
        const { logits, statistics } = apply(network, method, weights, images, {
          training: true,
          random,
          gradients,
        });
        return { value: lossValue(loss, logits, labels), auxiliary: { logits, statistics } };
      }, state.parameters);
      const { parameters, own } = updated(
        { network, method, optimizer },
        state.parameters,
        parameterGradients,
        state.optimizer,
        scalars,
      );
      return {
        state: {
          parameters: constrainWeights(network, method, parameters),
          statistics: auxiliary.statistics,
          optimizer: own,
        },
        loss: value,
        ...rightAnswers(auxiliary.logits, labels, ties),
      };
    },
    { executor },
  );
}

/** The parameters after the optimizer's step, scaled as the method asks but not yet constrained by it; and the optimizer's own tensors. */
export function updated(
  { network, method, optimizer }: { network: Network; method: Method; optimizer: Optimizer },
  before: Tensors,
  gradients: Tensors,
  own: TrainingTensors["optimizer"],
  scalars: Tensors,
): ReturnType<Optimizer["update"]> {
  const withoutMomentum = (name: string) => method.ownMomentum === false && isMethodScalar(name);
  const scaled = scaleGradients(network, method, gradients, optimizer);
  const after = optimizer.update(before, scaled, own, scalars, withoutMomentum);
  checkUpdate(optimizer, after, { parameters: before, own });
  return { ...after, parameters: scaleSteps(network, method, before, after.parameters) };
}

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
function rightAnswers(logits: Tensor, labels: Tensor, ties: TieRule): { top1: Tensor; top5: Tensor } {
  return {
    top1: topKCorrect(logits, labels, 1, ties),
    top5: topKCorrect(logits, labels, Math.min(5, logits.shape[1]), ties),
  };
}
