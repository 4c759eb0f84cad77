/** A worker: takes runs from the queues of a server, and trains them until it is stopped. */
import { randomUUID } from "node:crypto";
import type { Worker } from "bullmq";
import type { Redis } from "ioredis";
import { UserError } from "../errors.js";
import { threadsEach } from "../machine.js";
import {
  connect,
  forget,
  maxStalledCount,
  openJobs,
  openQueue,
  orAborted,
  prefix,
  queueNameOf,
  registered,
  waitAtMost,
} from "./queue.js";
import { DataSets } from "./run.js";
import type { WorkerListeners } from "./worker-job.js";
import { giveBack, graceMilliseconds, runJob } from "./worker-job.js";

export interface WorkerOptions extends WorkerListeners {
  /** Where the server is: see `queueUrl`. */
  readonly queue: string;
  /** The name of a study's folder or of its queue; without it all studies are served. */
  readonly study?: string;
  /** Where the folder of the only study to serve is on this machine, if it has another path here. */
  readonly folder?: string;
  /** Runs side by side; each has its share of the threads. Default 1. */
  readonly jobs?: number;
  /** The threads of all runs together. */
  readonly threads: number;
  /** Where the data is on this machine, in place of what the study says. */
  readonly dataDir?: string;
  /** Ends when no run waits or is at work anywhere. */
  readonly untilEmpty?: boolean;
  /** Seconds after which a silent worker is given up, and its runs go to others. Default 30. */
  readonly lockSeconds?: number;
  /** When aborted, the running steps are finished, and the runs saved and given back. */
  readonly signal: AbortSignal;
}

/** How long to wait when there is nothing to do. */
const idleMilliseconds = 500;

/** @throws UserError if the server cannot be reached at the beginning, or if `folder` has no study on a queue. */
export async function work(options: WorkerOptions): Promise<void> {
  const { folder, onTrouble = () => {} } = options;
  const only = folder === undefined ? undefined : queueNameOf(folder);
  if (folder !== undefined && only === undefined) {
    throw new UserError(
      `${folder} holds no study of a queue; start it with \`fewbit sweep\` and --queue, or mend --out`,
    );
  }
  const redis = await connect(options.queue, onTrouble);
  options.onReady?.();
  const pool = new Pool(redis, only, options);
  try {
    await pool.run();
  } finally {
    await pool.close();
    redis.disconnect();
  }
}

/** A study that is served: its queue's name, its folder here, what takes its jobs, and how many of them run. */
interface Served {
  readonly name: string;
  readonly folder: string;
  readonly worker: Worker;
  running: number;
}

class Pool {
  private readonly served = new Map<string, Served>();
  private readonly running = new Set<Promise<void>>();
  private readonly data = new DataSets();
  private readonly reported = new Set<string>();
  private taking: Promise<boolean> = Promise.resolve(false);
  private wake: () => void = () => {};
  private isClosed = false;
  private nextTidy = 0;

  constructor(
    private readonly redis: Redis,
    private readonly only: string | undefined,
    private readonly options: WorkerOptions,
  ) {}

  async run(): Promise<void> {
    const { signal, jobs = 1, untilEmpty } = this.options;
    while (!signal.aborted) {
      if (this.running.size < jobs) {
        this.taking = this.take().catch((error: Error) => this.tell(error.message));
        if (await orAborted(this.taking, signal)) continue;
      }
      const isIdle = untilEmpty === true && this.running.size === 0;
      if (
        isIdle &&
        (await orAborted(
          this.isEmpty().catch((error: Error) => this.tell(error.message)),
          signal,
        )) === true
      )
        return;
      await orAborted(this.pause(), signal);
    }
    await waitAtMost(graceMilliseconds, this.taking);
    await Promise.all(this.running);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await waitAtMost(graceMilliseconds, Promise.all([...this.served.keys()].map((name) => this.leave(name))));
  }

