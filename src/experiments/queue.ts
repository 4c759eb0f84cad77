/**
 * A study on a queue: the code shared by the command that follows it and the workers that train it. The server is Redis
 * or Valkey, the queue BullMQ's. A job is a run's configuration; the results of a run are only in the study's folder,
 * which all machines share, so the server may lose all its data.
 */
import { randomBytes } from "node:crypto";
import { basename, join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Job, JobsOptions, JobType, Queue } from "bullmq";
import type { Redis } from "ioredis";
import { z } from "zod";
import { printable, UserError } from "../errors.js";
import { isThere, largest, readText } from "../files/read.js";
import { whyUnwritten } from "../files/reasons.js";
import { createFile, makeDirectories } from "../files/write.js";
import type { TrainProgress } from "../training/index.js";
import { codeFilesOf } from "../training/code.js";
import { without } from "../training/settings.js";
import type { PlannedRun } from "./study.js";
import { plannedRuns } from "./study.js";

/** The prefix of all keys of fewbit on a server. */
export const prefix = "fewbit";

/** A hash on the server: each study's queue, and where the study's folder is on the machine that follows it. */
const registry = `${prefix}:studies`;

/** How often a run is tried: the cause of a failure, such as a full disk, may be removed in between. */
const attempts = 3;
const firstRetryMilliseconds = 2_000;

/** A run is passed on when its worker dies; one that has killed so many workers is not given out again. */
export const maxStalledCount = attempts - 1;

/** Checks the URL of the server. @throws UserError that does not show a password. */
export function queueUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && ["redis:", "rediss:"].includes(url.protocol) && url.hostname !== "") return text;
  throw new UserError(
    `queue must be a URL of a Redis or Valkey server, such as redis://HOST:6379 or rediss://HOST:6379, got "${maskedUrl(text)}" (from --queue)`,
  );
}

/** A URL as it may be shown: without user, password and options. */
export const maskedUrl = (text: string): string =>
  text.replace(/\/\/.*@/, "//***@").replace(/\?.*$/s, "?***");

/**
 * Connects to a server. Once that has succeeded the connection comes back by itself whenever it is lost,
 * and commands wait for it; `onTrouble` is called when it is lost and when it is back.
 *
 * @throws UserError if there is none, within some seconds.
 */
export async function connect(url: string, onTrouble: (message: string) => void): Promise<Redis> {
  const { Redis } = await import("ioredis");
  let connected = false;
  let lost = false;
  let reason = "it does not answer";
  const redis: Redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 5_000,
    maxRetriesPerRequest: null,
    // Copies of the connection use this too, and end with it.
    retryStrategy: (times) =>
      connected && redis.status !== "end" ? Math.min(100 * 2 ** times, 3_000) : null,
  });
  redis.on("error", (error: NodeJS.ErrnoException) => {
    reason = error.code ?? error.message;
    if (connected && !lost) onTrouble(`the queue's server cannot be reached (${reason}); trying again`);
    lost = connected;
  });
  redis.on("ready", () => {
    if (lost) onTrouble("the queue's server is back");
    lost = false;
  });
  const silence = setTimeout(() => redis.disconnect(), 8_000);
  try {
    await redis.connect();
    await redis.select(redis.options.db ?? 0); // refuses a number that the server has not
    connected = true;
    return redis;
  } catch (error) {
    redis.disconnect();
    const { message } = error as Error;
    // That the connection was closed follows from the reason.
    if (!/Connection is closed/.test(message)) reason = message.replace(/\.$/, "");
    throw new UserError(
      `no Redis or Valkey server can be used at ${maskedUrl(url)}: ${reason}; start one, or mend --queue`,
    );
  } finally {
    clearTimeout(silence);
  }
}

const idFile = "queue.json";
const idSchema = z.object({ formatVersion: z.literal(1), id: z.string().regex(/^[0-9a-f]{8}$/) });

/**
 * The queue of a study: its folder's name, and a number kept in the folder, so that machines that have
 * the folder in different places mean the same and two folders of one name do not. Undefined for a
 * folder that has had no queue.
 */
export function queueNameOf(folder: string): string | undefined {
  const path = join(folder, idFile);
  if (!isThere(path)) return undefined;
  const text = readText(path, largest.json);
  try {
    const { id } = idSchema.parse(JSON.parse(text));
    return `${basename(resolve(folder)).replace(/[^\w.-]+/g, "-")}-${id}`;
  } catch {
    throw new UserError(`${path} is damaged; remove it, then start the study again`);
  }
}

/** The same, giving the folder a number if it has none. @throws UserError if the folder cannot be written to. */
export function giveQueueName(folder: string): string {
  const path = join(folder, idFile);
  const content = `${JSON.stringify({ formatVersion: 1, id: randomBytes(4).toString("hex") })}\n`;
  try {
    makeDirectories(resolve(folder));
    createFile(path, content);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST")
      throw new UserError(`cannot write ${path}: ${whyUnwritten(error).reason}; choose another --out`);
  }
  return queueNameOf(folder) as string;
}

/** A key that exists while somebody follows the study, and a little longer. */
const followedKey = (name: string): string => `${prefix}:followed:${name}`;
const followedSeconds = 15;

/** Records on the server where a study is, and that somebody follows it now. */
export async function register(redis: Redis, name: string, folder: string): Promise<void> {
  await redis.set(followedKey(name), "", "EX", followedSeconds);
  await redis.hset(registry, name, resolve(folder));
}

/** The studies of a server: their queues and folders. */
export const registered = (redis: Redis): Promise<Record<string, string>> => redis.hgetall(registry);

/**
 * Takes a study off the server. Its runs are in its folder. Where another study of the same folder still has runs
 * there, only this one's jobs go.
 */
