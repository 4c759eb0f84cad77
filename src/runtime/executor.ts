/** What an executor is: something that runs Programs. One run at a time; the caller awaits it. */
import { UserError } from "../errors.js";
import type { Program, Segment } from "./program.js";

export type ExecutorName = "native" | "reference";

/** Memory of one run. `constants` and `scratch` belong to the loaded program. */
export interface RunMemory {
  readonly state: ArrayBuffer;
  readonly inputs: ArrayBuffer;
  readonly outputs: ArrayBuffer;
}

export interface LoadedProgram {
  readonly program: Program;
  /** Runs every instruction once. With `nanoseconds` (one number an instruction), adds the time each took. */
  run(memory: RunMemory, nanoseconds?: Float64Array): Promise<void>;
}

export interface Executor {
  readonly name: ExecutorName;
  /** "avx512vnni", "avx512", "avx2vnni", "avx2" or "typescript". */
  readonly instructionSet: string;
  readonly threads: number;
  /** Zeroed memory, aligned to 64 bytes where the executor can. */
  allocate(bytes: number): ArrayBuffer;
  /** Verifies the program and prepares it. Programs loaded by one executor share its scratch memory. */
  load(program: Program): LoadedProgram;
}

export type SegmentBuffers = Readonly<Record<Segment, ArrayBuffer>>;

/** @throws UserError if memory of this size cannot be had. */
export function allocateOrExplain(bytes: number, allocate: (bytes: number) => ArrayBuffer): ArrayBuffer {
  try {
    return allocate(bytes);
  } catch {
    throw new UserError(
      `one block of ${memoryText(bytes)} of memory cannot be had here; use a smaller batch, image or network`,
    );
  }
}

/** A size for people, in KiB, MiB or GiB. */
export function memoryText(bytes: number, digits = 1): string {
  const power = bytes < 2 ** 20 ? 1 : bytes < 2 ** 30 ? 2 : 3;
  return `${(bytes / 1024 ** power).toFixed(digits)} ${["", "KiB", "MiB", "GiB"][power]}`;
}

/** Runs asynchronous tasks one after the other in the order in which they are given. */
export function inTurn(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const run = last.then(task);
    last = run.catch(() => undefined);
    return run;
  };
}
