/** Gives a compiled step its batches, as arrays of the shapes that it wants. */
import type { Batches } from "../data/batches.js";
import type { Dataset } from "../data/dataset.js";
import { UserError } from "../errors.js";
import type { HostArray } from "../graph/host.js";
import type { Network } from "../nn/index.js";

export interface ImageBatch {
  /** f32 [N, height, width, channels]. */
  readonly images: HostArray;
  /** i32 [N]. */
  readonly labels: HostArray;
}

/**
 * Runs `use` on the batches of an epoch in order, from `first` on; while it waits for its step, the
 * next batch is prepared. One pair of arrays serves all, since a step copies its batch before it
 * returns its promise. Ends early when `use` resolves to false; resolves to whether it ran to the end.
 */
export async function feed(
  batches: Batches,
  shape: readonly [number, number, number],
  epoch: number,
  first: number,
  use: (batch: ImageBatch, step: number) => Promise<boolean>,
): Promise<boolean> {
  const size = shape[0] * shape[1] * shape[2];
  const images = new Float32Array(batches.size(0) * size);
  const labels = new Int32Array(batches.size(0));
  const prepare = (step: number): ImageBatch => {
    batches.prepare(epoch, step, images, labels);
    const count = batches.size(step);
    return {
      images: { data: images.subarray(0, count * size), shape: [count, ...shape] },
      labels: { data: labels.subarray(0, count), shape: [count] },
    };
  };
  if (first >= batches.steps) return true;
  let batch = prepare(first);
  for (let step = first; step < batches.steps; step++) {
    const running = use(batch, step);
    if (step + 1 < batches.steps) batch = prepare(step + 1);
    if (!(await running)) return false;
  }
  return true;
}

/** @throws UserError for a data set whose images or classes are not those of the network. */
export function checkFits({ name, input, classes }: Network, data: Dataset): void {
  if (input.join() !== data.shape.join()) {
    throw new UserError(
      `${name} takes images of ${input.join("x")}, but those of ${data.name} are ${data.shape.join("x")}`,
    );
  }
  if (classes !== data.classes) {
    throw new UserError(`${name} has ${classes} classes, but ${data.name} has ${data.classes}`);
  }
}
