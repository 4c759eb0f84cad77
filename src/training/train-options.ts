/** The options of `train`, their defaults, and which exclude each other. */
import type { Dataset } from "../data/dataset.js";
import { shown, UserError } from "../errors.js";
import type { Rule, Rules } from "../errors/options.js";
import {
  abortSignal,
  callback,
  checkedBy,
  checkOptions,
  flag,
  isObject,
  optional,
  plain,
  text,
} from "../errors/options.js";
import type { GradientType, Network } from "../nn/index.js";
import { describe, hasCodes } from "../nn/index.js";
import type { Optimizer, Schedule } from "../optim/index.js";
import { checkSchedule, rateOf, scalarsOf } from "../optim/index.js";
import type { Loss } from "../optim/losses.js";
import { crossEntropy } from "../optim/losses.js";
import type { Method } from "../quantization/index.js";
import { executorRules } from "../runtime/choose.js";
import type { ExecutorName } from "../runtime/executor.js";
import type { Weights } from "../run-folder/index.js";
import { checkFits } from "./feed.js";
import type { InitialReport } from "./initial-weights.js";
import { checkPatterns, isMeant } from "./patterns.js";
import { parts, settingRule, training } from "./options.js";
import type { TrainProgress } from "./progress.js";
import type { Setting } from "./setting.js";
import { checkAccumulate } from "./small-batches.js";
import type { CodeKey, LogKind } from "./settings.js";
import { codeKeys, settings as settingsTable } from "./settings.js";

/** The options of `train`. */
export interface TrainOptions {
  readonly model: Network;
  readonly method: Method;
  readonly data: Dataset;
  readonly optimizer: Optimizer;
  /** Scales the optimizer's rate, by steps or by epochs; by default it stays. */
  readonly schedule?: Schedule;
  /** What is minimised. Default: the cross-entropy, which the scores of images are in any case. */
  readonly loss?: Loss;
  readonly epochs: number;
  /** "bf16": the gradients that layers on codes multiply are rounded to bfloat16. Default "f32". */
  readonly gradients?: GradientType;
  /** Images per step. Default 128. */
  readonly batchSize?: number;
  /**
   * How many small batches of the same size each batch is run as, a divisor of `batchSize`: their gradients are summed
   * before one update, and memory is needed for a small batch alone. Batch normalisation takes the statistics of each
   * small batch. Default 1.
   */
  readonly accumulate?: number;
  /**
   * The most that the norm of all gradients of an update together may be: larger ones are scaled down to it, as by PyTorch's
   * `clip_grad_norm_`. All gradients are then in memory at once. By default they stay as they are.
   */
  readonly clipNorm?: number;
  /**
   * What to do with the last images of an epoch that do not fill a batch: "keep" trains on them in a smaller last step,
   * "drop" leaves them out. Default "keep".
   */
  readonly lastBatch?: "keep" | "drop";
  /**
   * What to start from in place of drawn weights: those of the best epoch of the run in a folder, those of a .safetensors
   * file, or those that another training returned, matched by name and shape. Methods and bits may be others.
   */
  readonly initialWeights?: string | Weights;
  /** Layers and norms whose weights are drawn all the same: names such as "fc3", or patterns such as "conv*". */
  readonly initSkip?: readonly string[];
  /**
   * Layers and norms that stay as they are: names such as "conv1", or patterns such as "bn*". Their weights, scales and
   * shifts are not updated, and running statistics are not either.
   */
  readonly freeze?: readonly string[];
  /** Called before the first step of a training with `initialWeights`. */
  readonly onInitialWeights?: (report: InitialReport) => void;
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
  /** Called with warnings. Default: Node's own warnings, on standard error. */
  readonly onWarning?: (message: string) => void;
  /**
   * When aborted, the running step is finished and the run is saved, to be resumed in the middle of the epoch. A file
   * named `stop` in the directory has the same effect within a second.
   */
  readonly signal?: AbortSignal;
  /**
   * How many minutes old the last checkpoint becomes before another one is written in the middle of an epoch, while the
   * next steps run; 0 for never. Default 15. The bits of the result do not depend on it.
   */
  readonly checkpointEvery?: number;
  /** Additional files in the directory: "tensorboard" for an event file. */
  readonly log?: readonly LogKind[];
  /** Kept in `config.json` as `options`. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Checksums of files of code that parts of the run come from, by part. Kept in `config.json`: the run goes on only with the same. */
  readonly code?: Readonly<Record<string, string>>;
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
  initialWeights: optional({
    allowed: "the folder of a run, a .safetensors file, or the weights of a run",
    test: (value) => isObject(value) || text.test(value),
  }),
  onInitialWeights: optional(callback),
  onProgress: optional(callback),
  signal: optional(abortSignal),
  options: optional(plain),
  code: optional(plain),
};

