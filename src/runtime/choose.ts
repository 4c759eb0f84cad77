/** Chooses an executor: the native one where it is built and the CPU has the instructions, else the reference. */
import { availableParallelism } from "node:os";
import { UserError } from "../errors.js";
import type { Executor, ExecutorName } from "./executor.js";
import { createNativeExecutor, nativeProblem } from "./native.js";
import { createReferenceExecutor } from "./reference.js";

export interface ExecutorChoice {
  readonly executor: Executor;
  /** One sentence for people. */
  readonly reason: string;
}

export interface ExecutorOptions {
  /** Default: the fastest that can run here. */
  readonly executor?: ExecutorName;
  /** Default: the number of CPUs this process may use. The bits of all results do not depend on it. */
  readonly threads?: number;
}

/** @throws UserError if the native executor is asked for and cannot run, or threads is not from 1 to 64. */
export function chooseExecutor(options: ExecutorOptions = {}): ExecutorChoice {
  const threads = options.threads ?? Math.min(64, availableParallelism());
  if (!Number.isInteger(threads) || threads < 1 || threads > 64) {
    throw new UserError(`threads must be an integer from 1 to 64, got ${threads}`, "threads");
  }
  if (options.executor === "reference") {
    return { executor: createReferenceExecutor(), reason: "the reference executor, as asked" };
  }
  const problem = nativeProblem();
  if (problem === undefined) {
    const executor = createNativeExecutor({ threads });
    const why = options.executor === "native" ? "as asked" : "the fastest that runs here";
    return { executor, reason: `the native executor with ${executor.instructionSet}, ${why}` };
  }
  if (options.executor === "native") {
    throw new UserError(
      `executor native cannot run: ${problem}; mend that or use executor reference`,
      "executor",
    );
  }
  return { executor: createReferenceExecutor(), reason: `the reference executor, because ${problem}` };
}

let shared: Executor | undefined;

/** The executor of calls that name none; made at first use. */
export function defaultExecutor(): Executor {
  shared ??= chooseExecutor().executor;
  return shared;
}