export async function unregister(
  redis: Redis,
  name: string,
  queue: Queue,
  runs: readonly PlannedRun[],
): Promise<void> {
  for (const run of runs) await queue.remove(jobIdOf(run));
  await clear(redis, name, queue);
}

/** Takes a study off the server if nobody follows it and none of its runs waits or is at work. */
export async function forget(redis: Redis, name: string): Promise<void> {
  if ((await redis.exists(followedKey(name))) > 0) return;
  const queue = await openQueue(redis, name);
  await clear(redis, name, queue).finally(() => queue.close());
}

/** The number of runs that wait or are at work. */
export const openJobs = (queue: Queue): Promise<number> =>
  queue.getJobCountByTypes("waiting", "delayed", "active");

/** Removes all keys of a queue without open jobs. */
async function clear(redis: Redis, name: string, queue: Queue): Promise<void> {
  if ((await openJobs(queue)) > 0) return;
  await redis.hdel(registry, name);
  await redis.del(followedKey(name));
  try {
    await queue.obliterate(); // which pauses it first
  } catch (error) {
    await queue.resume(); // a job was started meanwhile; whoever queued it says again where the study is
    throw error;
  }
}

/** Queueing a run twice is the same as once. Identities alone could be taken for numbers. */
export const jobIdOf = ({ identity }: PlannedRun): string => `run-${identity}`;

const placed = (path: string | undefined): string | undefined =>
  path === undefined ? undefined : resolve(path);

export function jobOf(run: PlannedRun): { name: string; data: JobData; opts: JobsOptions } {
  const { dataDir, initFrom } = run.options;
  const options = without(run.options, ({ isLocal }) => isLocal === true);
  return {
    name: run.name,
    // A machine that shares the folders finds them there, from whatever folder the worker was started in.
    data: { configuration: { ...options, dataDir: placed(dataDir), initFrom: placed(initFrom) } },
    opts: {
      jobId: jobIdOf(run),
      attempts,
      removeOnComplete: false,
      removeOnFail: false,
      backoff: { type: "exponential", delay: firstRetryMilliseconds },
    },
  };
}

/** @throws UserError for a configuration that names a file of code. */
export function refuseCode(configuration: Readonly<Record<string, unknown>>): void {
  for (const [key, file] of codeFilesOf(configuration)) {
    throw new UserError(`a worker loads no code: ${key} ${file} is a file; train it without --queue`);
  }
}

const jobSchema = z.strictObject({ configuration: z.record(z.string(), z.unknown()) });
export type JobData = z.output<typeof jobSchema>;

/** The run of a job, which anyone may have put there. @throws UserError for anything but a run. */
export function runOfJob({ id, data }: Pick<Job, "id" | "data">): PlannedRun {
  const { data: job } = jobSchema.safeParse(data);
  if (job === undefined) throw new UserError(`job ${id} of the queue does not hold a run's configuration`);
  // Where a worker downloads from is for the machine that it runs on to say, not for the queue's server.
  const { mirrors: _, ...configuration } = job.configuration;
  refuseCode(configuration);
  const [run] = plannedRuns([{ values: configuration, source: "the queue" }]);
  if (jobIdOf(run) === id) return run;
  throw new UserError(
    `job ${id} of the queue is not the run of its configuration; study and workers must have the same version of fewbit`,
  );
}

const trainProgress = z
  .object({
    phase: z.enum(["train", "evaluate", "epoch"]),
    epoch: z.int(),
    epochs: z.int(),
    step: z.int(),
    steps: z.int(),
    loss: z.number(),
    accuracy: z.number(),
    learningRate: z.number(),
    imagesPerSecond: z.number(),
    secondsLeft: z.number().optional(),
  })
  .transform(({ secondsLeft, ...rest }): TrainProgress => ({ ...rest, secondsLeft }));
const progressSchema = z.object({
  /** The last that is known. */
  now: trainProgress.optional(),
  /** The last epoch's end. */
  ended: trainProgress.optional(),
  /** The run has failed since its numbers broke down. */
  diverged: z.boolean().optional(),
  /** The file `stop` in its folder has ended it before its time. */
  stopped: z.boolean().optional(),
});
export type JobProgress = z.output<typeof progressSchema>;

export const progressOf = ({ progress }: Pick<Job, "progress">): JobProgress =>
  progressSchema.safeParse(progress).data ?? {};

export const failureOf = ({ failedReason }: Pick<Job, "failedReason">): string =>
  printable(failedReason || "it failed without a reason");

/** The content of a queue, by job. A job that is moved meanwhile may be missing. */
export async function jobsOf(
  queue: Queue,
): Promise<Map<string, { readonly state: JobType; readonly job: Job }>> {
  const jobs = new Map<string, { state: JobType; job: Job }>();
  for (const state of ["waiting", "delayed", "active", "completed", "failed"] as const) {
    for (const job of await queue.getJobs([state])) {
      if (job?.id !== undefined) jobs.set(job.id, { state, job: job as Job });
    }
  }
  return jobs;
}

/** A study's queue on a connection, which it does not close and whose loss it does not report. */
export async function openQueue(redis: Redis, name: string): Promise<Queue> {
  const { Queue } = await import("bullmq");
  const queue = new Queue(name, { connection: redis, prefix });
  queue.on("error", () => {}); // the connection reports it
  return queue;
}

/** Waits for `work` at most for the given time, and leaves no timer behind. */
export async function waitAtMost(milliseconds: number, work: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  const time = delay(milliseconds, undefined, { signal: over.signal }).catch(() => {});
  await Promise.race([work, time]).finally(() => over.abort());
}

/** The result of `work`, or undefined if the signal comes first. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const stop = (): void => resolve(undefined);
    if (signal?.aborted === true) stop();
    signal?.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => signal?.removeEventListener("abort", stop));
  });
}
