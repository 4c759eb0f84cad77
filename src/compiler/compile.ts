/**
 * `compile`: a function on tensors becomes a function on arrays that runs as one Program.
 *
 * The function is traced once for each set of shapes it is called with, of which the last few are kept. The Programs of one
 * function, and of different functions, may share a state: its layout depends on its own shapes only.
 */
import { memoryText, shown, UserError } from "../errors.js";
import type { Rules } from "../errors/options.js";
import { checkOptions, isObject, optional, positive } from "../errors/options.js";
import { node } from "../graph/node.js";
import type { Tensor } from "../graph/tensor.js";
import type { Executor, LoadedProgram, Memory } from "../runtime/executor.js";
import { defaultExecutor, executorRule } from "../runtime/executor.js";
import type { Operand, Program } from "../runtime/program.js";
import type { Target } from "../runtime/target.js";
import { compileGraph } from "./passes.js";
import type { Layout } from "./state.js";
import { State, isOperand, layOut, readTree, signatureOf, writeTree } from "./state.js";
import type { HostValue, Results, Signature, TensorTree, Values } from "./trace.js";
import { isTensor } from "./trace.js";
import type { Tree } from "./tree.js";
import { checkTree, forEachLeaf, mapTree } from "./tree.js";

/** The options of `compile`. */
export interface CompileOptions {
  /** The executor of the Programs. Default, in Node: the fastest that can run there. */
  readonly executor?: Executor;
  /** Bytes that one Program may use in all. Default: the executor's `memoryLimit`. */
  readonly memoryLimit?: number;
}

const rules: Rules<CompileOptions> = { executor: optional(executorRule), memoryLimit: optional(positive) };

/** What a compiled function returns: arrays for tensors, and a State for the key `state`. */
export type StepResult<R> = {
  readonly [K in keyof R]: K extends "state"
    ? R[K] extends TensorTree
      ? State<R[K]>
      : never
    : Results<R[K]>;
};

/** A run of a compiled function that has started. */
export interface Begun<R> {
  /** The state that the run makes, which the next run may be given before this one has ended. */
  readonly state: StepResult<R> extends { readonly state: infer S } ? S : undefined;
  /** The function's results besides the state, once the run has ended. */
  readonly results: Promise<Omit<StepResult<R>, "state">>;
}

/** A compiled function of a state and a batch. */
export interface Step<S extends TensorTree, B extends TensorTree, R> {
  /**
   * Runs the function once. The batch is copied before this returns. A `state` in the function's
   * result replaces the given one, which is consumed.
   *
   * @param nanoseconds one number per instruction, to which the time that each took is added.
   * @throws UserError for a consumed state, or values that do not fit their shapes.
   */
  (state: State<S>, batch: Values<B>, nanoseconds?: Float64Array): Promise<StepResult<R>>;
  /**
   * Starts a run of the function as the call does, and returns at once what the next run needs. Runs are executed in
   * the order in which they are started; up to `executor.target.stepsUnderWay` of them keep an executor busy.
   */
  begin(state: State<S>, batch: Values<B>, nanoseconds?: Float64Array): Begun<R>;
  /** The Program for these shapes, compiled if need be. */
  program(state: State<S>, batch: Values<B>): Program;
  /** The Program for arrays of these shapes, whatever memory it needs: none of it is taken, and nothing is kept. */
  plan(state: Shapes<S>, batch: Shapes<B>): Program;
}

/** A tree like T, with the shape and the type of each array. */
export type Shapes<T> = T extends Tensor
  ? Pick<Tensor, "shape" | "dtype">
  : { readonly [K in keyof T]: Shapes<T[K]> };

/** A traced function. */
interface Traced {
  readonly program: Program;
  readonly inputs: Layout;
  readonly outputs: Layout;
  readonly updatesState: boolean;
}

/** A traced function, loaded, with the memory of its runs. */
interface Compiled extends Omit<Traced, "program"> {
  readonly loaded: LoadedProgram;
  /** Memory of runs that have ended. */
  readonly idle: { inputs: Memory; outputs: Memory }[];
}

/** The number of Programs that one function keeps, with the memory of their runs, one per set of shapes. */
const mostPrograms = 16;

/**
 * Compiles a function of a state and a batch, both trees of tensors. It is traced once for each set of shapes that
 * it is called with, and again where it was called with more than 16 others since.
 *
 * @param fn returns a record of tensors or trees of tensors. Its key `state`, if any, must be a tree
 *   like the given state and replaces it.
 */
export function compile<
  S extends TensorTree,
  B extends TensorTree,
  R extends { readonly [key: string]: TensorTree },
