/** Scores of a network on a set of images, and its answers to single ones. */
import { isDeepStrictEqual } from "node:util";
import type { State } from "../compiler/state.js";
import { createState } from "../compiler/state.js";
import { evaluationBatches } from "../data/batches.js";
import type { Dataset } from "../data/dataset.js";
import type { ImageSet, ImageSource } from "../data/source.js";
import { sourceOf, viewOf } from "../data/source.js";
import { checkDataset } from "../data/check.js";
import { shown, UserError } from "../errors.js";
import type { HostArray } from "../graph/host.js";
import type { Rules } from "../errors/options.js";
import { checkOptions, checkValue, objectOf, optional, whole } from "../errors/options.js";
import type { Network } from "../nn/index.js";
import type { Method } from "../quantization/index.js";
import type { ExecutorOptions } from "../runtime/choose.js";
import { chooseExecutor, executorRules } from "../runtime/choose.js";
import type { ImageAnswer, Trained } from "./answers.js";
import { answerer } from "./answers.js";
import type { ConfusionCounts, Scores, Sums, Weights, Which } from "../run-folder/index.js";
import {
  addBatch,
  countAnswers,
  loadWeights,
  mostClasses,
  noCounts,
  noImages,
  readConfig,
  scoresOf,
} from "../run-folder/index.js";
import { checkFits, feed } from "./feed.js";
import { parts, settingRule, which as whichWeights } from "./options.js";
import type { WeightTensors } from "./step.js";
import { compileScores } from "./step.js";
import { UnderWay } from "./under-way.js";

export type { Trained } from "./answers.js";

type ScoreStep = ReturnType<typeof compileScores>;

const trainedRules: Rules<Trained> = {
  model: parts.model,
  method: parts.method,
  weights: objectOf("weights { parameters, statistics }", { parameters: "object", statistics: "object" }),
};

/** The scores of a set of images, and which classes were taken for which; no counts for more than 100 classes. */
export interface Scored {
  readonly scores: Scores;
  readonly counts: ConfusionCounts | undefined;
  /** Images that were left out because they are damaged. */
  readonly damaged: number;
}

/** The error of a set of which no image is left. */
export const noneSound = (set: "training" | "test"): UserError =>
  new UserError(`none of the ${set} images can be read; replace the damaged ones`, "dataDirectory");

/** A batch whose scores are being computed. */
interface BatchUnderWay {
  readonly results: ReturnType<ScoreStep>;
  readonly labels: HostArray["data"];
}

/** What is scored, and the callbacks. */
export interface Scoring {
  readonly set: ImageSet | ImageSource;
  readonly batchSize: number;
  /** Called with the progress. */
  readonly onBatch?: (step: number, steps: number) => void;
  readonly isStopped?: () => Promise<boolean>;
}

/** Scores all images of a set in batches. Resolves to undefined if `isStopped` becomes true before the end. */
export async function score(
  step: ScoreStep,
  state: State<WeightTensors>,
  data: Dataset,
  { set, batchSize, onBatch, isStopped }: Scoring,
): Promise<Scored | undefined> {
  const batches = evaluationBatches(set, data, batchSize);
  const counts = data.classes > mostClasses ? undefined : noCounts(data.classes);
  let [sums, done]: [Sums, number] = [noImages, 0];
  const underWay = new UnderWay<BatchUnderWay>(
    state.executor.target.stepsUnderWay,
    async ({ results, labels }) => {
      const { loss, top1, top5, logits } = await results;
      sums = addBatch(sums, labels.length, loss.data[0], top1.data[0], top5.data[0]);
      if (counts !== undefined) countAnswers(counts, logits, labels);
      onBatch?.(++done, batches.steps);
    },
  );
  const complete = await feed(batches, data.shape, 0, 0, async (batch) => {
    if (batch.labels.data.length > 0) {
      await underWay.add({ results: step(state, batch), labels: batch.labels.data.slice() });
    } else onBatch?.(++done, batches.steps);
    return (await isStopped?.()) !== true;
  });
  await underWay.settle();
  if (!complete) return undefined;
  if (sums.images === 0) throw noneSound("test");
  return { scores: scoresOf(sums), counts, damaged: set.count - sums.images };
}

/** The options of `evaluateTrained`. */
export interface EvaluateOptions extends ExecutorOptions {
  /** Images that are scored at a time; the scores do not depend on it. Default 128. */
  readonly batchSize?: number;
}

