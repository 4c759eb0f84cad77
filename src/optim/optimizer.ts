/** What an optimizer is: pure functions of flat records of tensors, so that any step can use one. */
import { shown, UserError } from "../errors.js";
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

/** An optimizer: its own arrays at the start, and one step of all parameters. */
export interface Optimizer {
  readonly name: string;
  /** What recreates it. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The base rate, which a schedule scales. */
  readonly learningRate: number;
  /** Whether gradients times a number lead to the same steps, as with Adam but for its ε. Default: they do not. */
  readonly invariantToScale?: boolean;
  /** Its own tensors before the first step: for each of its moments, zeros like every parameter. */
  initial(parameters: Readonly<Record<string, HostArray>>): Record<string, Record<string, HostArray>>;
  /** What changes from step to step (the first is 1), computed in double: the `scalars` of `update`. */
  scalars(step: number, learningRate: number): Record<string, number>;
  /**
   * The parameters and own tensors after a step. Every parameter needs a gradient of its name.
   * `steady` names parameters without momentum.
   */
  update(
    parameters: Tensors,
    gradients: Tensors,
    own: Readonly<Record<string, Tensors>>,
    scalars: Tensors,
    steady?: (name: string) => boolean,
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

/** @throws UserError for what is no optimizer, and for one with a property that none has. */
export function checkOptimizer(optimizer: unknown): asserts optimizer is Optimizer {
  if (!isObject(optimizer) || typeof optimizer.name !== "string" || typeof optimizer.update !== "function") {
    const allowed = "an optimizer, such as optim.adam({ learningRate: 0.001 })";
    throw new UserError(`optimizer must be ${allowed}, got ${shown(optimizer)}`, "optimizer");
  }
  const of = `optimizer ${optimizer.name}`;
  checkOptions(of, optimizer, rules, `${of}: `);
}

/** An optimizer's own arrays before the first step. @throws UserError unless they are arrays by name. */
export function initialOf(
  optimizer: Optimizer,
  parameters: Readonly<Record<string, HostArray>>,
): Record<string, Record<string, HostArray>> {
  const own: unknown = optimizer.initial(parameters);
  const isArray = (value: unknown) => isObject(value) && value.data instanceof Float32Array;
  const isRecord = (value: unknown) => isObject(value) && Object.values(value).every(isArray);
  if (isObject(own) && Object.values(own).every(isRecord)) return own as ReturnType<Optimizer["initial"]>;
  throw new UserError(
    `optimizer ${optimizer.name}: initial must return arrays by name and parameter, such as { velocity: { ... } } or {}, got ${shown(own)}`,
    "optimizer",
  );
}

/** What an optimizer's update gives. @throws UserError unless it has both its parts. */
export function checkUpdate(
  optimizer: Optimizer,
  result: unknown,
): asserts result is ReturnType<Optimizer["update"]> {
  if (isObject(result) && isObject(result.parameters) && isObject(result.own)) return;
  throw new UserError(
    `optimizer ${optimizer.name}: update must return { parameters, own }, got ${shown(result)}`,
    "optimizer",
  );
}

/** What an optimizer's step takes from the host. @throws UserError unless they are numbers. */
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
