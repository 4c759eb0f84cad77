/** The answers of a trained network to images: one probability per class. It is compiled once and may be asked any number of times. */
import { createState } from "../compiler/state.js";
import type { ImageSource } from "../data/source.js";
import { allOf } from "../data/source.js";
import type { Preparation } from "../data/images.js";
import { memoryText, UserError } from "../errors.js";
import type { HostArray } from "../graph/host.js";
import type { Network } from "../nn/index.js";
import type { Method } from "../quantization/index.js";
import type { Weights } from "../run-folder/index.js";
import type { Executor } from "../runtime/executor.js";
import { answerOf } from "../run-folder/index.js";
import type { WeightTensors } from "./step.js";
import { compileLogits } from "./step.js";

/** A trained network: what it computes with. */
export interface Trained {
  readonly model: Network;
  readonly method: Method;
  readonly weights: Weights;
}

/** What a network answers to one image. */
export interface ImageAnswer {
  /** The index of the class of the largest logit, the first of equals; -1 where a logit is NaN. */
  readonly answer: number;
  /** The probability of each class. */
  readonly probabilities: Float32Array;
}

/** The error for a network whose logits are NaN. */
export const broken = (network: string, asked: string): UserError =>
  new UserError(
    `the network of ${network} answers ${asked} with NaN: its numbers broke down in training; train it again with a lower learning rate`,
  );

/** The names of the classes; their numbers if a run's data had no names. */
export const classNamesOf = ({ classNames }: Preparation, classes: number): readonly string[] =>
  classNames ?? Array.from({ length: classes }, (_, label) => String(label));

/**
 * The number of images in one batch, fewer where they are large, so that memory does not grow with their number. The
 * rest is split into batches of halved sizes, so that a few Programs serve any number.
 */
const atOnce = 256;

/**
 * The most bytes for an answer of a run that is read from its folder: only its configuration says how large its images
 * are, and the run may come from a stranger.
 */
export const mostOfStored = ({ memoryLimit }: Executor): number => Math.min(memoryLimit, 2 ** 32);

/**
 * A function from images to answers, in their order. It copies the weights; images are normalised by the
 * preparation. What a network answers to an image does not depend on the others.
 *
 * @param mostBytes that one Program may use.
 * @throws UserError if that of one image needs more.
 */
export function answerer(
  { model, method, weights: { parameters, statistics } }: Trained,
  { mean, std }: Pick<Preparation, "mean" | "std">,
  executor: Executor,
  mostBytes = executor.memoryLimit,
): (images: ImageSource) => Promise<ImageAnswer[]> {
  const { input: shape } = model;
  const size = shape[0] * shape[1] * shape[2];
  const state = createState<WeightTensors>({ parameters, statistics }, { executor });
  const step = compileLogits(model, method, executor, mostBytes);
  if (4 * size > mostBytes) {
    throw new UserError(
      `one image of ${shape.join("x")} takes ${memoryText(4 * size)} of memory, but at most ${memoryText(mostBytes)} may be used for it`,
    );
  }
  const one = step.program(state, { images: { data: new Float32Array(size), shape: [1, ...shape] } });
  const bytesOfOne = Object.values(one.bytes).reduce((sum, bytes) => sum + bytes, 0);
  return async (images) => {
    const { count } = images;
    const all = allOf(count);
    const answers: ImageAnswer[] = [];
    for (let part = atOnce; answers.length < count;) {
      while (part > count - answers.length || (part > 1 && part * bytesOfOne > mostBytes)) part /= 2;
      const pixels = new Float32Array(part * size);
      const chosen = all.subarray(answers.length, answers.length + part);
      const leftOut = await images.fill(chosen, undefined, { images: pixels, mean, std });
      if (leftOut !== undefined) {
        throw new UserError(
          `the image at place ${chosen[leftOut[0]]} of those asked for is damaged, so that there is no answer to it`,
        );
      }
      const { logits } = await step(state, { images: { data: pixels, shape: [part, ...shape] } });
      for (let i = 0; i < part; i++) {
        answers.push({ answer: answerOf(logits, i), probabilities: softmaxOfRow(logits, i) });
      }
    }
    return answers;
  };
}

function softmaxOfRow({ data, shape: [, classes] }: HostArray, row: number): Float32Array {
  const logits = data.slice(row * classes, (row + 1) * classes);
  const largest = Math.max(...logits);
  const exponentials = Float64Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = exponentials.reduce((a, b) => a + b, 0);
  return Float32Array.from(exponentials, (value) => value / sum);
}
