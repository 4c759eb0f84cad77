/** `train`: the epoch loop, from checked options to a finished run. */
import { createState } from "../compiler/state.js";
import { holdOut } from "../data/batches.js";
import type { Dataset } from "../data/dataset.js";
import { decodeRules, rulesOf } from "../data/rules.js";
import { memoryText, UserError } from "../errors.js";
import type { Rule, Rules } from "../errors/options.js";
import {
  abortSignal,
  callback,
  checkedBy,
  checkOptions,
  flag,
  optional,
  plain,
  text,
} from "../errors/options.js";
import { sizeOf } from "../graph/index.js";
import { usableMemory } from "../machine.js";
import type { GradientType, LayerSummary, Network, ParameterSpec, Tensors } from "../nn/index.js";
import { costOf, describe, hasCodes, initialise } from "../nn/index.js";
import type { Optimizer, Schedule } from "../optim/index.js";
import { checkSchedule, initialOf, rateOf, scalarsOf } from "../optim/index.js";
import type { Method } from "../quantization/index.js";
import type { ExecutorName } from "../runtime/executor.js";
import type { Executor } from "../runtime/executor.js";
import { chooseExecutor, emitWarning, executorRules } from "../runtime/choose.js";
import type { EpochMetrics, RunConfig, Split, TrainingValues, Weights } from "../run-folder/index.js";
import {
  bestEpoch,
  checkResumable,
  eventFiles,
  identityOf,
  makeConfig,
  readConfig,
  recipeOf,
  refuseOtherRules,
  revisionOf,
  RunDirectory,
  signsOfAll,
  tieRuleOf,
  withoutData,
} from "../run-folder/index.js";
import type { Setting } from "./setting.js";
import type { CodeKey, LogKind } from "./settings.js";
import { codeKeys, settings as settingsTable } from "./settings.js";
import { checkFits } from "./feed.js";
import { lastStepWarning } from "./last-step.js";
import type { Job } from "./loop.js";
import { Training } from "./loop.js";
import type { Loss } from "../optim/losses.js";
import { crossEntropy } from "../optim/losses.js";
import type { TrainProgress } from "./progress.js";
import { parts, settingRule, training } from "./options.js";
import { compileStart } from "./step.js";

/** The options of `train`. */
export interface TrainOptions {
  readonly model: Network;
  readonly method: Method;
  readonly data: Dataset;
  readonly optimizer: Optimizer;
  /** Scales the optimizer's rate epoch by epoch; by default it stays. */
  readonly schedule?: Schedule;
  /** What is minimised. Default: the cross-entropy, which the scores of images are in any case. */
  readonly loss?: Loss;
  readonly epochs: number;
  /** "bf16": the gradients that layers on codes multiply are rounded to bfloat16. Default "f32". */
  readonly gradients?: GradientType;
  /** Images a step. Default 128. */
  readonly batchSize?: number;
  /** What becomes of the images of an epoch that do not fill a batch: "keep" takes them in a smaller last step. Default "keep". */
  readonly lastBatch?: "keep" | "drop";
  /** Decides initial weights, order, augmentation and all else that is random. Default 1. */
  readonly seed?: number;
  /** Where the run is kept; without it nothing is written. */
  readonly directory?: string;
  /** Training images to hold out and choose the best epoch on. Default 0: it is chosen on the test set. */
  readonly validation?: number;
  /** Goes on from the directory's checkpoint; the result has the same bits as one run without a break. */
  readonly resume?: boolean;
  /** Replaces a run that is in the directory. */
  readonly overwrite?: boolean;
  readonly executor?: ExecutorName;
  /** The bits of the result do not depend on it. */
  readonly threads?: number;
  readonly onProgress?: (progress: TrainProgress) => void;
  /** Hears what the user should know. Default: Node's own warnings, on standard error. */
  readonly onWarning?: (message: string) => void;
  /**
   * When raised, the running step is finished and the run is kept, to be resumed in the middle of the
   * epoch. So it is within a second when a file named `stop` is put into the directory.
   */
  readonly signal?: AbortSignal;
  /** What else is written into the directory: "tensorboard" for an event file. */
  readonly log?: readonly LogKind[];
  /** Kept in `config.json` as `options`. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Checksums of files of code that parts of the run come from, by part. Kept in `config.json`: the run goes on with the same alone. */
  readonly code?: Readonly<Record<string, string>>;
}

/** A finished or interrupted training: what was measured, and the weights. */
export interface Run {
  readonly model: Network;
  readonly method: Method;
  readonly data: Dataset;
  /** What the best epoch is chosen on: the highest top-1, the first of equals. */
  readonly chosenOn: Split;
  /** Epoch 0, with NaN for numbers, if the run was interrupted before the end of the first. */
  readonly best: EpochMetrics;
  readonly last: EpochMetrics;
  readonly metrics: readonly EpochMetrics[];
  readonly layers: readonly LayerSummary[];
  /** The weights of the best epoch, and (`lastWeights`) those of the last step. */
  readonly weights: Weights;
  readonly lastWeights: Weights;
  /** How long all epochs took, evaluation included. */
  readonly seconds: number;
  /** Training images a second, by this process, evaluation not counted. */
  readonly imagesPerSecond: number;
  readonly interrupted: boolean;
  /** Whether it was the file `stop` in its directory that interrupted it. */
  readonly stopped: boolean;
  readonly config: RunConfig;
  readonly directory: string | undefined;
}

