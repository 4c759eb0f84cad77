/** One run of a study: trained from the state of its folder, with a log. */
import type { Dataset } from "../data/index.js";
import { dataSetOf, refuseNamesakes } from "../data/index.js";
import { DivergenceError, UserError } from "../errors.js";
import { chooseExecutor } from "../runtime/choose.js";
import { decodeRules, rulesOf } from "../data/rules.js";
import { readConfig } from "../run-folder/index.js";
import { resolveData, resolveNetwork } from "../training/config.js";
import type { Run, TrainProgress } from "../training/index.js";
import { fittedTo, settingsOf } from "../training/config.js";
import { initialLines } from "../training/initial-weights.js";
import { checkMemory } from "../training/memory.js";
import { trainFromQueue } from "../training/train.js";
import { RunLog } from "./log.js";
import type { Standing } from "./standing.js";

export interface RunManner {
  /** The study's. */
  readonly folder: string;
  readonly threads: number;
  readonly data: DataSets;
  readonly signal?: AbortSignal;
  /** The queue that gave the run, if one did. */
  readonly queue?: string;
  readonly onProgress: (progress: TrainProgress) => void;
  readonly onWarning: (message: string) => void;
}

/** @throws UserError for a run that does not fit in memory, among others. */
export function checkRun(
  { run: { options } }: Standing,
  data: Dataset,
  threads: number,
  onWarning: RunManner["onWarning"],
): void {
  const { batchSize, accumulate, clipNorm, validation } = options;
  const { optimizer, loss, gradients } = settingsOf(options);
  const { model: named, method } = resolveNetwork(options);
  const { executor } = chooseExecutor({ executor: options.executor, threads, onWarning });
  const model = fittedTo(data, named);
  const count = data.train.count - validation;
  checkMemory({
    model,
    method,
    optimizer,
    loss,
    gradients,
    clipNorm,
    executor,
    batchSize,
    accumulate,
    count,
  });
}

/** Trains a run to its end, or until the signal. @throws UserError and DivergenceError as `train` does. */
export async function trainRun(standing: Standing, manner: RunManner): Promise<Run> {
  const { folder, threads, data, signal, queue, onProgress, onWarning } = manner;
  const { run, directory, state } = standing;
  const log = new RunLog(standing, folder, onWarning);
  log.begins(threads);
  try {
    const { model: named, method } = resolveNetwork(run.options);
    const dataset = await data.load(standing);
    const result = await trainFromQueue(queue, {
      ...settingsOf(run.options),
      model: fittedTo(dataset, named),
      method,
      data: dataset,
      threads,
      directory,
      signal,
      resume: state === "begun",
      onProgress(progress) {
        log.progress(progress);
        onProgress(progress);
      },
      onInitialWeights: (report) => log.line(initialLines(report).join("\n")),
      onWarning(message) {
        log.line(`warning: ${message}`);
        onWarning(message);
      },
    });
    log.line(result.interrupted ? "interrupted and saved" : "done");
    return result;
  } catch (error) {
    const expected = error instanceof UserError || error instanceof DivergenceError;
    const { message, stack = message } = error as Error;
    if (isTaken(error)) log.line("left to another process, which started it first");
    else log.line(`failed: ${expected ? message : stack}`);
    throw error;
  }
}

/** Whether another process started a run first. */
export const isTaken = (error: unknown): boolean =>
  error instanceof UserError && (error.code === "inUse" || error.code === "holdsRun");

/** Loads each data set once; a failed load is tried again. */
export class DataSets {
  private readonly loaded = new Map<string, Promise<Dataset>>();

  async load({ run: { options }, directory, state }: Standing): Promise<Dataset> {
    const {
      data,
      dataDir,
      augment,
      colorJitter,
      mirrors,
      imageMemory,
      imageThreads,
      skipDamaged,
      classes,
      preset,
    } = options;
    const { input } = resolveNetwork(options).model;
    const rules = state === "begun" ? rulesOf(readConfig(directory).preparation) : undefined;
    const isFitted = dataSetOf(data).isFitted === true;
    const fitting = {
      input,
      rules: rules ?? decodeRules,
      imageMemory,
      imageThreads,
      skipDamaged,
      classes,
      preset,
    };
    const key = JSON.stringify([data, dataDir, augment, colorJitter, mirrors, isFitted && fitting]);
    let found = this.loaded.get(key);
    if (found === undefined) {
      found = resolveData(options, { input }, { rules });
      this.loaded.set(key, found);
      found.catch(() => this.loaded.delete(key));
    }
    const loaded = await found;
    if (state !== "begun" && dataDir !== undefined) refuseNamesakes(data, loaded, dataDir);
    return loaded;
  }
}
