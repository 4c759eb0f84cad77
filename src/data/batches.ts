/**
 * Batches: which images a step sees, and their pixels as the network takes them.
 *
 * The order of an epoch is a permutation that depends on (seed, epoch), the augmentation of an image
 * on (seed, epoch, image). Nothing else is remembered, so any step can be prepared at any time.
 */
import { permutation, philox } from "../random/philox.js";
import type { Placement } from "./augment.js";
import { placementOf, resizedCropOf } from "./augment.js";
import type { Dataset } from "./dataset.js";
import { jitterOf } from "./jitter.js";
import { valuesOf } from "./normalise.js";
import { keyFor } from "./random.js";
import type { ImageSet, ImageSource, LeftOut, Placer } from "./source.js";
import { allOf, sourceOf, viewOf } from "./source.js";

export interface Batches {
  /** Steps of an epoch; the last one may be smaller than the others. */
  readonly steps: number;
  /** Images of a step. */
  size(step: number): number;
  /**
   * Fills images [size(step), height, width, channels] and labels [size(step)], from the arrays' start. It is done when
   * it returns, or when the promise that it returns is fulfilled. One step is prepared at a time.
   *
   * @returns how many images there are: fewer than size(step) where damaged ones are left out.
   */
  prepare(
    epoch: number,
    step: number,
    images: Float32Array | Uint8Array,
    labels: Int32Array,
  ): number | Promise<number>;
  /** The value of each byte in each channel (see `normalise.ts`), if images can be prepared as bytes. */
  readonly values?: Float32Array;
}

/** What becomes of the images of an epoch that do not fill a batch: they are a smaller last step, or left out, others in each epoch. */
export const lastBatches = ["keep", "drop"] as const;

/** How the training images become batches. */
export interface BatchOptions {
  /** Images of a step. */
  readonly batchSize: number;
  /** The small batches that a step's images are divided into, a divisor of `batchSize`. Default 1. */
  readonly accumulate?: number;
  /** Decides their order and augmentation. */
  readonly seed: number;
  /** Default "keep". */
  readonly lastBatch?: (typeof lastBatches)[number];
}

/** Images of an epoch, with those that may be left out because they are damaged. */
export const imagesOf = ({ steps, size }: Batches): number =>
  steps === 0 ? 0 : (steps - 1) * size(0) + size(steps - 1);

/**
 * The training images, shuffled anew and augmented in each epoch. With `accumulate` N these are small batches, N of which
 * in a row are a batch: as many images in each, and what is left in the last one of an epoch.
 */
export function trainingBatches(
  dataset: Dataset,
  { batchSize, accumulate = 1, seed, lastBatch }: BatchOptions,
): Batches {
  const { augmentation, shape } = dataset;
  const train = sourceOf(dataset.train, shape);
  // Fewer images than a batch are a step all the same.
  const whole = train.count - (train.count % batchSize) || train.count;
  const words = new Uint32Array(4);
  let orderEpoch = -1;
  let order: Uint32Array = new Uint32Array(0);
  let augmentationKey = keyFor(seed, "augmentation");
  const choose = (epoch: number, first: number, count: number): Chosen => {
    if (epoch !== orderEpoch) {
      orderEpoch = epoch;
      order = permutation(train.count, keyFor(seed, "order", epoch), 0);
      augmentationKey = keyFor(seed, "augmentation", epoch);
    }
    const indices = order.subarray(first, first + count);
    if (augmentation === undefined) return { indices };
    const key = augmentationKey;
    const drawn = (index: number, draw: number) => {
      philox([index, draw, 0, 0], key, words);
      return words;
    };
    const { resizedCrop, colorJitter } = augmentation;
    const placed: Placer = (i, size) =>
      resizedCrop === undefined
        ? placementOf(augmentation, drawn(indices[i], 0), shape, size)
        : resizedCropOf({ ...augmentation, resizedCrop }, (draw) => drawn(indices[i], draw + 1), size);
    const placer: Placer =
      colorJitter === undefined
        ? placed
        : (i, size) => ({
            ...placed(i, size),
            jitter: jitterOf(colorJitter, drawn(indices[i], drawOfJitter)),
          });
    if (train.varies === true) return { indices, placements: placer };
    return { indices, placements: Array.from(indices, (_, i) => placer(i, [shape[0], shape[1]])) };
  };
  return batches(train, dataset, lastBatch === "drop" ? whole : train.count, batchSize / accumulate, choose);
}

/** Images in their own order, as they are; `epoch` does not matter. */
export function evaluationBatches(
  set: ImageSet | ImageSource,
  dataset: Prepared,
  batchSize: number,
): Batches {
  const source = sourceOf(set, dataset.shape);
  const all = allOf(source.count);
  return batches(source, dataset, source.count, batchSize, (_epoch, first, count) => ({
    indices: all.subarray(first, first + count),
  }));
}

/** The data set with `count` of its training images, chosen by `seed`, held out for validation. */
export function holdOut(
  dataset: Dataset,
  count: number,
  seed: number,
): Dataset & { readonly train: ImageSource; readonly validation: ImageSource } {
  const train = sourceOf(dataset.train, dataset.shape);
  const order = permutation(train.count, keyFor(seed, "holdOut"), 0);
  const take = (indices: Uint32Array) => viewOf(train, indices.sort());
  return { ...dataset, train: take(order.slice(count)), validation: take(order.slice(0, count)) };
}

/** The draw of an image's jitter; those of its placement come before. */
const drawOfJitter = 16;

/** How images are written to a batch. */
type Prepared = Pick<Dataset, "shape" | "mean" | "std">;

/** The images of a step, and what is shown of each. */
interface Chosen {
  readonly indices: Uint32Array;
  readonly placements?: readonly Placement[] | Placer;
}

function batches(
  source: ImageSource,
  { shape, mean, std }: Prepared,
  count: number,
  batchSize: number,
  choose: (epoch: number, first: number, count: number) => Chosen,
): Batches {
  const size = (step: number) => Math.min(batchSize, count - step * batchSize);
  return {
    steps: Math.ceil(count / batchSize),
    size,
    values: source.fillBytes && valuesOf({ mean, std }),
    prepare(epoch, step, images, labels) {
      const { indices, placements } = choose(epoch, step * batchSize, size(step));
      for (let i = 0; i < indices.length; i++) labels[i] = source.labels[indices[i]];
      const rest = (leftOut: LeftOut): number =>
        !Array.isArray(leftOut) // what a function in JavaScript returns may be anything
          ? indices.length
          : closeGaps(leftOut, labels.subarray(0, indices.length), images, shape);
      const filled =
        images instanceof Uint8Array
          ? source.fillBytes?.(indices, placements, images)
          : source.fill(indices, placements, { images, mean, std });
      return filled instanceof Promise ? filled.then(rest) : rest(filled);
    },
  };
}

/** Moves the images of a batch, and their labels, to where others are left out; the number that remains. */
function closeGaps(
  leftOut: readonly number[],
  labels: Int32Array,
  images: Float32Array | Uint8Array,
  [height, width, channels]: Dataset["shape"],
): number {
  const size = height * width * channels;
  let kept = 0;
  for (let i = 0; i < labels.length; i++) {
    if (leftOut.includes(i)) continue;
    if (i !== kept) {
      images.copyWithin(kept * size, i * size, (i + 1) * size);
      labels[kept] = labels[i];
    }
    kept++;
  }
  return kept;
}
