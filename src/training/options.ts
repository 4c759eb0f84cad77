/** The options of the functions that train, score and ask networks: what each may be. */
import { checkDataset } from "../data/check.js";
import type { Rules } from "../errors/options.js";
import {
  abortSignal,
  callback,
  checkedBy,
  count,
  flag,
  objectOf,
  oneOf,
  optional,
  plain,
  text,
} from "../errors/options.js";
import { checkNetwork, gradientTypes } from "../nn/index.js";
import { checkOptimizer, checkSchedule } from "../optim/index.js";
import { checkMethod } from "../quantization/index.js";
import { executorRules } from "../runtime/choose.js";
import { runRule } from "./config.js";
import type { ClassifierOptions } from "./classifier.js";
import type { EvaluateOptions, EvaluateRunOptions, Trained } from "./evaluate.js";
import type { PredictOptions } from "./predict.js";
import type { ProfileOptions } from "./profile.js";
import type { TrainOptions } from "./train.js";

const model = checkedBy(checkNetwork);
const method = checkedBy(checkMethod);
const data = checkedBy(checkDataset);
const optimizer = checkedBy(checkOptimizer);
const gradients = optional(oneOf(...gradientTypes));
const which = optional(oneOf("best", "last"));

export const trainRules: Rules<TrainOptions> = {
  ...executorRules,
  ...{ model, method, data, optimizer, gradients },
  schedule: optional(checkedBy(checkSchedule)),
  epochs: runRule("epochs"),
  batchSize: optional(runRule("batchSize")),
  seed: optional(runRule("seed")),
  // How many there are is the data's to say.
  validation: optional(runRule("validation")),
  log: optional(runRule("log")),
  directory: optional(text),
  resume: optional(flag),
  overwrite: optional(flag),
  queue: optional(text),
  onProgress: optional(callback),
  signal: optional(abortSignal),
  options: optional(plain),
};

export const profileRules: Rules<ProfileOptions> = {
  ...executorRules,
  ...{ model, method, data, optimizer, gradients },
  batchSize: runRule("batchSize"),
  steps: optional(count),
};

export const evaluateRules: Rules<EvaluateOptions> = {
  ...executorRules,
  batchSize: optional(runRule("batchSize")),
};

export const evaluateRunRules: Rules<EvaluateRunOptions> = {
  ...evaluateRules,
  ...{ model, method, data, which },
};

export const predictRules: Rules<PredictOptions> = {
  ...executorRules,
  ...{ model, method, which },
  invert: optional(flag),
};

export const classifierRules: Rules<ClassifierOptions> = {
  ...executorRules,
  model: optional(model),
  method: optional(method),
  which,
};

/** A trained network, such as a run is. */
export const trainedRules: Rules<Trained> = {
  model,
  method,
  weights: objectOf("weights { parameters, statistics }", { parameters: "object", statistics: "object" }),
};
