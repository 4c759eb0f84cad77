/** Classifies pixels with a trained network. */
import type { Preparation } from "../data/images.js";
import type { ImageSource } from "../data/source.js";
import { arraySource } from "../data/source.js";
import { shown, UserError } from "../errors.js";
import type { Rules } from "../errors/options.js";
import { checkOptions, isObject, optional } from "../errors/options.js";
import type { ExecutorOptions } from "../runtime/choose.js";
import { chooseExecutor, executorRules } from "../runtime/choose.js";
import type { ImageAnswer } from "./answers.js";
import { answerer, broken, classNamesOf, mostOfStored } from "./answers.js";
import type { Trained } from "./evaluate.js";
import { onlyTrained } from "./evaluate.js";
import { parts, which } from "./options.js";
import type { OwnParts } from "./recreate.js";
import { recreate } from "./recreate.js";
import type { Which } from "../run-folder/index.js";
import { loadWeights, readConfig } from "../run-folder/index.js";
import type { Run } from "./train.js";

/** The options of `classifier`; `model` and `method` are for folders of networks that are not fewbit's. */
export interface ClassifierOptions extends ExecutorOptions, OwnParts {
  /** The weights of the best epoch, or the latest ones of the run. Default "best". */
  readonly which?: Which;
}

const classifierRules: Rules<ClassifierOptions> = {
  ...executorRules,
  model: optional(parts.model),
  method: optional(parts.method),
  which,
};

/**
 * Images [height, width, channels] in row-major order: bytes 0 to 255, or floats as the run's own data had
 * them (of bytes: divided by 255). The run's mean and deviation apply to both.
 */
export type Pixels = Uint8Array | Uint8ClampedArray | Float32Array;

/** The answer of a classifier to one image. */
export interface Classification extends ImageAnswer {
  /** The name of the class `answer`. */
  readonly className: string;
}

/** A trained network that is ready to be asked: see `classifier`. */
export interface Classifier {
  /** Height, width and channels of an image. */
  readonly shape: readonly [height: number, width: number, channels: number];
  readonly classNames: readonly string[];
  /** How many epochs the weights were trained. */
  readonly epoch: number;
  /**
   * What the network answers to one image.
   *
   * @throws UserError for pixels of another size or type, and where a logit is NaN.
   */
  predict(pixels: Pixels): Promise<Classification>;
  /** The same for the images [N, height, width, channels] of one array. */
  predictAll(pixels: Pixels): Promise<Classification[]>;
}

/**
 * Makes a trained network ready to be asked: from a run that `train` returned, or from the folder of one. A
 * network or method that is not fewbit's own must be given for a folder, as `model` and `method`: code that a
 * folder names is never loaded.
 *
 * @example
 * const digits = await classifier("runs/first-digits");
 * const { className, probabilities } = await digits.predict(new Uint8Array(28 * 28));
 *
 * @throws UserError for a folder without a run, a damaged one, and parts that are not the run's.
 */
export async function classifier(run: Run | string, options: ClassifierOptions = {}): Promise<Classifier> {
  checkOptions<ClassifierOptions>("classifier", options, classifierRules);
  const { trained, preparation, epoch, of } =
    typeof run === "string" ? fromFolder(run, options) : fromRun(run, options);
  const { executor: name, threads, onWarning } = options;
  const { executor } = chooseExecutor({ executor: name, threads, onWarning });
  const { input: shape, classes } = trained.model;
  const classNames = classNamesOf(preparation, classes);
  const most = typeof run === "string" ? mostOfStored(executor) : undefined;
  const ask = answerer(trained, preparation, executor, most);
  const size = shape[0] * shape[1] * shape[2];
  const predictAll = async (pixels: Pixels, count?: number): Promise<Classification[]> => {
    const answers = await ask(imagesOf(pixels, shape, count));
    return answers.map((answer, i) => {
      if (answer.answer >= 0) return { ...answer, className: classNames[answer.answer] };
      throw broken(of, `image ${i}`);
    });
  };
  await ask(imagesOf(new Uint8Array(size), shape, 1)); // so that it is compiled when somebody waits for an answer
  return {
    shape,
    classNames,
    epoch,
    predict: async (pixels) => (await predictAll(pixels, 1))[0],
    predictAll: (pixels) => predictAll(pixels),
  };
}

/** What a classifier is made of. */
interface Source {
  readonly trained: Trained;
  readonly preparation: Preparation;
  readonly epoch: number;
  /** The run, in words. */
  readonly of: string;
}

function fromFolder(directory: string, { model, method, which = "best" }: ClassifierOptions): Source {
  const config = readConfig(directory);
  const preparation = preparationOf(config.preparation, directory);
  const parts = recreate(directory, config, { model, method });
  const { weights, epoch } = loadWeights(directory, which, parts.model, parts.method);
  return { trained: { ...parts, weights }, preparation, epoch, of: directory };
}

function fromRun(run: Run, { model, method, which = "best" }: ClassifierOptions): Source {
  if (!isObject(run) || ![run.config, run.weights, run.lastWeights, run.best, run.last].every(isObject)) {
    throw new UserError(`classifier takes a run, as train() returns it, or its folder, got ${shown(run)}`);
  }
  const given = Object.entries({ model, method }).find(([, part]) => part !== undefined)?.[0];
  if (given !== undefined) {
    throw new UserError(
      `${given} goes with the folder of a run; a run that train() returned has its own`,
      given,
    );
  }
  const weights = which === "best" ? run.weights : run.lastWeights;
  const trained = onlyTrained({ ...run, weights });
  const { epoch } = which === "best" ? run.best : run.last;
  const of = run.directory ?? "this run";
  return { trained, preparation: preparationOf(run.config.preparation, of), epoch, of };
}

function preparationOf(preparation: Preparation | undefined, of: string): Preparation {
  if (preparation !== undefined) return preparation;
  throw new UserError(`${of} does not say how its images were prepared; train it again with this fewbit`);
}

/** @param count how many images there must be; undefined for any number. @throws UserError */
function imagesOf(pixels: unknown, shape: Classifier["shape"], count: number | undefined): ImageSource {
  const isPixels =
    pixels instanceof Uint8Array || pixels instanceof Uint8ClampedArray || pixels instanceof Float32Array;
  if (!isPixels) {
    throw new UserError(`pixels must be a Uint8Array of bytes or a Float32Array, got ${shown(pixels)}`);
  }
  const size = shape[0] * shape[1] * shape[2];
  const fits = count === undefined ? pixels.length % size === 0 : pixels.length === count * size;
  if (!fits) {
    const need = `an image of ${shape.join("x")} has ${size}${count === undefined ? ", so several have a multiple of it" : ""}`;
    throw new UserError(`pixels has ${pixels.length} values; ${need}`);
  }
  const at = pixels instanceof Float32Array ? pixels.findIndex((value) => !Number.isFinite(value)) : -1;
  if (at >= 0) {
    throw new UserError(`pixels has ${pixels[at]} at position ${at}; values must be finite`);
  }
  const images =
    pixels instanceof Uint8ClampedArray
      ? new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength)
      : pixels;
  const number = pixels.length / size;
  return arraySource({ images, labels: new Uint8Array(number), count: number }, shape);
}
