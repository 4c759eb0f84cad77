/** `train`: from checked options to a finished run. */
import { join } from "node:path";
import { createState } from "../compiler/state.js";
import { holdOut } from "../data/batches.js";
import type { Dataset } from "../data/dataset.js";
import { decodeRules, rulesOf } from "../data/rules.js";
import type { LayerSummary, Network, Tensors } from "../nn/index.js";
import { costOf, describe, initialise } from "../nn/index.js";
import { initialOf } from "../optim/index.js";
import type { Method } from "../quantization/index.js";
import type { Executor } from "../runtime/executor.js";
import { chooseExecutor, emitWarning } from "../runtime/choose.js";
import { isThere } from "../files/read.js";
import type {
  EpochMetrics,
  InitialRecord,
  RunConfig,
  Split,
  TrainingValues,
  Weights,
  WeightSource,
} from "../run-folder/index.js";
import {
  bestEpoch,
  checkResumable,
  eventFiles,
  fileNames,
  identityText,
  makeConfig,
  readConfig,
  readSource,
  recipeOf,
  refuseOtherRules,
  revisionOf,
  RunDirectory,
  signsOfAll,
  tieRuleOf,
  withoutData,
} from "../run-folder/index.js";
import { takeWeights } from "./initial-weights.js";
import { lastStepWarning } from "./last-step.js";
import { checkMemory } from "./memory.js";
import type { Job } from "./loop.js";
import { Training } from "./loop.js";
import { compileStart } from "./step.js";
import type { CheckedOptions, TrainOptions } from "./train-options.js";
import { checkedOptions } from "./train-options.js";

export type { TrainOptions } from "./train-options.js";

/** A finished or interrupted training: what was measured, and the weights. */
export interface Run {
  readonly model: Network;
  readonly method: Method;
  readonly data: Dataset;
  /** The scores that the best epoch is chosen by: the highest top-1, the first of equals. */
  readonly chosenOn: Split;
  /** Epoch 0, with NaN for numbers, if the run was interrupted before the end of the first. */
  readonly best: EpochMetrics;
  readonly last: EpochMetrics;
  readonly metrics: readonly EpochMetrics[];
  readonly layers: readonly LayerSummary[];
  /** The weights of the best epoch, and (`lastWeights`) those of the last step. */
  readonly weights: Weights;
  readonly lastWeights: Weights;
  /** The time of all epochs, evaluation included. */
  readonly seconds: number;
  /** Training images per second of this process, without evaluation. */
  readonly imagesPerSecond: number;
  readonly interrupted: boolean;
  /** Whether it was the file `stop` in its directory that interrupted it. */
  readonly stopped: boolean;
  readonly config: RunConfig;
  readonly directory: string | undefined;
}

/**
 * Trains a network. Everything is checked before anything is written.
 *
 * @throws UserError for options that exclude each other, a directory in use, and a directory that holds another run.
 * @throws DivergenceError when the loss is no longer a number; the last checkpoint is kept.
 */
export function train(options: TrainOptions): Promise<Run> {
  return trainFromQueue(undefined, options);
}

/** Trains a run that a queue, if any, has given to this process alone: the lock of its earlier owner is taken over. */
export async function trainFromQueue(queue: string | undefined, options: TrainOptions): Promise<Run> {
  const { training, job, config } = await begin(checkedOptions(options), queue);
  const { model, method, data, layers, validation, directory } = job;
  try {
    const { metrics, best, last, interrupted, stopped, imagesPerSecond } = await training.run();
    return {
      model,
      method,
      data,
      metrics,
      layers,
      imagesPerSecond,
      interrupted,
      stopped,
      config,
      chosenOn: validation === undefined ? "test" : "validation",
      best: bestEpoch(metrics) ?? unmeasured,
      last: metrics.at(-1) ?? unmeasured,
      weights: best,
      lastWeights: last,
      seconds: metrics.reduce((sum, { seconds }) => sum + seconds, 0),
      directory: options.directory,
    };
  } finally {
    directory?.close();
  }
}

