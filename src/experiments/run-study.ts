/** Runs what is missing of a study in this process, several runs side by side. */
import { DivergenceError, UserError } from "../errors.js";
import type { Dataset } from "../data/index.js";
import { resolveData, resolveNetwork } from "../training/config.js";
import type { TrainProgress } from "../training/index.js";
import { train } from "../training/index.js";
import { fittedTo, settingsOf } from "../training/settings.js";
import type { Standing } from "./standing.js";
import { standingOf } from "./standing.js";
import type { PlannedRun } from "./study.js";

export interface StudyOptions {
  /** Holds a folder for each run. */
  readonly folder: string;
  /** Runs side by side; each has its share of the threads. Default 1. */
  readonly jobs?: number;
  /** Of all runs together. */
  readonly threads: number;
  /** When raised, the running steps are finished and their runs kept. */
  readonly signal?: AbortSignal;
  readonly onBegin?: (standing: Standing) => void;
  readonly onProgress?: (standing: Standing, progress: TrainProgress) => void;
  readonly onEnd?: (outcome: Outcome) => void;
  readonly onWarning?: (standing: Standing, message: string) => void;
}

/** What became of a run; `failure` says why it could not be trained to its end. */
export interface Outcome extends Standing {
  readonly failure?: string;
  readonly diverged?: boolean;
  /** Whether the file `stop` in its folder ended it before its time. */
  readonly stopped?: boolean;
}

/**
 * @returns what became of each run, in the study's order. Runs that are done already are not touched.
 * @throws UserError for data that is missing or damaged, before anything begins.
 */
export async function runStudy(runs: readonly PlannedRun[], options: StudyOptions): Promise<Outcome[]> {
  const { folder, jobs = 1, threads, signal } = options;
  const outcomes = runs.map((run): Outcome => standingOf(run, folder));
  const waiting = outcomes.flatMap((outcome, i) =>
    outcome.state === "open" || outcome.state === "begun" ? [i] : [],
  );
  const parallel = Math.max(1, Math.min(jobs, threads, waiting.length));
  const share = Math.max(1, Math.floor(threads / parallel));
  const data = new DataSets();
  // Data that is missing is found out before anything begins.
  for (const i of waiting) await data.load(runs[i]);
  const work = async (): Promise<void> => {
    for (let i = waiting.shift(); i !== undefined && !signal?.aborted; i = waiting.shift()) {
      options.onBegin?.(outcomes[i]);
      const end = await trainOne(outcomes[i], share, data, options);
      outcomes[i] = { ...standingOf(runs[i], folder), ...end };
      options.onEnd?.(outcomes[i]);
    }
  };
  await Promise.all(Array.from({ length: parallel }, work));
  return outcomes;
}

/** Trains a run to its end; gives why it did not get there. */
async function trainOne(
  standing: Standing,
  threads: number,
  data: DataSets,
  { signal, onProgress, onWarning }: StudyOptions,
): Promise<Pick<Outcome, "failure" | "diverged" | "stopped">> {
  const { run, directory, state } = standing;
  const { options } = run;
  try {
    const { model: named, method } = resolveNetwork(options);
    const dataset = await data.load(run);
    const { stopped } = await train({
      ...settingsOf(options),
      ...{ model: fittedTo(dataset, named), method, data: dataset },
      ...{ threads, directory, signal, resume: state === "begun" },
      onProgress: (progress) => onProgress?.(standing, progress),
      onWarning: (message) => onWarning?.(standing, message),
    });
    return { stopped };
  } catch (error) {
    if (!(error instanceof UserError || error instanceof DivergenceError)) throw error;
    return { failure: error.message, diverged: error instanceof DivergenceError };
  }
}

/** Each data set is loaded once. */
class DataSets {
  private readonly loaded = new Map<string, Promise<Dataset>>();

  load({ options }: PlannedRun): Promise<Dataset> {
    const { data, dataDir, augment, mirrors } = options;
    const { input } = resolveNetwork(options).model;
    // Only a folder of images is prepared for a network.
    const key = JSON.stringify([data, dataDir, augment, mirrors, data === "images" && input]);
    const found = this.loaded.get(key) ?? resolveData(options, { input });
    this.loaded.set(key, found);
    return found;
  }
}
