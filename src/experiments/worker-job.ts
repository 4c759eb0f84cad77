/**
 * One job of a worker: a run trained to its end, given back, or failed. Delivery is at least once: the
 * run's folder says what is done, so doing a job twice gives the same files.
 */
import type { Job } from "bullmq";
import { dataSetOf } from "../data/index.js";
import { DivergenceError, UserError } from "../errors.js";
import type { TrainProgress } from "../training/index.js";
import { bestEpoch } from "../run-folder/index.js";
import { RunLog } from "./log.js";
import type { JobProgress } from "./queue.js";
import { maxStalledCount, orAborted, runOfJob, waitAtMost } from "./queue.js";
import type { DataSets } from "./run.js";
import { trainRun } from "./run.js";
import type { Outcome, StudyListeners } from "./run-study.js";
import { standingOf } from "./standing.js";
import type { PlannedRun } from "./study.js";

export interface WorkerListeners extends StudyListeners {
  /** Problems that concern no run: the server cannot be reached, or a study's folder is not here. */
  readonly onTrouble?: (message: string) => void;
  /** The server has been reached. */
  readonly onReady?: () => void;
}

/** How long the server may take to answer once the worker is to stop. */
export const graceMilliseconds = 3_000;

export interface JobManner extends WorkerListeners {
  readonly queueName: string;
  /** The study's, on this machine. */
  readonly folder: string;
  readonly threads: number;
  readonly data: DataSets;
  readonly dataDir?: string;
  readonly lockMilliseconds: number;
  readonly signal: AbortSignal;
}

/** Never rejects: an error is the job's failure, or is reported. */
export async function runJob(job: Job, token: string, manner: JobManner): Promise<void> {
  const { signal, onTrouble } = manner;
  const lease = holdLease(job, token, manner.lockMilliseconds);
  const end = await outcomeOf(job, manner, lease.signal).finally(lease.release);
  if (lease.signal.aborted) {
    onTrouble?.(`${job.name}: the queue no longer counts this run as this worker's, which has stopped it`);
    return;
  }
  const settled = settle(job, token, end).catch((error: Error) => {
    onTrouble?.(`${job.name}: the queue does not take what came of it: ${error.message}`);
  });
  await withGrace(settled, signal);
}

/** Puts a job back for the next worker; that does not count as an attempt. */
export async function giveBack(job: Job, token: string): Promise<void> {
  await job.moveToWait(token);
}

type End =
  | { readonly kind: "done"; readonly result: object }
  | { readonly kind: "interrupted" }
  | { readonly kind: "failed"; readonly error: Error; readonly isFinal: boolean };

async function settle(job: Job, token: string, end: End): Promise<void> {
  if (end.kind === "done") await job.moveToCompleted(end.result, token, false);
  else if (end.kind === "interrupted") await giveBack(job, token);
  else await job.moveToFailed(await asFailure(end.error, end.isFinal), token, false);
}

/** The error to give to the queue, which does not retry a final one. */
async function asFailure(error: Error, isFinal: boolean): Promise<Error> {
  if (!isFinal) return error;
  const { UnrecoverableError } = await import("bullmq");
  return Object.assign(new UnrecoverableError(error.message), { stack: error.stack });
}