  /** Begins a run if one waits. */
  private async take(): Promise<boolean> {
    const { signal, threads, jobs = 1, lockSeconds } = this.options;
    for (const study of await this.studies()) {
      const { name, folder, worker } = study;
      const token = randomUUID();
      const job = await worker.getNextJob(token, { block: false });
      if (job === undefined) continue;
      if (signal.aborted) {
        await giveBack(job, token);
        return false;
      }
      const running = runJob(job, token, {
        ...this.options,
        queueName: name,
        folder,
        data: this.data,
        threads: threadsEach(threads, jobs),
        lockMilliseconds: lockMilliseconds(lockSeconds),
      }).finally(() => {
        study.running--;
        this.running.delete(running);
        this.wake();
      });
      study.running++;
      this.running.add(running);
      return true;
    }
    await this.tidy();
    return false;
  }

  /** Removes from time to time what finished studies without a follower have left on the server. */
  private async tidy(): Promise<void> {
    const now = performance.now();
    if (now < this.nextTidy) return;
    this.nextTidy = now + lockMilliseconds(this.options.lockSeconds);
    const names = Object.keys(await registered(this.redis)).filter((name) => this.isWanted(name));
    for (const name of names) await forget(this.redis, name);
  }

  /** The studies to serve now. A study that the server no longer has is left once none of its runs is at work here. */
  private async studies(): Promise<Served[]> {
    const there = await registered(this.redis);
    const wanted = Object.keys(there).filter((name) => this.isWanted(name));
    for (const { name, running } of [...this.served.values()]) {
      if (!Object.hasOwn(there, name) && running === 0) await this.leave(name);
    }
    for (const name of wanted) if (!this.served.has(name)) await this.serve(name, there[name]);
    return wanted.flatMap((name) => this.served.get(name) ?? []);
  }

  private isWanted(name: string): boolean {
    const { study } = this.options;
    if (this.only !== undefined) return name === this.only;
    return study === undefined || name === study || name.slice(0, -"-01234567".length) === study;
  }

  private async serve(name: string, registeredFolder: string): Promise<void> {
    const { folder = registeredFolder, lockSeconds } = this.options;
    if (!isFolderOf(name, folder)) {
      this.tell(
        `study ${name} is left to other workers: ${folder} is not its folder on this machine; share it, or give its place with --out`,
      );
      return;
    }
    const { Worker } = await import("bullmq");
    if (this.isClosed) return;
    const milliseconds = lockMilliseconds(lockSeconds);
    const worker = new Worker(name, null, {
      connection: this.redis,
      prefix,
      autorun: false,
      maxStalledCount,
      lockDuration: milliseconds,
      stalledInterval: milliseconds,
    });
    worker.on("error", () => {}); // the connection reports it
    // It is known before it is ready: one that the server does not answer keeps its connection until it is closed.
    this.served.set(name, { name, folder, worker, running: 0 });
    try {
      await worker.waitUntilReady();
      await worker.startStalledCheckTimer();
    } catch (error) {
      await this.leave(name);
      throw error;
    }
  }

  /** Closes what takes a study's jobs, and its connection. */
  private async leave(name: string): Promise<void> {
    const worker = this.served.get(name)?.worker;
    this.served.delete(name);
    await worker?.close(true).catch(() => {}); // of a connection that is lost already
  }

  /** Whether there is nothing left to do on any study; a run of another worker may come back. */
  private async isEmpty(): Promise<boolean> {
    for (const { name } of await this.studies()) {
      const queue = await openQueue(this.redis, name);
      if ((await openJobs(queue).finally(() => queue.close())) > 0) return false;
    }
    return true;
  }

  /** Reports a problem that keeps happening once. */
  private tell(message: string): false {
    if (!this.reported.has(message)) this.options.onTrouble?.(message);
    this.reported.add(message);
    return false;
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, idleMilliseconds);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

const lockMilliseconds = (seconds = 30): number => Math.round(1000 * seconds);

/** Whether a folder, whose path came from the server, is that of a queue. */
function isFolderOf(name: string, folder: string): boolean {
  try {
    return queueNameOf(folder) === name;
  } catch {
    return false;
  }
}
