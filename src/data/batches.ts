/**
 * Batches: which images a step sees, and their pixels as the network takes them.
 *
 * The order of an epoch is a permutation that depends on (seed, epoch), the augmentation of an image
 * on (seed, epoch, image). Nothing else is remembered, so any step can be prepared at any time.
 */
import { permutation, philox } from "../random/philox.js";
import { pixelSource, placementOf } from "./augment.js";
import type { Dataset, ImageSet } from "./dataset.js";
import { keyFor } from "./random.js";

export interface Batches {
  /** Steps of an epoch; the last one may be smaller than the others. */
  readonly steps: number;
  /** Images of a step. */
  size(step: number): number;
  /** Fills images [size(step), height, width, channels] and labels [size(step)], from the arrays' start. */
  prepare(epoch: number, step: number, images: Float32Array, labels: Int32Array): void;
}

/** What becomes of the images of an epoch that do not fill a batch: they are a smaller last step, or left out, others in each epoch. */
export const lastBatches = ["keep", "drop"] as const;

/** How the training images become batches. */
export interface BatchOptions {
  /** Images of a step. */
  readonly batchSize: number;
  /** Decides their order and augmentation. */
  readonly seed: number;
  /** Default "keep". */
  readonly lastBatch?: (typeof lastBatches)[number];
}

/** The training images, shuffled anew and augmented in each epoch. */
export function trainingBatches(dataset: Dataset, { batchSize, seed, lastBatch }: BatchOptions): Batches {
  const { train, augmentation, shape } = dataset;
  // Fewer images than a batch are a step all the same.
  const whole = train.count - (train.count % batchSize) || train.count;
  const [height, width] = shape;
  const write = normaliser(train, dataset);
  const place = pixelSource(height, width, augmentation);
  const pixels = pixelsInPlace(height * width);
  const words = new Uint32Array(4);
  let orderEpoch = -1;
  let order: Uint32Array = new Uint32Array(0);
  let augmentationKey = keyFor(seed, "augmentation");
  return batches(
    lastBatch === "drop" ? whole : train.count,
    batchSize,
    (epoch, first, count, images, labels) => {
      if (epoch !== orderEpoch) {
        orderEpoch = epoch;
        order = permutation(train.count, keyFor(seed, "order", epoch), 0);
        augmentationKey = keyFor(seed, "augmentation", epoch);
      }
      for (let i = 0; i < count; i++) {
        const index = order[first + i];
        if (augmentation !== undefined) {
          philox([index, 0, 0, 0], augmentationKey, words);
          place(placementOf(augmentation, words), pixels);
        }
        write(index, pixels, images, i);
        labels[i] = train.labels[index];
      }
    },
  );
}

/** Images in their own order, as they are; `epoch` does not matter. */
export function evaluationBatches(set: ImageSet, dataset: Dataset, batchSize: number): Batches {
  const [height, width] = dataset.shape;
  const write = normaliser(set, dataset);
  const pixels = pixelsInPlace(height * width);
  return batches(set.count, batchSize, (_epoch, first, count, images, labels) => {
    for (let i = 0; i < count; i++) {
      write(first + i, pixels, images, i);
      labels[i] = set.labels[first + i];
    }
  });
}

/** The data set with `count` of its training images, chosen by `seed`, held out for validation. */
export function holdOut(
  dataset: Dataset,
  count: number,
  seed: number,
): Dataset & { readonly validation: ImageSet } {
  const order = permutation(dataset.train.count, keyFor(seed, "holdOut"), 0);
  const take = (indices: Uint32Array) => subset(dataset.train, indices.sort());
  return { ...dataset, train: take(order.slice(count)), validation: take(order.slice(0, count)) };
}

function subset({ images, labels, count }: ImageSet, indices: Uint32Array): ImageSet {
  const size = images.length / count;
  const taken =
    images instanceof Uint8Array
      ? new Uint8Array(indices.length * size)
      : new Float32Array(indices.length * size);
  indices.forEach((index, i) => taken.set(images.subarray(index * size, (index + 1) * size), i * size));
  return { images: taken, labels: Int32Array.from(indices, (index) => labels[index]), count: indices.length };
}

function batches(
  count: number,
  batchSize: number,
  fill: (epoch: number, first: number, count: number, images: Float32Array, labels: Int32Array) => void,
): Batches {
  const size = (step: number) => Math.min(batchSize, count - step * batchSize);
  return {
    steps: Math.ceil(count / batchSize),
    size,
    prepare: (epoch, step, images, labels) => fill(epoch, step * batchSize, size(step), images, labels),
  };
}

function pixelsInPlace(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => i);
}

/**
 * Returns a function that writes image `index` of the set to place `at` of a batch: output pixel p is
 * (x - mean) / std of input pixel pixels[p], with x = 0 where that is -1.
 */
function normaliser(
  { images }: ImageSet,
  { shape: [height, width, channels], mean, std }: Dataset,
): (index: number, pixels: Int32Array, out: Float32Array, at: number) => void {
  const area = height * width;
  const size = area * channels;
  const zero = Float32Array.from(mean, (m, c) => (0 - m) / std[c]);
  if (images instanceof Float32Array) {
    return (index, pixels, out, at) => {
      for (let p = 0, o = at * size; p < area; p++) {
        const from = index * size + pixels[p] * channels;
        for (let c = 0; c < channels; c++, o++) {
          out[o] = pixels[p] < 0 ? zero[c] : (images[from + c] - mean[c]) / std[c];
        }
      }
    };
  }
  const tables = Float32Array.from(
    { length: channels * 256 },
    (_, i) => ((i % 256) / 255 - mean[i >> 8]) / std[i >> 8],
  );
  // Two loops that do the same: written out for colours, it takes half the time.
  if (channels === 3) {
    const [red, green, blue] = [0, 256, 512].map((from) => tables.subarray(from, from + 256));
    return (index, pixels, out, at) => {
      const first = index * size;
      for (let p = 0, o = at * size; p < area; p++, o += 3) {
        const pixel = pixels[p];
        const from = first + 3 * pixel;
        out[o] = pixel < 0 ? zero[0] : red[images[from]];
        out[o + 1] = pixel < 0 ? zero[1] : green[images[from + 1]];
        out[o + 2] = pixel < 0 ? zero[2] : blue[images[from + 2]];
      }
    };
  }
  return (index, pixels, out, at) => {
    for (let p = 0, o = at * size; p < area; p++) {
      const from = index * size + pixels[p] * channels;
      for (let c = 0; c < channels; c++, o++) {
        out[o] = pixels[p] < 0 ? zero[c] : tables[c * 256 + images[from + c]];
      }
    }
  };
}
