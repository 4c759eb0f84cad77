/** Executors run Programs, one run at a time. */
import { memoryText, UserError } from "../errors.js";
import type { Rule } from "../errors/options.js";
import { objectOf } from "../errors/options.js";
import type { Program } from "./program.js";
import type { Target } from "./target.js";

/** The names of the executors. */
export const executorNames = ["native", "wasm", "reference"] as const;
/** The executors: native kernels, the same kernels in WebAssembly, and plain TypeScript. */
export type ExecutorName = (typeof executorNames)[number];

/** Memory of an executor. It may lie anywhere, also on another device: only the executor that allocated it looks inside. */
export interface Memory {
  /** Its size. */
  readonly bytes: number;
}

/** Memory of one run. `constants` and `scratch` belong to the loaded program. */
export interface RunMemory {
  readonly state: Memory;
  readonly inputs: Memory;
  readonly outputs: Memory;
}

/** A Program that an executor has verified and prepared. */
export interface LoadedProgram {
  readonly program: Program;
  /**
   * Runs every instruction once, after the runs that were started before on any program of the executor. With
   * `nanoseconds` (one number per instruction), adds the time that each took.
   */
  run(memory: RunMemory, nanoseconds?: Float64Array): Promise<void>;
}

/** What runs Programs: kernels or loops, and the memory that they work on. */
export interface Executor {
  readonly name: ExecutorName;
  /** "avx512bf16", "avx512vnni", "avx512", "avx2vnni", "avx2", "simd128" or "typescript". */
  readonly instructionSet: string;
  readonly threads: number;
  /** What the compiler may assume of it. */
  readonly target: Target;
  /** Bytes that one program should use at most. */
  readonly memoryLimit: number;
  /** Zeroed memory. @throws UserError if there is not enough. */
  allocate(bytes: number): Memory;
  /**
   * Copies `data` to `memory`, from the byte `offset` on, before it returns: the caller may change `data` then. No
   * run under way may use the memory.
   */
  write(memory: Memory, offset: number, data: ArrayBufferView): void;
  /**
   * Fills `into` with the bytes of `memory` from `offset` on, as the runs that were started before leave them. It waits for
   * those alone that use the memory.
   */
  read(memory: Memory, offset: number, into: ArrayBufferView): Promise<void>;
  /** Other memory of the same content, as the runs that were started before leave it: `into`, which is no smaller, or new. */
  copy(memory: Memory, into?: Memory): Memory;
  /** Verifies the program and prepares it. Programs loaded by one executor share its scratch memory. */
  load(program: Program): LoadedProgram;
}

/** The rule of an executor that a user passes in. */
export const executorRule: Rule = objectOf("an executor, such as chooseExecutor().executor", {
  name: "string",
  target: "object",
  allocate: "function",
  write: "function",
  read: "function",
  copy: "function",
  load: "function",
});

let makeDefault = (): Executor => {
  throw new UserError(
    "an executor is needed here: give compile() and createState() the one that createWasmExecutor() gives",
    "executor",
  );
};
let shared: Executor | undefined;

/** The default executor, made at first use. @throws UserError where there is none. */
export function defaultExecutor(): Executor {
  shared ??= makeDefault();
  return shared;
}

export function setDefaultExecutor(make: () => Executor): void {
  makeDefault = make;
}

/** @throws UserError if memory of this size cannot be allocated, with the `reason` if one is known. */
export function allocateOrExplain<T>(
  bytes: number,
  allocate: (bytes: number) => T,
  reason?: (bytes: number) => string,
): T {
  try {
    return allocate(bytes);
  } catch {
    const because = reason === undefined ? "" : `: it is ${reason(bytes)}`;
    throw new UserError(
      `one block of ${memoryText(bytes)} of memory cannot be allocated here${because}; use a smaller batch, image or network`,
    );
  }
}

/** Tasks on memory, which are carried out one after the other. */
export interface Turns {
  /** Carries out a task after all that were given before. */
  inTurn<T>(memory: readonly Memory[], task: () => T | Promise<T>): Promise<T>;
  /** Carries out a task after all that were given before; at once where none of them is on the memory. */
  whenFree<T>(memory: Memory, task: () => T | Promise<T>): Promise<T>;
}

/** The turns of one executor's memory. */
export function turns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  /** How many tasks that have not ended use a memory. */
  const users = new Map<Memory, number>();
  const count = (memory: readonly Memory[], more: number): void => {
    for (const used of memory) {
      const left = (users.get(used) ?? 0) + more;
      if (left === 0) users.delete(used);
      else users.set(used, left);
    }
  };
  const inTurn: Turns["inTurn"] = (memory, task) => {
    count(memory, 1);
    const run = last.then(task);
    last = run.catch(() => undefined).then(() => count(memory, -1));
    return run;
  };
  return {
    inTurn,
    whenFree: async (memory, task) => (users.has(memory) ? inTurn([memory], task) : task()),
  };
}

/** Longest time in milliseconds without a turn of the event loop. */
const longestTurn = 10;

/**
 * Runs instruction after instruction on this thread; in between, timers, signals and messages are handled. Adds the
 * time that each took to `nanoseconds`.
 */
export async function runHere(
  instructions: number,
  run: (index: number) => void,
  nanoseconds?: Float64Array,
): Promise<void> {
  let turn = performance.now();
  for (let i = 0; i < instructions; i++) {
    const start = performance.now();
    run(i);
    const end = performance.now();
    if (nanoseconds !== undefined) nanoseconds[i] += (end - start) * 1e6;
    if (end - turn < longestTurn) continue;
    await nextTurn();
    turn = performance.now();
  }
}

/** Lets timers, signals and messages be handled. Browsers have no setImmediate, and their timers wait for 4 ms. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") {
      setImmediate(resolve);
      return;
    }
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener("message", () => {
      port1.close();
      resolve();
    });
    port1.start();
    port2.postMessage(undefined);
  });
}
