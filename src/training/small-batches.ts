/**
 * Steps whose batch is run at once, or divided into small batches whose gradients are summed before one update, for which
 * a machine needs the memory of a small batch alone.
 */
import type { State } from "../compiler/state.js";
import type { Batches } from "../data/batches.js";
import { UserError } from "../errors.js";
import type { HostArray } from "../graph/host.js";
import { sizeOf } from "../graph/index.js";
import type { Network } from "../nn/index.js";
import type { Optimizer } from "../optim/index.js";
import type { Method } from "../quantization/index.js";
import type { TrainingValues } from "../run-folder/index.js";
import type { Executor } from "../runtime/executor.js";
import type { Program } from "../runtime/program.js";
import type { ImageBatch } from "./feed.js";
import type { StepRules, SummingTensors, TrainingTensors } from "./step.js";
import { compileStep, compileSummedPass, compileUpdate } from "./step.js";

/** @throws UserError unless a batch can be divided into so many small ones of the same size. */
export function checkAccumulate(accumulate: number, batchSize: number): void {
  if (batchSize % accumulate === 0) return;
  const divisors = Array.from({ length: batchSize }, (_, i) => i + 1).filter((n) => batchSize % n === 0);
  const [below, above] = [divisors.findLast((n) => n < accumulate), divisors.find((n) => n > accumulate)];
  const near = [below, above].filter((n) => n !== undefined).join(" or ");
  throw new UserError(
    `accumulate must divide batchSize ${batchSize}, as ${near} does, got ${accumulate}`,
    "accumulate",
  );
}

/** Where a small batch stands in its epoch. */
export interface Part {
  /** The step to which it belongs, from 0. */
  readonly step: number;
  /** Whether the update comes after it. */
  readonly isLast: boolean;
  /** The images of the small batch, of those of the step. */
  readonly share: number;
}

/** How the small batches of an epoch become steps: as many in each, or what is left in the last. */
export class Division {
  /** Steps of an epoch. */
  readonly steps: number;

  constructor(
    private readonly batches: Pick<Batches, "steps" | "size">,
    readonly accumulate: number,
  ) {
    this.steps = Math.ceil(batches.steps / accumulate);
  }

  part(index: number): Part {
    const step = Math.floor(index / this.accumulate);
    const [first, end] = [step, step + 1].map((n) => Math.min(n * this.accumulate, this.batches.steps));
    let images = 0;
    for (let i = first; i < end; i++) images += this.batches.size(i);
    return { step, isLast: index === end - 1, share: this.batches.size(index) / images };
  }
}

/** What a small batch is run with. */
interface StepBatch extends ImageBatch {
  readonly random: HostArray;
  readonly scalars: Readonly<Record<string, number>>;
}

/** The functions of a training's steps. */
export interface Stepper {
  /** What the state holds besides the given values. */
  stateOf(values: TrainingValues): TrainingValues;
  /** Begins a small batch, and the update if it is the last of its step. */
  begin(
    state: State<TrainingTensors>,
    batch: StepBatch,
    part: Pick<Part, "isLast" | "share">,
  ): Pick<ReturnType<ReturnType<typeof compileStep>["begin"]>, "state" | "results">;
  /** The Program of a small batch. */
  program(state: State<TrainingTensors>, batch: StepBatch): Program;
}

/** How the steps of a training are computed. */
interface StepperOptions extends StepRules {
  readonly model: Network;
  readonly method: Method;
  readonly optimizer: Optimizer;
  readonly executor: Executor;
  readonly accumulate: number;
}

/** Steps of batches that are divided into `accumulate` small ones. */
export function stepperOf({
  model,
  method,
  optimizer,
  executor,
  accumulate,
  ...rules
}: StepperOptions): Stepper {
  if (accumulate === 1) {
    const step = compileStep(model, method, optimizer, executor, rules);
    return {
      stateOf: (values) => values,
      begin: (state, batch) => (isEmpty(batch) ? { state, results: nothing } : step.begin(state, batch)),
      program: step.program,
    };
  }
  const pass = compileSummedPass(model, method, executor, rules);
  const update = compileUpdate(model, method, optimizer, executor);
  const summing = (state: State<TrainingTensors>) => state as State<SummingTensors>;
  return {
    stateOf: (values) => Object.assign({ gradients: zerosLike(values.parameters) }, values),
    begin(state, { scalars, ...batch }, { isLast, share }) {
      const passed = isEmpty(batch)
        ? { state: summing(state), results: nothing }
        : pass.begin(summing(state), { ...batch, share });
      if (!isLast) return passed;
      const after = update.begin(passed.state, { scalars });
      const results = Promise.all([passed.results, after.results]).then(([numbers]) => numbers);
      return { state: after.state, results };
    },
    program: (state, { scalars: _, ...batch }) => pass.program(summing(state), { ...batch, share: 1 }),
  };
}

/** Whether a small batch has no image, all of them being damaged. */
const isEmpty = ({ labels }: ImageBatch): boolean => labels.data.length === 0;

/** The numbers of no image. */
const zero = { data: new Float32Array(1), shape: [] };
const nothing = Promise.resolve({ loss: zero, top1: zero, top5: zero });

const zerosLike = (arrays: Readonly<Record<string, HostArray>>): Record<string, HostArray> =>
  Object.fromEntries(
    Object.entries(arrays).map(([name, { shape }]) => [
      name,
      { data: new Float32Array(sizeOf(shape)), shape },
    ]),
  );