const trainRules: Rules<TrainOptions> = {
  ...executorRules,
  ...parts,
  ...training,
  schedule: optional(checkedBy(checkSchedule)),
  ...(Object.fromEntries(codeKeys.map((key) => [key, optional(settingRule(key))])) as Record<CodeKey, Rule>),
  epochs: settingRule("epochs"),
  directory: optional(text),
  resume: optional(flag),
  overwrite: optional(flag),
  onProgress: optional(callback),
  signal: optional(abortSignal),
  options: optional(plain),
  code: optional(plain),
};

/**
 * Trains a network. Everything is checked before anything is written.
 *
 * @throws UserError for options that do not go together, a directory in use, a run that is another one.
 * @throws DivergenceError when the loss is no longer a number; the last checkpoint is kept.
 */
export function train(options: TrainOptions): Promise<Run> {
  return trainFromQueue(undefined, options);
}

/** Trains a run that a queue, if any, has given to this process alone: the lock of its earlier owner is taken over. */
export async function trainFromQueue(queue: string | undefined, options: TrainOptions): Promise<Run> {
  checkOptions<TrainOptions>("train", options, trainRules);
  const settings = withDefaults(options);
  check(settings);
  const { training, job, config } = await begin(settings, queue);
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

type Settings = TrainOptions &
  Required<Pick<TrainOptions, "loss" | "gradients" | "batchSize" | "lastBatch" | "seed" | "validation">>;

/** The options with what is not given, or undefined, as a configuration's default has it. */
function withDefaults(options: TrainOptions): Settings {
  const rows: Readonly<Record<CodeKey, Setting>> = settingsTable;
  const defaults = Object.fromEntries(codeKeys.map((key) => [key, options[key] ?? rows[key].default]));
  return { ...options, loss: options.loss ?? crossEntropy, ...defaults } as Settings;
}

/** All that comes before the first step. What it returns does not hold the initial values, which are as large as the state. */
async function begin(settings: Settings, queue: string | undefined) {
  const { model, method, optimizer, gradients, batchSize, seed, epochs } = settings;
  const { directory: path, onWarning = emitWarning, onProgress = () => {}, signal } = settings;
  const split = settings.validation > 0 ? holdOut(settings.data, settings.validation, seed) : undefined;
  const { executor } = chooseExecutor({ executor: settings.executor, threads: settings.threads, onWarning });
  if (gradients === "bf16" && !executor.target.bf16Products) {
    onWarning(
      `bf16 gradients are emulated here: the ${executor.name} executor (${executor.instructionSet}) has no products of bf16, so they are no faster`,
    );
  }
  const { parameters: specs, statistics, layers } = describe(model, method);
  const warning = lastStepWarning((split ?? settings.data).train.count, batchSize);
  if (warning !== undefined && statistics.length > 0 && settings.lastBatch === "keep") {
    onWarning(`${warning}, and lastBatch "drop" leaves it out`);
  }
  // A run goes on by the rules that it began with, or not at all.
  const previous = settings.resume === true && path !== undefined ? readConfig(path) : undefined;
  const revision = previous === undefined ? revisionOf(settings) : previous.revision;
  const rules = previous === undefined ? (settings.data.rules ?? decodeRules) : rulesOf(previous.preparation);
  const recipe = recipeOf(settings, rules, revision);
  const cost = costOf(model, method);
  const config = makeConfig({ recipe, epochs, executor, cost, options: settings.options }, previous);
  const refuse = (stored: RunConfig): void =>
    refuseOtherRules(stored.revision, settings, "train", path ?? "");
  if (path !== undefined && settings.resume === true) checkResumable(path, config, model, method, refuse);
  checkMemory(model, specs);
  const parameters = await start(model, method, initialise(specs, seed), executor);
  const initial: TrainingValues = {
    parameters,
    statistics: initialise(statistics, seed),
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
      identity: identityOf(model, method),
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

/** Refuses a network whose weights, with gradients and an optimizer's moments, are more than there is memory. */
function checkMemory({ name, input }: Network, specs: readonly ParameterSpec[]): void {
  const bytes = specs.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);
  if (4 * bytes <= usableMemory()) return;
  throw new UserError(
    `${name} for images of ${input.join("x")} has ${memoryText(bytes)} of weights, and training takes four times as much, more than the ${memoryText(usableMemory())} of memory here; use smaller images or a smaller network`,
    "imageSize",
  );
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

function check({
  model,
  method,
  data,
  optimizer,
  schedule,
  gradients,
  epochs,
  validation,
  resume,
  overwrite,
  directory,
  log,
}: Settings): void {
  const most = data.train.count - 1;
  if (validation > most) {
    throw new UserError(`validation must be an integer from 0 to ${most}, got ${validation}`, "validation");
  }
  checkFits(model, data);
  if (gradients === "bf16" && !hasCodes(model, method)) {
    throw new UserError(
      `gradients bf16 has no effect with ${method.name} at these bits: no layer multiplies codes; use gradients f32`,
      "gradients",
    );
  }
  for (let epoch = 0; epoch < epochs; epoch++) rateOf(schedule, optimizer.learningRate, epoch);
  scalarsOf(optimizer, 1, rateOf(schedule, optimizer.learningRate, 0));
  if (resume === true && overwrite === true) {
    throw new UserError("resume and overwrite exclude each other; give one of them", "resume");
  }
  if (log !== undefined && directory === undefined) {
    throw new UserError("log needs a directory", "log");
  }
  if ((resume === true || overwrite === true) && directory === undefined) {
    throw new UserError(`${resume === true ? "resume" : "overwrite"} needs a directory`, "directory");
  }
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