async function outcomeOf(job: Job, manner: JobManner, lost: AbortSignal): Promise<End> {
  const { folder, queueName, threads, data, dataDir, signal, onBegin, onEnd, onProgress, onWarning } = manner;
  const failed = (error: Error, isFinal: boolean): End => ({ kind: "failed", error, isFinal });
  let run: PlannedRun;
  try {
    run = withDataDir(runOfJob(job), dataDir);
  } catch (error) {
    manner.onTrouble?.(`job ${job.id}: ${(error as Error).message}`);
    return failed(error as Error, true);
  }
  const ended = (failure: Pick<Outcome, "failure" | "diverged" | "stopped"> = {}): Outcome => {
    const outcome = { ...standingOf(run, folder), ...failure };
    onEnd?.(outcome);
    return outcome;
  };
  const reporter = new Reporter(job);
  try {
    const standing = standingOf(run, folder);
    if (job.deferredFailure && standing.state !== "done") {
      // The queue fails a run that has taken too many workers with it by giving it out once more.
      const failure = `it took its worker with it ${maxStalledCount + 1} times (${job.deferredFailure})`;
      new RunLog(standing, folder, () => {}).line(`failed: ${failure}`);
      ended({ failure });
      return failed(new Error(failure), true);
    }
    if (standing.state === "damaged") throw new UserError(standing.reason ?? "");
    if (standing.state !== "done") {
      onBegin?.(standing);
      const { interrupted, stopped } = await trainRun(standing, {
        folder,
        threads,
        data,
        queue: queueName,
        signal: AbortSignal.any([signal, lost]),
        onProgress(progress) {
          reporter.report(progress);
          onProgress?.(standing, progress);
        },
        onWarning: (message) => onWarning?.(standing, message),
      });
      if (stopped) {
        await reporter.reportLast({ stopped: true });
        ended({ stopped });
        return failed(new Error("stopped on request; start the study again to go on"), true);
      }
      if (interrupted) return { kind: "interrupted" };
    }
    const { metrics } = ended();
    const best = bestEpoch(metrics);
    return { kind: "done", result: { epochs: metrics.length, best, last: metrics.at(-1) } };
  } catch (error) {
    const diverged = error instanceof DivergenceError;
    if (diverged) await reporter.reportLast({ diverged });
    if (!lost.aborted) ended({ failure: (error as Error).message, diverged });
    return failed(error as Error, diverged);
  }
}

/** Where the data is on this machine; what ships with fewbit is nowhere else. */
function withDataDir(run: PlannedRun, dataDir: string | undefined): PlannedRun {
  const ships = dataSetOf(run.options.data).files === "shipped";
  return dataDir === undefined || ships ? run : { ...run, options: { ...run.options, dataDir } };
}

/**
 * Keeps the queue's lock on a job. `signal` is aborted when it is lost: the server has not heard of this worker for too
 * long. While the server cannot be reached the training goes on.
 */
function holdLease(job: Job, token: string, milliseconds: number): { signal: AbortSignal; release(): void } {
  const lost = new AbortController();
  let isAsking = false;
  const renew = async (): Promise<void> => {
    if (isAsking) return;
    isAsking = true;
    const renewed = await job.extendLock(token, milliseconds).catch(() => undefined);
    if (renewed === 0) lost.abort();
    isAsking = false;
  };
  const timer = setInterval(() => void renew(), milliseconds / 3);
  return { signal: lost.signal, release: () => clearInterval(timer) };
}

/** How far a run is, for those who follow the study: each epoch, and in between every second. */
class Reporter {
  private state: JobProgress = {};
  private sentAt = 0;
  private isDue = false;
  private sending: Promise<void> | undefined;

  constructor(private readonly job: Job) {}

  report(now: TrainProgress): void {
    const isEpoch = now.phase === "epoch";
    this.state = { ...this.state, now, ...(isEpoch ? { ended: now } : {}) };
    if (isEpoch || performance.now() - this.sentAt > 1_000) void this.send();
  }

  /** Why the run ends early. */
  async reportLast(why: Pick<JobProgress, "diverged" | "stopped">): Promise<void> {
    this.state = { ...this.state, ...why };
    await waitAtMost(graceMilliseconds, this.send());
  }

  /** One at a time: where the server cannot be reached the last counts. */
  private send(): Promise<void> {
    this.isDue = true;
    this.sending ??= this.flush().finally(() => (this.sending = undefined));
    return this.sending;
  }

  private async flush(): Promise<void> {
    while (this.isDue) {
      this.isDue = false;
      this.sentAt = performance.now();
      await this.job.updateProgress(this.state).catch(() => {});
    }
  }
}

/** Waits, but once the signal is aborted only as long as a reachable server needs. */
async function withGrace(work: Promise<void>, signal: AbortSignal): Promise<void> {
  await orAborted(work, signal);
  if (signal.aborted) await waitAtMost(graceMilliseconds, work);
}
