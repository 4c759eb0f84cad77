/** The options of the functions that train, score and ask networks: what each may be. */
import { checkDataset } from "../data/check.js";
import { UserError } from "../errors.js";
import type { Rule, Rules } from "../errors/options.js";
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
import { checkNetwork } from "../nn/index.js";
import { checkOptimizer, checkSchedule } from "../optim/index.js";
import { checkMethod } from "../quantization/index.js";
import { executorRules } from "../runtime/choose.js";
import type { ClassifierOptions } from "./classifier.js";
import type { EvaluateOptions, EvaluateRunOptions, Trained } from "./evaluate.js";
import { checkLoss } from "./losses.js";
import type { PredictOptions } from "./predict.js";
import type { ProfileOptions } from "./profile.js";
import type { CodeKey } from "./settings.js";
import { codeKeys, settings } from "./settings.js";
import type { TrainOptions } from "./train.js";

const model = checkedBy(checkNetwork);
const method = checkedBy(checkMethod);
const data = checkedBy(checkDataset);
const optimizer = checkedBy(checkOptimizer);
const loss = optional(checkedBy(checkLoss));
const settingRule = (key: CodeKey): Rule =>
  checkedBy((value) => {
    const { error } = settings[key].schema.safeParse(value);
    if (error !== undefined) throw new UserError(`${key} ${error.issues[0].message}`, key);
  });
const batchSize = optional(settingRule("batchSize"));
const gradients = optional(settingRule("gradients"));
const which = optional(oneOf("best", "last"));

export const trainRules: Rules<TrainOptions> = {
  ...executorRules,
  ...{ model, method, data, optimizer },
  schedule: optional(checkedBy(checkSchedule)),
  loss,
  ...(Object.fromEntries(codeKeys.map((key) => [key, optional(settingRule(key))])) as Record<CodeKey, Rule>),
  epochs: settingRule("epochs"),
  directory: optional(text),
  resume: optional(flag),
  overwrite: optional(flag),
  queue: optional(text),
  onProgress: optional(callback),
  signal: optional(abortSignal),
  options: optional(plain),
  code: optional(plain),
};

export const profileRules: Rules<ProfileOptions> = {
  ...executorRules,
  ...{ model, method, data, optimizer, loss, gradients },
  batchSize: settingRule("batchSize"),
  steps: optional(count),
};

export const evaluateRules: Rules<EvaluateOptions> = {
  ...executorRules,
  batchSize,
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
