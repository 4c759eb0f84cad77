/** What a training takes of a machine: known from shapes alone, before anything runs or has memory. */
import type { HostArray } from "../graph/host.js";
import { sizeOf } from "../graph/index.js";
import type { GradientType, Network, ParameterSpec } from "../nn/index.js";
import { describe } from "../nn/index.js";
import type { Loss } from "../optim/losses.js";
import type { Optimizer } from "../optim/index.js";
import { initialOf, scalarsOf } from "../optim/index.js";
import type { Method } from "../quantization/index.js";
import type { Executor } from "../runtime/executor.js";
import { costOf } from "../runtime/explain.js";
import type { Program } from "../runtime/program.js";
import { stepperOf } from "./small-batches.js";

/** What is planned: a training without its data. */
export interface PlanOptions {
  readonly model: Network;
  readonly method: Method;
  readonly optimizer: Optimizer;
  readonly loss?: Loss;
  readonly gradients?: GradientType;
  readonly clipNorm?: number;
  readonly freeze?: readonly string[];
  readonly executor: Executor;
}

/** What a training takes. */
export interface Plan {
  /** Images of a small batch. */
  readonly images: number;
  /** The Programs of a step, and how often each runs in one. */
  readonly programs: readonly { readonly program: Program; readonly times: number }[];
  /** What is trained, with the optimizer's own arrays, as a checkpoint has it. */
  readonly checkpointBytes: number;
  /** The weights as `best.safetensors` has them. */
  readonly weightBytes: number;
  /** All memory of the training: of its steps, of the batches that are prepared meanwhile, and of copies of the weights. */
  readonly bytes: number;
}

/**
 * Copies of the weights that a training makes besides what is trained: initial values, quantized weights and what is measured
 * of them at an epoch's end, those of the best and of the last epoch in its result. As measured: not all are there at a time.
 */
const copies = 5;

/** Plans trainings of one kind, with batches of any size. */
export function plannerOf(options: PlanOptions): (images: number, accumulate: number) => Plan {
  const { model, method, optimizer } = options;
  const specs = describe(model, method);
  const arrays = (of: readonly ParameterSpec[]) =>
    Object.fromEntries(of.map(({ name, shape }) => [name, { data: new Float32Array(sizeOf(shape)), shape }]));
  // Zeros that nothing has written to take no memory.
  const [parameters, statistics] = [arrays(specs.parameters), arrays(specs.statistics)];
  const own = initialOf(optimizer, parameters);
  const shapesOf = (record: Readonly<Record<string, HostArray>>) =>
    mapped(record, ({ shape }) => ({ shape, dtype: "f32" as const }));
  const state = {
    parameters: shapesOf(parameters),
    statistics: shapesOf(statistics),
    optimizer: mapped(own, shapesOf),
  };
  const scalars = mapped(scalarsOf(optimizer, 1, optimizer.learningRate), () => ({
    shape: [],
    dtype: "f32" as const,
  }));
  const weightBytes = bytesOf([parameters, statistics]);
  return (images, accumulate) => {
    const shape = [images, ...model.input];
    const programs = stepperOf({ ...options, accumulate }).plan({ state, scalars }, { shape, dtype: "f32" });
    const batchBytes = 4 * images * (1 + sizeOf(model.input));
    return {
      images,
      programs: programs.map((program, i) => ({ program, times: i === 0 ? accumulate : 1 })),
      checkpointBytes: weightBytes + bytesOf(Object.values(own)),
      weightBytes,
      bytes: memoryOf(programs) + 2 * batchBytes + copies * weightBytes,
    };
  };
}

const mapped = <T, U>(record: Readonly<Record<string, T>>, f: (value: T) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value)]));

const bytesOf = (records: readonly Readonly<Record<string, HostArray>>[]): number =>
  records.reduce(
    (sum, record) => Object.values(record).reduce((bytes, { data }) => bytes + data.byteLength, sum),
    0,
  );

/** The memory of Programs that share state and scratch. */
function memoryOf(programs: readonly Program[]): number {
  const most = (segment: keyof Program["bytes"]): number =>
    Math.max(...programs.map(({ bytes }) => bytes[segment]));
  const own = programs.reduce((sum, { bytes }) => sum + bytes.constants + bytes.inputs + bytes.outputs, 0);
  return most("state") + most("scratch") + own;
}

/** The smallest division of a batch whose training fits in so many bytes; undefined if none does. */
export function smallestAccumulate(
  planner: (images: number, accumulate: number) => Pick<Plan, "bytes">,
  batchSize: number,
  bytes: number,
): { readonly accumulate: number; readonly bytes: number } | undefined {
  for (let accumulate = 1; accumulate <= batchSize; accumulate++) {
    if (batchSize % accumulate !== 0) continue;
    const plan = planner(batchSize / accumulate, accumulate);
    if (plan.bytes <= bytes) return { accumulate, bytes: plan.bytes };
  }
  return undefined;
}

/** The rates at which a machine works, by which an instruction's time is estimated. */
export interface Rates {
  readonly operationsPerSecond: number;
  readonly bytesPerSecond: number;
}

/** The time of a step, estimated from its counted operations and the bytes that they read and write. */
export function estimatedSeconds({ programs }: Plan, rates: Rates): number {
  return programs.reduce(
    (sum, { program, times }) =>
      sum + times * program.instructions.reduce((all, each) => all + secondsOf(costOf(each), rates), 0),
    0,
  );
}

const secondsOf = (
  { operations, bytes }: ReturnType<typeof costOf>,
  { operationsPerSecond, bytesPerSecond }: Rates,
): number => Math.max(operations / operationsPerSecond, bytes / bytesPerSecond);
