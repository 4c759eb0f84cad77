/** Chooses an executor: the native one where it is built and the CPU has the instructions, else WebAssembly. */
import { UserError } from "../errors.js";
import type { Rules } from "../errors/options.js";
import { callback, checkOptions, oneOf, optional, whole } from "../errors/options.js";
import { defaultThreads, mostThreads } from "../machine.js";
import type { Executor, ExecutorName } from "./executor.js";
import { executorNames, setDefaultExecutor } from "./executor.js";
import { createNativeExecutor, kernelsCommand, nativeProblem } from "./native.js";
import { createReferenceExecutor } from "./reference.js";
import { createWasmExecutor } from "./wasm.js";
import { loadWasm } from "./wasm-file.js";

/** The executor that `chooseExecutor` found, and why it is this one. */
export interface ExecutorChoice {
  readonly executor: Executor;
  /** One sentence for people. */
  readonly reason: string;
  /** A warning for the user: that it is slower than it could be, why, and what to do. */
  readonly warning?: string;
}

/** Which executor computes, and on how many threads. */
export interface ExecutorOptions {
  /** Default: the fastest that can run here. */
  readonly executor?: ExecutorName;
  /**
   * Default: the number of CPUs this process may use, at most 64. The bits of all results do not depend on it.
   * The executors wasm and reference use one.
   */
  readonly threads?: number;
  /** Called with the warning of a choice, once per warning and process. Default: Node's own warnings, on standard error. */
  readonly onWarning?: (message: string) => void;
}

/** The rules of options that choose an executor. */
export const executorRules: Rules<ExecutorOptions> = {
  executor: optional(oneOf(...executorNames)),
  threads: optional(whole(1, mostThreads)),
  onWarning: optional(callback),
};

const warned = new Set<string>();

/**
 * Chooses the executor that is asked for, or the fastest that can run here.
 *
 * @throws UserError if the executor that is asked for cannot run, or threads is not from 1 to 64.
 */
export function chooseExecutor(options: ExecutorOptions = {}): ExecutorChoice {
  checkOptions("chooseExecutor", options, executorRules);
  const choice = choose(options);
  const { onWarning = emitWarning } = options;
  if (choice.warning !== undefined && !warned.has(choice.warning)) {
    warned.add(choice.warning);
    onWarning(choice.warning);
  }
  return choice;
}

/** Passes a warning to Node, which writes it to standard error unless the program listens. */
export const emitWarning = (message: string): void => process.emitWarning(message, "FewbitWarning");

function choose({ executor: asked, threads: count = defaultThreads() }: ExecutorOptions): ExecutorChoice {
  const why = asked === undefined ? "the fastest that runs here" : "as asked";
  if (asked === "reference") {
    return { executor: createReferenceExecutor(), reason: `the reference executor, ${why}` };
  }

  const problem = asked === "wasm" ? undefined : nativeProblem();
  if (asked !== "wasm" && problem === undefined) {
    const executor = createNativeExecutor({ threads: count });
    const reason = `the native executor with ${executor.instructionSet}, ${why}`;
    if (executor.threads === count) return { executor, reason };
    const warning = `this system makes no more than ${executor.threads} of ${count} threads for the kernels (a limit of processes or threads, such as ulimit -u or a container's); the numbers are the same, and it is slower`;
    return { executor, reason, warning };
  }
  if (asked === "native") {
    throw new UserError(`executor native cannot run: ${problem}; mend that or use executor wasm`, "executor");
  }

  const wasm = loadWasm();
  if (wasm.module !== undefined) {
    const executor = createWasmExecutor(wasm.module);
    const because = problem === undefined ? why : `because ${problem}`;
    const reason = `the WebAssembly executor on one thread, ${because}`;
    const command = asked === undefined ? kernelsCommand() : undefined;
    if (command === undefined) return { executor, reason };
    const warning =
      `${problem}, so fewbit computes in WebAssembly on one thread, several times slower; build them with: ${command} ` +
      "(npm 12, pnpm and bun run no install scripts), or ask for executor wasm";
    return { executor, reason, warning };
  }
  if (asked === "wasm") {
    throw new UserError(`executor wasm cannot run: ${wasm.problem}; use executor reference`, "executor");
  }
  const reason = `the reference executor, because ${problem} and ${wasm.problem}`;
  const warning = `fewbit computes with ${reason}; it is hundreds of times slower, and made for tests`;
  return { executor: createReferenceExecutor(), reason, warning };
}

setDefaultExecutor(() => chooseExecutor().executor);
