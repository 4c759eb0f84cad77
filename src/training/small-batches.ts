/**
 * Steps whose batch is run at once, or divided into small batches whose gradients are summed before one update, for which
 * a machine needs the memory of a small batch alone.
 */
import type { Shapes } from "../compiler/compile.js";
import type { State } from "../compiler/state.js";
import type { Batches } from "../data/batches.js";
import { UserError } from "../errors.js";
import type { HostArray } from "../graph/host.js";
import type { Tensor } from "../graph/index.js";
import { sizeOf } from "../graph/index.js";
import type { Network, Tensors } from "../nn/index.js";
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
  /** The Programs of a small batch of `images`, and of the update if it has one of its own: no memory is taken. */
  plan(shapes: PlannedShapes, images: Shapes<Tensor>): readonly Program[];
}

/** The shapes that a step works with: of its state, and of the optimizer's scalars. */
interface PlannedShapes {
  readonly state: Shapes<TrainingTensors>;
  readonly scalars: Shapes<Tensors>;
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
      plan: ({ state, scalars }, images) => [step.plan(state, { ...inputsOf(images), scalars })],
    };
  }
  const pass = compileSummedPass(model, method, executor, rules);
  const update = compileUpdate(model, method, optimizer, executor, rules);
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
    plan({ state, scalars }, images) {
      const summed = { gradients: state.parameters, ...state };
      return [pass.plan(summed, { ...inputsOf(images), share: scalar }), update.plan(summed, { scalars })];
    },
  };
}

/** Whether a small batch has no image, all of them being damaged. */
const isEmpty = ({ labels }: ImageBatch): boolean => labels.data.length === 0;

/** The numbers of no image. */
const zero = { data: new Float32Array(1), shape: [] };
const nothing = Promise.resolve({ loss: zero, top1: zero, top5: zero });

const scalar = { shape: [], dtype: "f32" } as const;

/** The shapes of a small batch besides its images: labels, and the key of random numbers. */
const inputsOf = (images: Shapes<Tensor>) => ({
  images,
  labels: { shape: images.shape.slice(0, 1), dtype: "i32" as const },
  random: { shape: [2], dtype: "i32" as const },
});

const zerosLike = (arrays: Readonly<Record<string, HostArray>>): Record<string, HostArray> =>
  Object.fromEntries(
    Object.entries(arrays).map(([name, { shape }]) => [
      name,
      { data: new Float32Array(sizeOf(shape)), shape },
    ]),
  );
