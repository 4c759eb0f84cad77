/** Feeds batches to a compiled step, as arrays of the shapes that it takes. */
import type { Batches } from "../data/batches.js";
import type { Dataset } from "../data/dataset.js";
import { UserError } from "../errors.js";
import type { HostArray, HostParts } from "../graph/host.js";
import type { Network } from "../nn/index.js";
import { normalisedParts } from "./normalised.js";

export interface ImageBatch {
  /** f32 [N, height, width, channels]. */
  readonly images: HostArray | HostParts;
  /** i32 [N]. */
  readonly labels: HostArray;
}

/**
 * Runs `use` on the batches of an epoch in order, from `first` on. While it waits for its step, the next batch is
 * prepared in the other of two pairs of arrays: what `use` gets stays as it is until its promise is settled. It may be no
 * image, where all of a batch are damaged. Ends early when `use` resolves to false; resolves to whether it ran to the end.
 * Nothing is being prepared any more when it ends.
 */
export async function feed(
  batches: Batches,
  shape: readonly [number, number, number],
  epoch: number,
  first: number,
  use: (batch: ImageBatch, step: number) => Promise<boolean>,
): Promise<boolean> {
  const size = shape[0] * shape[1] * shape[2];
  const { values } = batches;
  const arrays = () => ({
    images: new (values === undefined ? Float32Array : Uint8Array)(batches.size(0) * size),
    labels: new Int32Array(batches.size(0)),
  });
  const pairs = [arrays(), arrays()];
  // A batch that is ready when `prepare` returns does not wait for the event loop.
  const prepare = (step: number): ImageBatch | Promise<ImageBatch> => {
    const { images, labels } = pairs[step % 2];
    const batchOf = (count: number): ImageBatch => {
      const [data, wholeShape] = [images.subarray(0, count * size), [count, ...shape]];
      return {
        images:
          data instanceof Uint8Array
            ? normalisedParts(data, wholeShape, values as Float32Array)
            : { data, shape: wholeShape },
        labels: { data: labels.subarray(0, count), shape: [count] },
      };
    };
    const pending = batches.prepare(epoch, step, images, labels);
    if (!(pending instanceof Promise)) return batchOf(pending);
    const ready = pending.then(batchOf);
    ready.catch(() => {}); // an error is reported when it is the batch's turn
    return ready;
  };
  if (first >= batches.steps) return true;
  let next = prepare(first);
  try {
    for (let step = first; step < batches.steps; step++) {
      const running = use(next instanceof Promise ? await next : next, step);
      if (step + 1 < batches.steps) next = prepare(step + 1);
      if (!(await running)) return false;
    }
    return true;
  } finally {
    await Promise.allSettled([next]);
  }
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
