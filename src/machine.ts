/** The process: what it may use of its machine, of which an affinity, a container or Node itself may give less than there is, and whether it ends. */
import { constants } from "node:buffer";
import { availableParallelism, freemem, totalmem } from "node:os";

/**
 * Threads that one program runs on, at most. Kernels cut their work into 64 chunks, whatever the machine, which is why the
 * bits do not depend on it: more threads would have nothing to do (MOST_THREADS in kernels/program.h).
 */
export const mostThreads = 64;

/** The CPUs that this process may use. */
export const usableCpus = (): number => availableParallelism();

/** Threads of a program where the user says nothing. */
export const defaultThreads = (): number => Math.min(mostThreads, usableCpus());

/** Images that are read and decoded at a time, at most. */
export const mostImageThreads = 16;

/** The threads on which Node reads files and images are decoded: set before the process starts, or at the start of the command. */
export function poolThreads(): number {
  const set = Number(process.env.UV_THREADPOOL_SIZE ?? 4); // Node's default
  return Number.isInteger(set) && set > 0 ? set : 1;
}

/** Images that are decoded at a time where the user says nothing. */
export const defaultImageThreads = (): number => Math.min(8, usableCpus(), poolThreads());

/** Threads of each of so many programs that run side by side and share `threads`. */
export const threadsEach = (threads: number, programs: number): number =>
  Math.min(mostThreads, Math.max(1, Math.floor(threads / programs)));

/** Bytes of memory that this process may use: the machine's, or less where a control group (a container) sets a limit. */
export function usableMemory(): number {
  // 0, or more than there is, where there is no limit.
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

/** Bytes of memory that this process may still take: what is free, with caches that the system would give up, or what a container's limit leaves. */
export function availableMemory(): number {
  const usable = usableMemory();
  // Elsewhere Node counts such caches as used.
  const free = ["linux", "win32"].includes(process.platform) ? freemem() : totalmem();
  return Math.max(0, Math.min(free, usable - process.memoryUsage.rss()));
}

/** Why one array of so many bytes cannot be allocated, as part of a sentence. */
export function arrayProblem(bytes: number): string {
  const most = constants.MAX_LENGTH;
  if (bytes <= Math.min(most, usableMemory()) || bytes > usableMemory()) return blockProblem(bytes);
  return `more than one array of Node ${process.versions.node} can hold (${gibibytes(most)}; newer ones hold more)`;
}

/** Why there is no block of memory of so many bytes outside of the JavaScript engine, as the end of a sentence. */
export function blockProblem(bytes: number): string {
  const [total, usable] = [totalmem(), usableMemory()];
  if (bytes > total) return `more than there is (${gibibytes(total)})`;
  if (bytes > usable)
    return `more than this process may use (${gibibytes(usable)}, a limit of its container)`;
  return "more than is free now";
}

/** What a user's code promises. @throws Error if it waits for what never comes, which would end the process without a word. */
export function settled<T>(promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const refuse = (): void => reject(new Error("it waits for something that never happens"));
    process.once("beforeExit", refuse);
    promise.then(resolve, reject).finally(() => process.off("beforeExit", refuse));
  });
}

const gibibytes = (size: number): string => `${(size / 2 ** 30).toFixed(1)} GiB`;
