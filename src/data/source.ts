/** Where a batch's images come from: arrays in memory, files that are decoded when they are asked for, or a part of either. */
import type { Placement } from "./augment.js";
import type { Destination } from "./writer.js";
import { normalise, valuesOf } from "./normalise.js";
import { imageWriter } from "./writer.js";

/**
 * Images [count, height, width, channels] in memory, row-major, and one label per image. Bytes are read as
 * pixels 0..255 and divided by 255; floats are taken as they are. Then the data set's `mean` and `std` apply.
 */
export interface ImageSet {
  readonly images: Uint8Array | Float32Array;
  readonly labels: Uint8Array | Int32Array;
  readonly count: number;
}

/** What is shown of an image of a source whose images vary in size, by its place in the batch. */
export type Placer = (i: number, size: readonly [height: number, width: number]) => Placement;

/** Images that become of one shape, wherever they are. What decides them is part of their data set's checksum. */
export interface ImageSource {
  readonly count: number;
  /** The label of each image, below the data set's number of classes. */
  readonly labels: Uint8Array | Int32Array;
  /** Whether its images vary in size until they are shown, as photographs do: then it asks for each placement by that size. */
  readonly varies?: true;
  /**
   * Writes the images at `indices`, each by its placement, or whole where there are no placements. A source whose images
   * vary gets a function in place of placements. A source that has its images at hand is done when this returns; another
   * returns a promise, and is called again when that has settled.
   *
   * @returns the places in `indices` of images that are left out of the batch because they are damaged, if there are any:
   *   what `out` has there does not count.
   */
  fill(
    indices: Uint32Array,
    placements: readonly Placement[] | Placer | undefined,
    out: Destination,
  ): LeftOut | Promise<LeftOut>;
  /**
   * Does what `fill` does, and writes bytes x that stand for (x / 255 - mean) / std. A source that has it is asked for bytes
   * in training and scoring, since a batch of them takes a quarter of the memory.
   */
  fillBytes?(
    indices: Uint32Array,
    placements: readonly Placement[] | Placer | undefined,
    images: Uint8Array,
  ): LeftOut | Promise<LeftOut>;
}

/** The places of a batch that hold no image; nothing where all do. */
export type LeftOut = void | readonly number[];

type Shape = readonly [height: number, width: number, channels: number];

const isSource = (set: ImageSet | ImageSource): set is ImageSource => "fill" in set;

/** The source of a set of a data set's images. */
export function sourceOf(set: ImageSet | ImageSource, shape: Shape): ImageSource {
  return isSource(set) ? set : arraySource(set, shape);
}

/** Images in memory as a source. The arrays are not copied. */
export function arraySource({ images, labels, count }: ImageSet, shape: Shape): ImageSource {
  const size = shape[0] * shape[1] * shape[2];
  const write = imageWriter(shape);
  return {
    count,
    labels,
    fill(indices, placements: readonly Placement[] | undefined, out) {
      for (let i = 0; i < indices.length; i++) write(images, indices[i] * size, placements?.[i], out, i);
    },
  };
}

/** A source of images of bytes, which has them normalised where it is asked to. */
export function byteSource(
  source: Omit<ImageSource, "fill"> & Required<Pick<ImageSource, "fillBytes">>,
  [height, width, channels]: Shape,
): ImageSource {
  return {
    ...source,
    async fill(indices, placements, { images, mean, std }) {
      const bytes = new Uint8Array(indices.length * height * width * channels);
      const leftOut = await source.fillBytes(indices, placements, bytes);
      normalise(bytes, valuesOf({ mean, std }), images);
      return leftOut;
    },
  };
}

/** The images of a source at some of its indices, in that order, as a source of their own. */
export function viewOf(source: ImageSource, indices: Uint32Array): ImageSource {
  const inSource = (chosen: Uint32Array): Uint32Array => chosen.map((i) => indices[i]);
  return {
    count: indices.length,
    labels: Int32Array.from(indices, (index) => source.labels[index]),
    varies: source.varies,
    fill: (chosen, placements, out) => source.fill(inSource(chosen), placements, out),
    fillBytes:
      source.fillBytes &&
      ((chosen, placements, images) => source.fillBytes?.(inSource(chosen), placements, images)),
  };
}

/** The indices 0 to count - 1. */
export const allOf = (count: number): Uint32Array => new Uint32Array(count).map((_, i) => i);
