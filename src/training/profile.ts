/** Profiles a training step, and compares it with the peak performance of the machine. */
import { createState } from "../compiler/state.js";
import type { Batches } from "../data/batches.js";
import { trainingBatches } from "../data/batches.js";
import type { Dataset } from "../data/dataset.js";
import type { Rules } from "../errors/options.js";
import { checkOptions, count, optional } from "../errors/options.js";
import type { GradientType, Network } from "../nn/index.js";
import { describe, initialise } from "../nn/index.js";
import type { Optimizer } from "../optim/index.js";
import { initialOf, scalarsOf } from "../optim/index.js";
import type { Method } from "../quantization/index.js";
import type { ExecutorOptions } from "../runtime/choose.js";
import { chooseExecutor, executorRules } from "../runtime/choose.js";
import { costOf, nameOf } from "../runtime/explain.js";
import { measurePeak } from "../runtime/native.js";
import type { Instruction } from "../runtime/program.js";
import { checkFits, feed } from "./feed.js";
import type { Loss } from "../optim/losses.js";
import { parts, settingRule, training } from "./options.js";
import { compileStep } from "./step.js";
import type { TrainingTensors } from "./step.js";

/** The instructions of one kind: their time and their work. */
export interface ProfileRow {
  /** What the instructions do: "convolution", "map sum", ... */
  readonly name: string;
  readonly count: number;
  readonly milliseconds: number;
  /** Estimated operations and bytes per second. */
  readonly operationsPerSecond: number;
  readonly bytesPerSecond: number;
}

/** Where the time of a training step goes. */
export interface Profile {
  readonly stepMilliseconds: number;
  /** Preparing one batch, which overlaps the step: the median. */
  readonly prepareMilliseconds: number;
  /** The share of the steps' time in which a step had ended and the next one's batch was not ready. */
  readonly waitingShare: number;
  /** Largest first. */
  readonly rows: readonly ProfileRow[];
  /** Measured on this machine with as many threads; undefined but on the native executor. */
  readonly peak: { readonly operationsPerSecond: number; readonly bytesPerSecond: number } | undefined;
}

/** The options of `profileStep`. */
export interface ProfileOptions extends ExecutorOptions {
  readonly model: Network;
  readonly method: Method;
  readonly optimizer: Optimizer;
  readonly data: Dataset;
  readonly batchSize: number;
  readonly gradients?: GradientType;
  /** The most that the norm of all gradients may be: see `train`. */
  readonly clipNorm?: number;
  /** Layers and norms that stay as they are: see `TrainOptions`. */
  readonly freeze?: readonly string[];
  /** What is minimised. Default: the cross-entropy. */
  readonly loss?: Loss;
  /** Steps to average over, after a quarter as many to warm up. Default 40. */
  readonly steps?: number;
}

const profileRules: Rules<ProfileOptions> = {
  ...executorRules,
  ...parts,
  ...training,
  gradients: optional(settingRule("gradients")),
  clipNorm: optional(settingRule("clipNorm")),
  freeze: optional(settingRule("freeze")),
  batchSize: settingRule("batchSize"),
  steps: optional(count),
};

const total = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);

/** Batches that record how long each took and when the last one was ready. Only whole batches: another size is another Program. */
function timed(all: Batches) {
  const preparation = { ended: 0, milliseconds: [] as number[] };
  const batches: Batches = {
    steps: Math.max(1, all.size(all.steps - 1) < all.size(0) ? all.steps - 1 : all.steps),
    size: () => all.size(0),
    values: all.values,
    prepare(...batch) {
      const began = performance.now();
      const note = (count: number): number => {
        preparation.ended = performance.now();
        preparation.milliseconds.push(preparation.ended - began);
        return count;
      };
      const pending = all.prepare(...batch);
      return pending instanceof Promise ? pending.then(note) : note(pending);
    },
  };
  return { batches, preparation };
}

/** Trains on real batches from the initial weights, as `train` does, timing each instruction and each batch. */
export async function profileStep(options: ProfileOptions): Promise<Profile> {
  checkOptions<ProfileOptions>("profileStep", options, profileRules);
  const { model, method, optimizer, data, batchSize, steps = 40 } = options;
  checkFits(model, data);
  const { executor } = chooseExecutor({
    executor: options.executor,
    threads: options.threads,
    onWarning: options.onWarning,
  });
  const specs = describe(model, method);
  const parameters = initialise(specs.parameters, 1);
  const values = {
    parameters,
    statistics: initialise(specs.statistics, 1),
    optimizer: initialOf(optimizer, parameters),
  };
  let state = createState<TrainingTensors>(values, { executor });
  const step = compileStep(model, method, optimizer, executor, options);

  const { batches, preparation } = timed(trainingBatches(data, { batchSize, seed: 1 }));
  let nanoseconds = new Float64Array(0);
  let instructions: readonly Instruction[] = [];
  let [done, waited, milliseconds] = [-Math.ceil(steps / 4), 0, 0];
  for (let epoch = 0; done < steps; epoch++) {
    await feed(batches, data.shape, epoch, 0, async ({ images, labels }) => {
      const batch = {
        images,
        labels,
        random: { data: Int32Array.of(1, 1), shape: [2] },
        scalars: scalarsOf(optimizer, 1, optimizer.learningRate),
      };
      if (instructions.length === 0) {
        ({ instructions } = step.program(state, batch));
        nanoseconds = new Float64Array(instructions.length);
      }
      const before = total(nanoseconds);
      const began = performance.now();
      ({ state } = await step(state, batch, done >= 0 ? nanoseconds : undefined));
      if (done++ < 0) return true;
      milliseconds += performance.now() - began;
      // By the executor's own clock: this thread may have been preparing when the step ended. The other
      // executors run on this thread, so that nothing is prepared meanwhile.
      const ended = executor.name === "native" ? began + (total(nanoseconds) - before) / 1e6 : -Infinity;
      const late = Math.max(0, preparation.ended - ended);
      waited += Math.min(late, preparation.milliseconds[preparation.milliseconds.length - 1]);
      return done < steps;
    });
  }

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
    prepareMilliseconds: preparation.milliseconds.sort((a, b) => a - b)[preparation.milliseconds.length >> 1],
    waitingShare: waited / milliseconds,
    rows: rows.sort((a, b) => b.milliseconds - a.milliseconds),
    peak: peak && { operationsPerSecond: peak.operations, bytesPerSecond: peak.bytes },
  };
}
