/** What `train` takes from a configuration, whoever runs it: the command line or a study. */
import type { Dataset } from "../data/index.js";
import { UserError } from "../errors.js";
import type { Network } from "../nn/index.js";
import { fitted } from "../nn/index.js";
import type { RunOptions } from "./config.js";
import { resolveOptimizer } from "./config.js";
import type { TrainOptions } from "./train.js";

type Settings = Pick<
  TrainOptions,
  | "optimizer"
  | "schedule"
  | "epochs"
  | "batchSize"
  | "gradients"
  | "seed"
  | "validation"
  | "executor"
  | "log"
  | "options"
>;

/** All but network, method, data and where and how the run is kept. @throws UserError for the optimizer's settings. */
export function settingsOf(options: RunOptions): Settings {
  const { epochs, batchSize, gradients, seed, validation, executor, log } = options;
  return {
    ...resolveOptimizer(options),
    ...{ epochs, batchSize, gradients, seed, validation, executor, log },
    // What the next process may choose anew is not kept.
    options: { ...options, out: undefined, mirrors: undefined, threads: undefined, executor: undefined },
  };
}

/** A network for the images of a data set: where they do not fit, it is the data that can be changed. @throws UserError */
export function fittedTo({ shape, classes }: Dataset, model: Network): Network {
  try {
    return fitted(model, { input: shape, classes });
  } catch (error) {
    throw error instanceof UserError ? new UserError(error.message, "data") : error;
  }
}
