/** Optimizers: pure functions of flat records of tensors, so that any step can use one. */
import { counted, isPlainObject, shown, UserError } from "../errors.js";
import type { Rules } from "../errors/options.js";
import {
  callback,
  checkOptions,
  flag,
  isObject,
  optional,
  plain,
  positive,
  text,
} from "../errors/options.js";
import type { HostArray, Tensor, Tensors } from "../graph/index.js";
import { isTensor, sizeOf } from "../graph/index.js";

/** An optimizer: its own arrays at the start, and one step of all parameters. */
export interface Optimizer {
  readonly name: string;
  /** What recreates it. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The base rate, which a schedule scales. */
  readonly learningRate: number;
  /** Whether scaling the gradients leaves the steps as they are, as with Adam except for its ε. Default false. */
  readonly invariantToScale?: boolean;
  /** Its own tensors before the first step, such as zeros like every parameter for each of its moments. */
  initial(parameters: Readonly<Record<string, HostArray>>): Record<string, Record<string, HostArray>>;
  /** The numbers that change from step to step (the first is 1), computed in double: the `scalars` of `update`. */
  scalars(step: number, learningRate: number): Record<string, number>;
  /**
   * The parameters and own tensors after a step. Every parameter needs a gradient of its name. `withoutMomentum` says
   * whether a parameter, given by name, has no momentum.
   */
  update(
    parameters: Tensors,
    gradients: Tensors,
    own: Readonly<Record<string, Tensors>>,
    scalars: Tensors,
    withoutMomentum?: (name: string) => boolean,
  ): { parameters: Record<string, Tensor>; own: Record<string, Record<string, Tensor>> };
}

const rules: Rules<Optimizer> = {
  name: text,
  options: plain,
  learningRate: positive,
  invariantToScale: optional(flag),
  initial: callback,
  scalars: callback,
  update: callback,
};

/** @throws UserError for anything but an optimizer, and for one with an unknown property. */
export function checkOptimizer(optimizer: unknown): asserts optimizer is Optimizer {
  if (!isObject(optimizer) || typeof optimizer.name !== "string" || typeof optimizer.update !== "function") {
    const allowed = "an optimizer, such as optim.adam({ learningRate: 0.001 })";
    throw new UserError(`optimizer must be ${allowed}, got ${shown(optimizer)}`, "optimizer");
  }
  const of = `optimizer ${optimizer.name}`;
  checkOptions(of, optimizer, rules, `${of}: `);
}

/** An optimizer's own arrays before the first step. @throws UserError unless they are records of arrays. */
export function initialOf(
  optimizer: Optimizer,
  parameters: Readonly<Record<string, HostArray>>,
): Record<string, Record<string, HostArray>> {
  const own: unknown = optimizer.initial(parameters);
  const mistake = wrongArray(own);
  if (mistake === undefined) return own as ReturnType<Optimizer["initial"]>;
  throw new UserError(
    `optimizer ${optimizer.name}: initial must return arrays by record and parameter, such as { velocity: { "conv1.weight": { data: new Float32Array(...), shape } } }, or {}, got ${mistake}`,
    "optimizer",
  );
}

/** The first of an optimizer's own arrays that is not an array, in words; undefined if all are. */
function wrongArray(own: unknown): string | undefined {
  if (!isRecord(own)) return brief(own);
  for (const [key, record] of Object.entries(own)) {
    if (!isRecord(record) || record.data instanceof Float32Array) return `${brief(record)} as ${key}`;
    for (const [name, array] of Object.entries(record)) {
      const { data, shape } = Object(array) as Partial<HostArray>;
      const path = `${key}["${name}"]`;
      if (!isRecord(array)) return `${shown(array)} as ${path}`;
      if (!(data instanceof Float32Array)) return `${shown(data)} as ${path}.data`;
      if (!Array.isArray(shape) || sizeOf(shape) !== data.length) {
        return `${shown(shape)} as ${path}.shape for ${counted(data.length, "number")}`;
      }
    }
  }
  return undefined;
}

/**
 * Checks the result of an optimizer's update.
 *
 * @param given the arguments of the update.
 * @throws UserError unless the result has their names and shapes.
 */
export function checkUpdate(
  { name }: Optimizer,
  result: unknown,
  given: { readonly parameters: Tensors; readonly own: Readonly<Record<string, Tensors>> },
): asserts result is ReturnType<Optimizer["update"]> {
  const mistake = (got: string) =>
    new UserError(`optimizer ${name}: update must return { parameters, own }${got}`, "optimizer");
  if (!isRecord(result) || !isRecord(result.own)) throw mistake(`, got ${brief(result)}`);
  const { parameters, own } = result;
  const differences = [
    difference("parameters", parameters, given.parameters),
    added("parameters", parameters, given.parameters),
    ...Object.entries(given.own).map(([key, record]) => difference(`own.${key}`, own[key], record)),
    added("own", own, given.own),
  ];
  const found = differences.find((text) => text !== undefined);
  if (found !== undefined) throw mistake(` with the names and shapes that it is given, but ${found}`);
}

/** Which of the tensors that were given by name has no counterpart in what was returned; undefined if each has one. */
function difference(path: string, returned: unknown, given: Tensors): string | undefined {
  if (!isRecord(returned)) return `${path} is ${brief(returned)}`;
  for (const [name, { shape }] of Object.entries(given)) {
    const value = returned[name];
    if (isTensor(value) && value.shape.join() === shape.join()) continue;
    return `${path}["${name}"] is ${brief(value)} in place of a tensor [${shape.join(", ")}]`;
  }
  return undefined;
}

function added(path: string, returned: unknown, given: object): string | undefined {
  const name = Object.keys(Object(returned) as object).find((key) => !Object.hasOwn(given, key));
  return name === undefined ? undefined : `it is given no ${path}["${name}"]`;
}

/** Whether a value is an object with keys of its own, and no tensor. */
const isRecord = (value: unknown): value is Record<string, unknown> => isObject(value) && !isTensor(value);

/** A value in few words: only the keys of an object that may hold many arrays or tensors. */
function brief(value: unknown): string {
  if (!isRecord(value) || !isPlainObject(value)) return shown(value);
  const keys = Object.keys(value);
  if (keys.length === 0) return "{}";
  return `{ ${[...keys.slice(0, 3), ...(keys.length > 3 ? ["..."] : [])].join(", ")} }`;
}

/** The scalars of an optimizer's step, from the host. @throws UserError unless they are numbers. */
export function scalarsOf(optimizer: Optimizer, step: number, learningRate: number): Record<string, number> {
  const scalars: unknown = optimizer.scalars(step, learningRate);
  if (isObject(scalars) && Object.values(scalars).every(Number.isFinite)) {
    return scalars as Record<string, number>;
  }
  throw new UserError(
    `optimizer ${optimizer.name}: scalars must return an object of finite numbers, got ${shown(scalars)} in step ${step}`,
    "optimizer",
  );
}
