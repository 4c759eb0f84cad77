/** How long a step takes, measured on arrays that are made for it. */
import { createState } from "../compiler/state.js";
import { sizeOf } from "../graph/index.js";
import type { ParameterSpec } from "../nn/index.js";
import { describe } from "../nn/index.js";
import { initialOf, scalarsOf } from "../optim/index.js";
import type { PlanOptions } from "./plan.js";
import { stepperOf } from "./small-batches.js";
import type { TrainingTensors } from "./step.js";

/** Steps that are measured, after a first one, which also provides the memory. */
const measured = 2;

/** The seconds of a step on so many images: the least of two. Values do not matter, and making initial ones takes long. */
export async function measuredSeconds(options: PlanOptions, images: number): Promise<number> {
  const { model, method, optimizer, executor } = options;
  const specs = describe(model, method);
  const parameters = arraysOf(specs.parameters);
  const values = {
    parameters,
    statistics: arraysOf(specs.statistics),
    optimizer: initialOf(optimizer, parameters),
  };
  const stepper = stepperOf({ ...options, accumulate: 1 });
  let state = createState<TrainingTensors>(values, { executor });
  const shape = [images, ...model.input];
  const batch = {
    images: { data: waves(sizeOf(shape)), shape },
    labels: { data: Int32Array.from({ length: images }, (_, i) => i % model.classes), shape: [images] },
    random: { data: Int32Array.of(1, 1), shape: [2] },
    scalars: scalarsOf(optimizer, 1, optimizer.learningRate),
  };
  let seconds = Infinity;
  for (let step = 0; step <= measured; step++) {
    const began = performance.now();
    const begun = stepper.begin(state, batch, { isLast: true, share: 1 });
    await begun.results;
    state = begun.state;
    if (step > 0) seconds = Math.min(seconds, (performance.now() - began) / 1000);
  }
  return seconds;
}

const arraysOf = (specs: readonly ParameterSpec[]): Readonly<Record<string, ReturnType<typeof arrayOf>>> =>
  Object.fromEntries(specs.map((spec) => [spec.name, arrayOf(spec)]));
const arrayOf = ({ shape }: ParameterSpec) => ({ data: waves(sizeOf(shape)), shape });

/** Numbers between 0 and 1 of both halves, quickly. */
function waves(count: number): Float32Array {
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = ((i * 97) % 256) / 256;
  return values;
}