/** Checks options of `train`. @throws UserError for what is wrong by itself or with the others. */
export function checkedOptions(options: TrainOptions): CheckedOptions {
  checkOptions<TrainOptions>("train", options, trainRules);
  if (options.checkpointEvery !== undefined && options.directory === undefined) {
    throw new UserError("checkpointEvery needs a directory", "checkpointEvery");
  }
  const settings = withDefaults(options);
  check(settings);
  return settings;
}

/** Checked options with defaults filled in. */
export type CheckedOptions = TrainOptions &
  Required<
    Pick<
      TrainOptions,
      | "loss"
      | "gradients"
      | "batchSize"
      | "accumulate"
      | "lastBatch"
      | "seed"
      | "validation"
      | "checkpointEvery"
    >
  >;

/** The options, with a configuration's defaults for those that are missing or undefined. */
function withDefaults(options: TrainOptions): CheckedOptions {
  const rows: Readonly<Record<CodeKey, Setting>> = settingsTable;
  const defaults = Object.fromEntries(codeKeys.map((key) => [key, options[key] ?? rows[key].default]));
  return { ...options, loss: options.loss ?? crossEntropy, ...defaults } as CheckedOptions;
}

function check({
  model,
  method,
  data,
  optimizer,
  schedule,
  gradients,
  epochs,
  batchSize,
  accumulate,
  validation,
  resume,
  overwrite,
  directory,
  log,
  initialWeights,
  initSkip,
  freeze,
}: CheckedOptions): void {
  const most = data.train.count - 1;
  if (validation > most) {
    throw new UserError(`validation must be an integer from 0 to ${most}, got ${validation}`, "validation");
  }
  checkFits(model, data);
  checkAccumulate(accumulate, batchSize);
  if (gradients === "bf16" && !hasCodes(model, method)) {
    throw new UserError(
      `gradients bf16 has no effect with ${method.name} at these bits: no layer multiplies codes; use gradients f32`,
      "gradients",
    );
  }
  for (let epoch = 0; epoch < epochs; epoch++) rateOf(schedule, optimizer.learningRate, epoch, 0, 1);
  scalarsOf(optimizer, 1, rateOf(schedule, optimizer.learningRate, 0, 0, 1));
  if (resume === true && overwrite === true) {
    throw new UserError("resume and overwrite exclude each other; give one of them", "resume");
  }
  if (initSkip !== undefined && initialWeights === undefined) {
    throw new UserError("initSkip has no effect without initialWeights", "initSkip");
  }
  if (freeze !== undefined) checkFreeze(freeze, model, method);
  if (log !== undefined && directory === undefined) {
    throw new UserError("log needs a directory", "log");
  }
  if ((resume === true || overwrite === true) && directory === undefined) {
    throw new UserError(`${resume === true ? "resume" : "overwrite"} needs a directory`, "directory");
  }
}

/** @throws UserError for patterns without a layer or norm, and if they leave nothing to train. */
function checkFreeze(patterns: readonly string[], model: Network, method: Method): void {
  const { parameters, statistics } = describe(model, method);
  const names = [...parameters, ...statistics].map(({ name }) => name);
  checkPatterns("freeze", patterns, names, model.name);
  if (parameters.some(({ name }) => !isMeant(name, patterns))) return;
  throw new UserError(`freeze ${shown(patterns)} leaves nothing to train in ${model.name}`, "freeze");
}