>(fn: (state: S, batch: B) => R, options: CompileOptions = {}): Step<S, B, R> {
  if (typeof fn !== "function") throw new UserError(`compile takes a function, got ${shown(fn)}`);
  checkOptions("compile", options, rules);
  const { executor = defaultExecutor(), memoryLimit = executor.memoryLimit } = options;
  const programs = new Map<string, Compiled>();

  function compiledFor(state: State<S>, batch: Tree<HostValue>): Compiled {
    if (!(state instanceof State)) {
      throw new UserError(`state must be what createState() or the last step gives, got ${shown(state)}`);
    }
    if (state.executor !== executor) {
      throw new UserError(
        "this state belongs to another executor; create it with the executor given to compile()",
      );
    }
    const signature = signatureOf(batch, "batch");
    const key = JSON.stringify([state.layout.tree, signature]);
    const compiled =
      programs.get(key) ??
      load(trace(fn, state.layout, layOut("inputs", signature, executor.target), executor.target));
    // The least recently used stands first.
    programs.delete(key);
    programs.set(key, compiled);
    if (programs.size > mostPrograms) programs.delete(programs.keys().next().value!);
    return compiled;
  }

  function load({ program, ...traced }: Traced): Compiled {
    checkMemory(program, memoryLimit);
    return { ...traced, loaded: executor.load(program), idle: [] };
  }

  function begin(state: State<S>, batch: Values<B>, nanoseconds?: Float64Array): Begun<R> {
    const values = batch as Tree<HostValue>;
    const compiled = compiledFor(state, values);
    const { loaded, inputs, outputs, updatesState, idle } = compiled;
    checkTimes(nanoseconds, loaded.program);
    const memory = idle.pop() ?? {
      inputs: executor.allocate(inputs.bytes),
      outputs: executor.allocate(outputs.bytes),
    };
    writeTree(values, inputs, "inputs", executor, memory.inputs);
    const next = updatesState ? state.consume() : state;
    const run = loaded.run({ state: next.memory, ...memory }, nanoseconds);
    const reading = readTree(outputs, executor, memory.outputs);
    const results = Promise.all([run, reading]).then(([, values]) => {
      idle.push(memory);
      return values;
    });
    return { state: updatesState ? next : undefined, results } as unknown as Begun<R>;
  }

  async function step(state: State<S>, batch: Values<B>, nanoseconds?: Float64Array): Promise<StepResult<R>> {
    const begun = begin(state, batch, nanoseconds);
    const results = await begun.results;
    return (begun.state === undefined ? results : { state: begun.state, ...results }) as StepResult<R>;
  }

  return Object.assign(step, {
    begin,
    program: (state: State<S>, batch: Values<B>) =>
      compiledFor(state, batch as Tree<HostValue>).loaded.program,
    plan: (state: Shapes<S>, batch: Shapes<B>) =>
      trace(
        fn,
        layOut("state", state as Tree<Signature[string]>, executor.target),
        layOut("inputs", batch as Tree<Signature[string]>, executor.target),
        executor.target,
      ).program,
  });
}

function trace<S extends TensorTree, B extends TensorTree>(
  fn: (state: S, batch: B) => { readonly [key: string]: TensorTree },
  stateLayout: Layout,
  inputs: Layout,
  target: Target,
): Traced {
  const returned: unknown = fn(leaves(stateLayout, "state") as S, leaves(inputs, "inputs") as B);
  if (!isObject(returned) || isTensor(returned)) {
    const allowed = "an object of tensors, such as { state, loss }";
    throw new UserError(`the compiled function must return ${allowed}, got ${shown(returned)}`);
  }
  checkTree(returned, isTensor, "a tensor", "the compiled function's result");
  const { state, ...results } = returned as { readonly [key: string]: TensorTree };
  const outputs = layOut(
    "outputs",
    mapTree<Tensor, Signature[string]>(results, isTensor, ({ shape, dtype }) => ({ shape, dtype })),
    target,
  );

  const named: Record<string, Tensor> = {};
  forEachLeaf<Tensor>(results, isTensor, (path, tensor) => (named[`outputs/${path}`] = tensor));
  if (state !== undefined) Object.assign(named, updates(state, stateLayout));

  const places = { ...stateLayout.places, ...inputs.places, ...outputs.places };
  const program = compileGraph(named, places, target);
  return { program, inputs, outputs, updatesState: state !== undefined };
}

/** @throws UserError if a program needs more memory than `limit` bytes. */
export function checkMemory({ bytes }: Program, limit: number): void {
  const needed = Object.values(bytes).reduce((sum, size) => sum + size, 0);
  if (needed <= limit) return;
  throw new UserError(
    `one step needs ${memoryText(needed)} of memory, but at most ${memoryText(limit)} may be used here; ` +
      "use a smaller batch, image or network",
  );
}

/** @throws UserError for an array that cannot take the times of a program's instructions. */
function checkTimes(nanoseconds: unknown, { instructions: { length } }: Program): void {
  if (nanoseconds === undefined) return;
  if (nanoseconds instanceof Float64Array && nanoseconds.length >= length) return;
  throw new UserError(
    `nanoseconds must be a Float64Array of one number per instruction (${length}), got ${shown(nanoseconds)}`,
  );
}

/** Symbolic tensors for the arrays of a layout. */
function leaves(layout: Layout, segment: "state" | "inputs"): TensorTree {
  return mapTree<Operand, Tensor>(layout.tree, isOperand, ({ shape, storage }, path) =>
    node("leaf", [], {
      name: `${segment}/${path}`,
      kind: segment === "state" ? "state" : "input",
      shape,
      dtype: storage === "i32" ? "i32" : "f32",
    }),
  );
}

/** A new state by name. @throws UserError unless it has the arrays of the old one. */
function updates(state: TensorTree, layout: Layout): Record<string, Tensor> {
  const named: Record<string, Tensor> = {};
  forEachLeaf<Tensor>(state, isTensor, (path, tensor) => {
    const name = `state/${path}`;
    const place = layout.places[name];
    if (place === undefined)
      throw new UserError(`the returned state has ${path}, which the given state lacks`);
    if (place.shape.join() !== tensor.shape.join() || place.storage !== tensor.dtype) {
      throw new UserError(
        `the returned state's ${path} is ${tensor.dtype} [${tensor.shape.join(", ")}], ` +
          `but the given state's is ${place.storage} [${place.shape.join(", ")}]`,
      );
    }
    named[name] = tensor;
  });
  const missing = Object.keys(layout.places).find((name) => !(name in named));
  if (missing !== undefined) {
    throw new UserError(
      `the returned state lacks ${missing.slice("state/".length)}, which the given state has`,
    );
  }
  return named;
}
