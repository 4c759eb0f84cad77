/** Classifies image files with a stored run's network. */
import { decodeImages } from "../data/index.js";
import { rulesOf } from "../data/rules.js";
import { arraySource } from "../data/source.js";
import { shown, UserError } from "../errors.js";
import type { Rules } from "../errors/options.js";
import { checkOptions, checkValue, flag, optional, text } from "../errors/options.js";
import type { Network } from "../nn/index.js";
import type { Method } from "../quantization/index.js";
import type { ExecutorOptions } from "../runtime/choose.js";
import { chooseExecutor, executorRules } from "../runtime/choose.js";
import { answerer, broken, classNamesOf, mostOfStored } from "./answers.js";
import { parts, which as whichWeights } from "./options.js";
import type { Which } from "../run-folder/index.js";
import { loadWeights, readConfig } from "../run-folder/index.js";

/** The options of `predictRun`. */
export interface PredictOptions extends ExecutorOptions {
  readonly model: Network;
  readonly method: Method;
  /** Default "best". */
  readonly which?: Which;
  /** Inverts the images: for dark on light where the network learned light on dark, such as digits, or the reverse. */
  readonly invert?: boolean;
}

const predictRules: Rules<PredictOptions> = {
  ...executorRules,
  model: parts.model,
  method: parts.method,
  which: whichWeights,
  invert: optional(flag),
};

/** The answer of a network to one image file. */
export interface Prediction {
  readonly file: string;
  /** The index of the class of the largest logit, the first of equals. */
  readonly answer: number;
  /** The probability of each class. */
  readonly probabilities: Float32Array;
}

/** What `predictRun` returns. */
export interface Predictions {
  readonly classNames: readonly string[];
  /** How many epochs the weights were trained. */
  readonly epoch: number;
  /** One per file, in their order. */
  readonly predictions: readonly Prediction[];
}

/**
 * Loads a stored run's weights and compiles its network for one image, without an answer, so that problems are reported
 * before images are read for it.
 *
 * @throws UserError as `predictRun` does.
 */
export function checkAnswerable(
  directory: string,
  { model, method, which = "best", ...options }: Omit<PredictOptions, "invert">,
): void {
  const { weights } = loadWeights(directory, which, model, method);
  const { executor } = chooseExecutor(options);
  answerer({ model, method, weights }, { mean: [], std: [] }, executor, mostOfStored(executor));
}

/**
 * Classifies image files of any size, prepared as the run's own test images were: of the network's
 * size and channels, with the training images' mean and standard deviation.
 *
 * @throws UserError for a run that is damaged or another network's, for files that are no images, and
 *   where a logit is NaN.
 */
export async function predictRun(
  directory: string,
  files: readonly string[],
  given: PredictOptions,
): Promise<Predictions> {
  checkOptions<PredictOptions>("predictRun", given, predictRules);
  const { model, method, which = "best", invert, ...options } = given;
  if (!Array.isArray(files)) throw new UserError(`files must be an array of paths, got ${shown(files)}`);
  (files as readonly unknown[]).forEach((file, i) => checkValue(`files[${i}]`, file, text));
  const { preparation } = readConfig(directory);
  if (preparation === undefined) {
    throw new UserError(
      `${directory} does not say how its images were prepared; train it again with this fewbit`,
    );
  }
  const { weights, epoch } = loadWeights(directory, which, model, method);
  const { input: shape, classes } = model;
  const { executor } = chooseExecutor(options);
  const ask = answerer({ model, method, weights }, preparation, executor, mostOfStored(executor));
  const images = await decodeImages(files, { shape, invert, rules: rulesOf(preparation) });
  const set = { images, labels: new Uint8Array(files.length), count: files.length };
  const answers = await ask(arraySource(set, shape));
  const unanswered = answers.findIndex(({ answer }) => answer === -1);
  if (unanswered !== -1) throw broken(directory, files[unanswered]);
  return {
    classNames: classNamesOf(preparation, classes),
    epoch,
    predictions: answers.map(({ answer, probabilities }, i) => ({ file: files[i], answer, probabilities })),
  };
}
