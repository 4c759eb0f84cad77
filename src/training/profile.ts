/** Where the time of a training step goes, against what the machine can do. */
import { createState } from "../compiler/state.js";
import { trainingBatches } from "../data/batches.js";
import type { Dataset } from "../data/dataset.js";
import type { GradientType, Network } from "../nn/index.js";
import { describe, initialise } from "../nn/index.js";
import type { Optimizer } from "../optim/index.js";
import type { Method } from "../quantization/index.js";
import type { ExecutorOptions } from "../runtime/choose.js";
import { chooseExecutor } from "../runtime/choose.js";
import { costOf, nameOf } from "../runtime/explain.js";
import { measurePeak } from "../runtime/native.js";
import { compileStep } from "./step.js";
import type { TrainingTensors } from "./step.js";

export interface ProfileRow {
  /** What the instructions do: "convolution", "map sum", ... */
  readonly name: string;
  readonly count: number;
  readonly milliseconds: number;
  /** Estimated operations and bytes a second. */
  readonly operationsPerSecond: number;
  readonly bytesPerSecond: number;
}

export interface Profile {
  readonly stepMilliseconds: number;
  /** Preparing one batch, which overlaps the step: the median. */
  readonly prepareMilliseconds: number;
  /** Largest first. */
  readonly rows: readonly ProfileRow[];
  /** Measured on this machine with as many threads; undefined but on the native executor. */
  readonly peak: { readonly operationsPerSecond: number; readonly bytesPerSecond: number } | undefined;
}

export interface ProfileOptions extends ExecutorOptions {
  readonly model: Network;
  readonly method: Method;
  readonly optimizer: Optimizer;
  readonly data: Dataset;
  readonly batchSize: number;
  readonly gradients?: GradientType;
  /** Steps to average over, after a quarter as many to warm up. Default 40. */
  readonly steps?: number;
}

/** Runs steps on real batches from the initial weights, timing each instruction. */
export async function profileStep(options: ProfileOptions): Promise<Profile> {
  const { model, method, optimizer, data, batchSize, steps = 40 } = options;
  const { executor } = chooseExecutor(options);
  const specs = describe(model, method);
  const parameters = initialise(specs.parameters, 1);
  const values = {
    parameters,
    statistics: initialise(specs.statistics, 1),
    optimizer: optimizer.initial(parameters),
  };
  let state = createState<TrainingTensors>(values, { executor });
  const step = compileStep(model, method, optimizer, executor, options.gradients);

  const batches = trainingBatches(data, batchSize, 1);
  const count = batches.size(0);
  const [height, width, channels] = data.shape;
  const images = new Float32Array(count * height * width * channels);
  const labels = new Int32Array(count);
  const preparations = Array.from({ length: steps }, () => {
    const began = performance.now();
    batches.prepare(0, 0, images, labels);
    return performance.now() - began;
  });
  const prepareMilliseconds = preparations.sort((a, b) => a - b)[steps >> 1];
  const batch = {
    images: { data: images, shape: [count, height, width, channels] },
    labels: { data: labels, shape: [count] },
    random: { data: Int32Array.of(1, 1), shape: [2] },
    scalars: optimizer.scalars(1, optimizer.learningRate),
  };

  const { instructions } = step.program(state, batch);
  const nanoseconds = new Float64Array(instructions.length);
  const run = async (times: number, timed: boolean): Promise<void> => {
    for (let i = 0; i < times; i++) {
      ({ state } = await step(state, batch, timed ? nanoseconds : undefined));
    }
  };
  await run(Math.ceil(steps / 4), false);
  await run(steps, true);

  const totals = new Map<string, { count: number; seconds: number; operations: number; bytes: number }>();
  instructions.forEach((instruction, i) => {
    const name = nameOf(instruction);
    const total = totals.get(name) ?? { count: 0, seconds: 0, operations: 0, bytes: 0 };
    const { operations, bytes } = costOf(instruction);
    totals.set(name, {
      count: total.count + 1,
      seconds: total.seconds + nanoseconds[i] / steps / 1e9,
      operations: total.operations + operations,
      bytes: total.bytes + bytes,
    });
  });
  const rows = [...totals].map(([name, { count: instructionCount, seconds, operations, bytes }]) => ({
    name,
    count: instructionCount,
    milliseconds: seconds * 1000,
    operationsPerSecond: operations / seconds,
    bytesPerSecond: bytes / seconds,
  }));
  const peak = executor.name === "native" ? measurePeak(executor.threads) : undefined;
  return {
    stepMilliseconds: rows.reduce((sum, { milliseconds }) => sum + milliseconds, 0),
    prepareMilliseconds,
    rows: rows.sort((a, b) => b.milliseconds - a.milliseconds),
    peak: peak && { operationsPerSecond: peak.operations, bytesPerSecond: peak.bytes },
  };
}