/** Everything before the first step. The result does not hold the initial values, which are as large as the state. */
async function begin(settings: CheckedOptions, queue: string | undefined) {
  const { model, method, optimizer, gradients, batchSize, accumulate, seed, epochs } = settings;
  const { directory: path, onWarning = emitWarning, onProgress = () => {}, signal } = settings;
  const split = settings.validation > 0 ? holdOut(settings.data, settings.validation, seed) : undefined;
  const { executor } = chooseExecutor({ executor: settings.executor, threads: settings.threads, onWarning });
  if (gradients === "bf16" && !executor.target.bf16Products) {
    onWarning(
      `bf16 gradients are emulated here: the ${executor.name} executor (${executor.instructionSet}) has no products of bf16, so they are no faster`,
    );
  }
  const { parameters: specs, statistics, layers } = describe(model, method);
  const warning = lastStepWarning((split ?? settings.data).train.count, batchSize, accumulate);
  if (warning !== undefined && statistics.length > 0 && settings.lastBatch === "keep") {
    onWarning(`${warning}, and lastBatch "drop" leaves it out`);
  }
  // A run goes on by the rules that it started with, or not at all.
  const previous = settings.resume === true && path !== undefined ? readConfig(path) : undefined;
  const revision = previous === undefined ? revisionOf(settings) : previous.revision;
  const rules = previous === undefined ? (settings.data.rules ?? decodeRules) : rulesOf(previous.preparation);
  const { source, record } = initialOfRun(settings, previous);
  const recipe = recipeOf(settings, rules, revision, record);
  const cost = costOf(model, method);
  const images = { train: settings.data.train.count, test: settings.data.test.count };
  const config = makeConfig({ recipe, epochs, executor, images, cost, options: settings.options }, previous);
  const refuse = (stored: RunConfig): void =>
    refuseOtherRules(stored.revision, settings, "train", path ?? "");
  if (path !== undefined && settings.resume === true) checkResumable(path, config, model, method, refuse);
  checkMemory({ ...settings, executor, batchSize, accumulate, count: (split ?? settings.data).train.count });
  const drawn = { parameters: initialise(specs, seed), statistics: initialise(statistics, seed) };
  const begun = source === undefined ? drawn : taken(drawn, source, settings);
  const parameters = await start(model, method, begun.parameters, executor);
  const initial: TrainingValues = {
    parameters,
    statistics: begun.statistics,
    optimizer: initialOf(optimizer, parameters),
  };
  const expected = { values: withoutData(initial), signs: signsOfAll(layers, parameters) };
  const events =
    path !== undefined && settings.log?.includes("tensorboard") === true
      ? new (await eventFiles()).EventFile(path, config)
      : undefined;
  const open = (directory: string) =>
    RunDirectory.open(directory, {
      resume: settings.resume ?? false,
      overwrite: settings.overwrite ?? false,
      queue,
      identity: identityText(model, method),
      refuseOtherRules: refuse,
      config,
      expected,
      events,
      onWarning,
    });
  const job: Job = {
    ...settings,
    schedule: settings.schedule,
    executor,
    layers,
    onProgress,
    onWarning,
    signal,
    ties: tieRuleOf(revision),
    data: split ?? settings.data,
    validation: split?.validation,
    directory: path === undefined ? undefined : open(path),
  };
  try {
    return { job, config, training: new Training(job, initial) };
  } catch (error) {
    job.directory?.close();
    throw error;
  }
}

/** The weights that a run starts from, if it does not draw them, and their record. A run that goes on from its checkpoint does not need them. */
function initialOfRun(
  { initialWeights, initSkip, resume, directory = "" }: CheckedOptions,
  previous: RunConfig | undefined,
): { source?: WeightSource; record?: InitialRecord } {
  if (initialWeights === undefined) return {};
  const begun = previous?.initialWeights;
  const hasCheckpoint = resume === true && isThere(join(directory, fileNames.checkpoint));
  if (typeof initialWeights === "string" && begun !== undefined && hasCheckpoint) {
    return { record: { checksum: begun.checksum, skip: initSkip } };
  }
  const source = readSource(initialWeights);
  return { source, record: { checksum: source.checksum, skip: initSkip } };
}

/** The weights of a source in place of those drawn. */
function taken(
  drawn: Weights,
  source: WeightSource,
  { model, initSkip, onInitialWeights }: CheckedOptions,
): Weights {
  const { weights, report } = takeWeights(drawn, source, { model: model.name, skip: initSkip ?? [] });
  onInitialWeights?.(report);
  return weights;
}

/** The initial parameters as the method constrains them. */
async function start(
  model: Network,
  method: Method,
  parameters: Weights["parameters"],
  executor: Executor,
): Promise<Weights["parameters"]> {
  if (method.constrain === undefined) return parameters;
  const constrain = compileStart(model, method, executor);
  const initial = createState<{ parameters: Tensors }>({ parameters }, { executor });
  const { state } = await constrain(initial, {});
  return (await state.read("parameters")).parameters;
}

const nothing = { loss: NaN, top1: NaN, top5: NaN };
const unmeasured: EpochMetrics = {
  epoch: 0,
  step: 0,
  seconds: 0,
  learningRate: NaN,
  trainLoss: NaN,
  trainTop1: NaN,
  split: "test",
  ...nothing,
  test: nothing,
};
