/** Trains the missing runs of a study in this process, several side by side. */
import { setTimeout as delay } from "node:timers/promises";
import type { Dataset } from "../data/index.js";
import { DivergenceError, UserError } from "../errors.js";
import { threadsEach } from "../machine.js";
import type { TrainProgress } from "../training/index.js";
import { isInUse, releaseStale } from "../run-folder/index.js";
import { checkRun, DataSets, isTaken, trainRun } from "./run.js";
import type { Standing } from "./standing.js";
import { isOpen, standingOf } from "./standing.js";
import type { PlannedRun } from "./study.js";

/** Callbacks while runs are trained, here or by workers elsewhere. */
export interface StudyListeners {
  readonly onBegin?: (standing: Standing) => void;
  readonly onProgress?: (standing: Standing, progress: TrainProgress) => void;
  readonly onEnd?: (outcome: Outcome) => void;
  readonly onWarning?: (standing: Standing, message: string) => void;
}

export interface StudyOptions extends StudyListeners {
  /** Holds a folder for each run, and their logs. */
  readonly folder: string;
  /** Runs side by side; each has its share of the threads. Default 1. */
  readonly jobs?: number;
  /** The threads of all runs together. */
  readonly threads: number;
  /** When aborted, the running steps are finished and their runs saved. */
  readonly signal?: AbortSignal;
}

/** The outcome of a run; `failure` says why it could not be trained to its end. */
export interface Outcome extends Standing {
  readonly failure?: string;
  readonly diverged?: boolean;
  /** Whether the file `stop` in its folder ended it early. */
  readonly stopped?: boolean;
}

/**
 * @returns the outcome of each run, in the study's order. Finished runs are not touched.
 * @throws UserError for data that is missing or damaged, before anything begins.
 */
export async function runStudy(runs: readonly PlannedRun[], options: StudyOptions): Promise<Outcome[]> {
  const { folder, jobs = 1, threads, signal } = options;
  const outcomes = runs.map((run): Outcome => standingNow(run, folder));
  for (const { state, directory } of outcomes) if (state === "done") releaseStale(directory);
  const waiting = outcomes.flatMap((outcome, i) => (isOpen(outcome) ? [i] : []));
  const parallel = Math.max(1, Math.min(jobs, threads, waiting.length));
  const share = threadsEach(threads, parallel);
  const data = new DataSets();
  // Data that is missing is found out before anything begins, and so are runs that do not fit in memory.
  for (const i of [...waiting]) {
    const failure = whyTooLarge(outcomes[i], await data.load(outcomes[i]), share, options);
    if (failure === undefined) continue;
    waiting.splice(waiting.indexOf(i), 1);
    outcomes[i] = { ...outcomes[i], failure };
    options.onEnd?.(outcomes[i]);
  }
  const work = async (): Promise<void> => {
    for (let i = waiting.shift(); i !== undefined && !signal?.aborted; i = waiting.shift()) {
      outcomes[i] = await whenFree(runs[i], options);
      if (signal?.aborted === true) break;
      if (!isOpen(outcomes[i])) {
        options.onEnd?.(outcomes[i]);
        continue;
      }
      options.onBegin?.(outcomes[i]);
      const end = await endOf(outcomes[i], share, data, options);
      if (end === "taken") {
        waiting.unshift(i);
        await rest(signal);
        continue;
      }
      outcomes[i] = { ...standingOf(runs[i], folder), ...end };
      options.onEnd?.(outcomes[i]);
    }
  };
  await Promise.all(Array.from({ length: parallel }, work));
  return outcomes;
}

/** Why a run cannot be trained with the memory that is available; undefined if it can. */
function whyTooLarge(
  standing: Standing,
  data: Dataset,
  threads: number,
  { onWarning }: StudyOptions,
): string | undefined {
  try {
    checkRun(standing, data, threads, (message) => onWarning?.(standing, message));
    return undefined;
  } catch (error) {
    // What else is wrong with a run is reported when it is its turn, in its log too.
    return error instanceof UserError && error.field === "accumulate" ? error.message : undefined;
  }
}

/** The time between two looks at a run of another process. */
const rest = (signal: AbortSignal | undefined): Promise<void> =>
  delay(1_000, undefined, { signal }).catch(() => {});

/** Where a run stands, once no other process trains it: a configuration in two studies is trained once. */
async function whenFree(run: PlannedRun, { folder, signal, onWarning }: StudyOptions): Promise<Standing> {
  const standing = standingNow(run, folder);
  if (standing.state === "done") return standing;
  const isAway = (): boolean => isInUse(standing.directory) && signal?.aborted !== true;
  if (isAway()) onWarning?.(standing, "another process trains it; waiting for its end");
  while (isAway()) await rest(signal);
  return standingNow(run, folder); // once more: the other process may have ended since
}

/** Where a run stands. One whose files another process is writing is not damaged. */
function standingNow(run: PlannedRun, folder: string): Standing {
  const standing = standingOf(run, folder);
  if (standing.state !== "damaged" || !isInUse(standing.directory)) return standing;
  return { ...standing, state: "open", reason: undefined };
}

/** Trains a run to its end; otherwise returns the reason, or "taken" if another process started it first. */
async function endOf(
  standing: Standing,
  threads: number,
  data: DataSets,
  { folder, signal, onProgress, onWarning }: StudyOptions,
): Promise<Pick<Outcome, "failure" | "diverged" | "stopped"> | "taken"> {
  try {
    const { stopped } = await trainRun(standing, {
      folder,
      threads,
      data,
      signal,
      onProgress: (progress) => onProgress?.(standing, progress),
      onWarning: (message) => onWarning?.(standing, message),
    });
    return { stopped };
  } catch (error) {
    if (!(error instanceof UserError || error instanceof DivergenceError)) throw error;
    if (isTaken(error)) return "taken";
    return { failure: error.message, diverged: error instanceof DivergenceError };
  }
}
