/** Puts a study on a queue, and follows the workers' progress until every run has ended. */
import { setTimeout as delay } from "node:timers/promises";
import type { Job, Queue } from "bullmq";
import type { JobProgress } from "./queue.js";
import {
  connect,
  failureOf,
  giveQueueName,
  jobIdOf,
  jobOf,
  jobsOf,
  openQueue,
  orAborted,
  progressOf,
  refuseCode,
  register,
  unregister,
} from "./queue.js";
import type { Outcome, StudyListeners } from "./run-study.js";
import { isOpen, standingOf } from "./standing.js";
import type { PlannedRun } from "./study.js";

export interface FollowOptions extends StudyListeners {
  /** Holds a folder for each run; the workers have it too. */
  readonly folder: string;
  /** Where the server is: see `queueUrl`. */
  readonly queue: string;
  /** When aborted, the study is left to its workers. */
  readonly signal?: AbortSignal;
  /** Called once, with the queue's name and the number of its runs. */
  readonly onQueued?: (name: string, runs: number) => void;
  /** Called when the server cannot be reached, and when it can be again. */
  readonly onTrouble?: (message: string) => void;
}

const pollMilliseconds = 1_000;

/**
 * @returns the outcome of each run, in the study's order; for a study that is left, how far each is. Runs that failed
 * when the study was followed before are queued again.
 * @throws UserError if the server cannot be reached at the beginning, or the folder not be written to.
 */
export async function followStudy(runs: readonly PlannedRun[], options: FollowOptions): Promise<Outcome[]> {
  const { folder, signal, onTrouble = () => {} } = options;
  for (const { options: settings } of runs) refuseCode(settings);
  const outcomes = runs.map((run): Outcome => standingOf(run, folder));
  const open = outcomes.filter(isOpen);
  if (open.length === 0) return outcomes;
  const redis = await connect(options.queue, onTrouble);
  try {
    const name = giveQueueName(folder);
    const queue = await openQueue(redis, name);
    const follower = new Follower(queue, outcomes, options);
    let begun = false;
    const poll = async (): Promise<void> => {
      await register(redis, name, folder);
      if (!begun) await follower.forgetEnded();
      await follower.poll();
      if (!begun) options.onQueued?.(name, open.length);
      begun = true;
    };
    let trouble: string | undefined;
    while (!follower.isDone && signal?.aborted !== true) {
      try {
        await orAborted(poll(), signal);
      } catch (error) {
        // A server that stops, starts or is out of memory; the next poll makes up for this one.
        const { message } = error as Error;
        if (message !== trouble) onTrouble(message);
        trouble = message;
      }
      if (!follower.isDone) await orAborted(delay(pollMilliseconds), signal);
    }
    const failed = outcomes.some(({ failure }) => failure !== undefined);
    if (follower.isDone && !failed) await orAborted(unregister(redis, name, queue, runs), signal);
    follower.leave();
    return outcomes;
  } finally {
    redis.disconnect();
  }
}

class Follower {
  /** Runs that have not ended, by job: their places in the study. */
  private readonly open: Map<string, number>;
  /** The runs at work. */
  private readonly active = new Set<string>();
  /** The last epoch whose end has been reported, by job of each run that has been at work. */
  private readonly reported = new Map<string, number>();

  constructor(
    private readonly queue: Queue,
    private readonly outcomes: Outcome[],
    private readonly options: FollowOptions,
  ) {
    const places = outcomes.flatMap((outcome, i) => (isOpen(outcome) ? [i] : []));
    this.open = new Map(places.map((i) => [jobIdOf(outcomes[i].run), i]));
  }

  get isDone(): boolean {
    return this.open.size === 0;
  }

  /** Removes jobs that ended before and whose runs are not done, so that failed runs are tried again. */
  async forgetEnded(): Promise<void> {
    await this.queue.resume(); // a server that ended while the queue was being removed has kept it paused
    for (const [id, { state, job }] of await jobsOf(this.queue)) {
      if (this.open.has(id) && (state === "failed" || state === "completed")) await job.remove();
    }
  }

  /** Reports what is new, and queues runs that are neither queued nor done: the server may have lost them. */
  async poll(): Promise<void> {
    const jobs = await jobsOf(this.queue);
    const missing: PlannedRun[] = [];
    for (const [id, i] of this.open) {
      const { state, job } = jobs.get(id) ?? {};
      if (job !== undefined && (state === "active" || state === "completed"))
        this.tell(id, i, progressOf(job));
      if (state === "failed") this.fail(id, i, job as Job);
      else if (state === "waiting" || state === "delayed") this.active.delete(id);
      else if (state !== "active" && !this.end(id, i)) {
        // Another machine's files may be seen a little later: then the next worker finds the run done.
        await job?.remove();
        missing.push(this.outcomes[i].run);
      }
    }
    if (missing.length > 0) await this.queue.addBulk(missing.map(jobOf));
  }

  /** Runs that have not ended get the state of their folders. */
  leave(): void {
    for (const i of this.open.values()) {
      this.outcomes[i] = standingOf(this.outcomes[i].run, this.options.folder);
    }
  }

  private tell(id: string, i: number, { now, ended }: JobProgress): void {
    const { folder, onBegin, onProgress } = this.options;
    if (!this.active.has(id)) {
      if (this.reported.has(id)) this.outcomes[i] = standingOf(this.outcomes[i].run, folder);
      this.active.add(id);
      onBegin?.(this.outcomes[i]);
    }
    const before = this.reported.get(id) ?? this.outcomes[i].metrics.length;
    const epoch = Math.max(before, ended?.epoch ?? 0);
    this.reported.set(id, epoch);
    if (ended !== undefined && epoch > before) onProgress?.(this.outcomes[i], ended);
    if (now !== undefined && now.epoch > epoch) onProgress?.(this.outcomes[i], now);
  }

  private fail(id: string, i: number, job: Job): void {
    const { diverged, stopped } = progressOf(job);
    this.finish(id, i, stopped === true ? { stopped } : { failure: failureOf(job), diverged });
  }

  /** Returns false for a run that is not done. */
  private end(id: string, i: number): boolean {
    if (isOpen(standingOf(this.outcomes[i].run, this.options.folder))) return false;
    this.finish(id, i, {});
    return true;
  }

  private finish(id: string, i: number, failure: Pick<Outcome, "failure" | "diverged" | "stopped">): void {
    this.open.delete(id);
    this.outcomes[i] = { ...standingOf(this.outcomes[i].run, this.options.folder), ...failure };
    this.options.onEnd?.(this.outcomes[i]);
  }
}
