/** Whether a training fits in the memory that is available, found out before it takes any. */
import { memoryText, UserError } from "../errors.js";
import { sizeOf } from "../graph/index.js";
import { availableMemory, usableMemory } from "../machine.js";
import type { Network } from "../nn/index.js";
import { describe } from "../nn/index.js";
import type { Method } from "../quantization/index.js";
import type { PlanOptions } from "./plan.js";
import { plannerOf, smallestAccumulate } from "./plan.js";

/** What is trained, in which batches. */
interface Training extends PlanOptions {
  readonly batchSize: number;
  readonly accumulate: number;
  /** Images to train on: a step has no more. */
  readonly count: number;
}

/** @throws UserError for a training that does not fit, with the smallest `accumulate` that does. */
export function checkMemory({ batchSize, accumulate, count, ...options }: Training): void {
  checkWeights(options);
  const available = availableMemory();
  const images = Math.min(batchSize / accumulate, count);
  if (boundOf(options, images) <= available) return;
  const planner = plannerOf(options);
  const fewer = (asked: number, parts: number) => planner(Math.min(asked, count), parts);
  const { bytes } = fewer(images, accumulate);
  if (bytes <= available) return;
  const fitting = smallestAccumulate(fewer, batchSize, available);
  const least = fitting === undefined ? fewer(1, batchSize).bytes : undefined;
  throw new UserError(
    `${options.model.name} takes ${memoryText(bytes)} of memory for ${images} images at a time, but ${memoryText(available)} is available now; ` +
      (fitting === undefined
        ? `with one image at a time it takes ${memoryText(least!)}, so use smaller images or a smaller network, or free memory`
        : `accumulate ${fitting.accumulate} takes ${memoryText(fitting.bytes)}`),
    "accumulate",
  );
}

/** Refuses a network whose weights, with gradients and an optimizer's moments, exceed the memory. */
function checkWeights({ model, method }: PlanOptions): void {
  const bytes = 4 * weightsOf(model, method);
  if (4 * bytes <= usableMemory()) return;
  throw new UserError(
    `${model.name} for images of ${model.input.join("x")} has ${memoryText(bytes)} of weights, and training takes four times as much, more than the ${memoryText(usableMemory())} of memory here; use smaller images or a smaller network`,
    "imageSize",
  );
}

const weightsOf = (model: Network, method: Method): number =>
  describe(model, method).parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);

/** More bytes than a training takes, without compiling it: most trainings take a small part of what there is. */
function boundOf({ model, method }: PlanOptions, images: number): number {
  const values = describe(model, method).layers.reduce(
    (sum, { inputShape, outputShape }) => sum + sizeOf(inputShape) + sizeOf(outputShape),
    0,
  );
  return 4 * (16 * weightsOf(model, method) + 8 * images * values);
}