const evaluateRules: Rules<EvaluateOptions> = {
  ...executorRules,
  batchSize: optional(settingRule("batchSize")),
};

/** Scores of test images; `damaged` says how many of them were left out because they are damaged, if any were. */
export type TestScores = Scores & { readonly damaged?: number };

/** Loss and accuracies (percent) of a trained network on the test images. */
export async function evaluateTrained(
  trained: Trained,
  data: Dataset,
  asked: EvaluateOptions = {},
): Promise<TestScores> {
  const { model, method, weights } = onlyTrained(trained);
  checkDataset(data);
  checkOptions<EvaluateOptions>("evaluateTrained", asked, evaluateRules);
  const { batchSize, ...options } = asked;
  checkFits(model, data);
  const { executor } = chooseExecutor(options);
  const state = createState<WeightTensors>(plain(weights), { executor });
  const step = compileScores(model, method, executor);
  const scored = await score(step, state, data, { set: data.test, batchSize: batchSize ?? 128 });
  const { scores, damaged } = scored as Scored;
  return damaged === 0 ? scores : { ...scores, damaged };
}

/** The options of `evaluateRun`. */
export interface EvaluateRunOptions extends EvaluateOptions {
  readonly model: Network;
  readonly method: Method;
  readonly data: Dataset;
  /** Default "best". */
  readonly which?: Which;
}

const evaluateRunRules: Rules<EvaluateRunOptions> = { ...evaluateRules, ...parts, which: whichWeights };

/**
 * Scores of a stored run's weights on the test images, and how many epochs they were trained. The images are
 * normalised by the run's own mean and deviation, whatever those of `data` are.
 *
 * @throws UserError for a run that is damaged or another network's, and for data of other class names than the run's.
 */
export async function evaluateRun(
  directory: string,
  asked: EvaluateRunOptions,
): Promise<TestScores & { readonly epoch: number }> {
  checkOptions<EvaluateRunOptions>("evaluateRun", asked, evaluateRunRules);
  const { model, method, data, which = "best", ...options } = asked;
  const { preparation } = readConfig(directory);
  const { weights, epoch } = loadWeights(directory, which, model, method);
  const [trained, given] = [preparation?.classNames, data.classNames];
  if (trained !== undefined && given !== undefined && !isDeepStrictEqual(trained, given)) {
    throw new UserError(
      `${directory} was trained to tell ${trained.join(", ")} apart, but the classes of ${data.name} are ${given.join(", ")}; give images of the same classes in the same order`,
      "data",
    );
  }
  // Data without names gets the run's with the rest.
  const prepared = { ...data, ...preparation };
  return { epoch, ...(await evaluateTrained({ model, method, weights }, prepared, options)) };
}

/** The answer of a network to one test image, and the image's label. */
export interface Answer extends ImageAnswer {
  readonly label: number;
}

/** The answers to the test images at the given indices. It compiles the network: to ask it again and again, `classifier`. */
export async function classify(
  trained: Trained,
  data: Dataset,
  indices: readonly number[],
  options: ExecutorOptions = {},
): Promise<Answer[]> {
  const only = onlyTrained(trained);
  checkDataset(data);
  checkFits(only.model, data);
  checkIndices(indices, data.test.count);
  const chosen = viewOf(sourceOf(data.test, data.shape), Uint32Array.from(indices));
  const answers = await answerer(only, data, chooseExecutor(options).executor)(chosen);
  return answers.map((answer, i) => ({ label: chosen.labels[i], ...answer }));
}

/** @throws UserError for an index that no test image has. */
function checkIndices(indices: readonly number[], count: number): void {
  if (!Array.isArray(indices)) throw new UserError(`indices must be an array, got ${shown(indices)}`);
  const rule = whole(0, count - 1);
  indices.forEach((index, i) => checkValue(`indices[${i}]`, index, rule));
}

/** The parts of a trained network, from an object that may hold more, such as a run. @throws UserError for anything else. */
export function onlyTrained(trained: Trained): Trained {
  const { model, method, weights } = Object(trained) as Trained;
  const only = { model, method, weights };
  checkOptions<Trained>("a trained network", only, trainedRules);
  return only;
}

/** Only the weights, from an object that may hold more. */
function plain({ parameters, statistics }: Weights): Weights {
  return { parameters, statistics };
}
