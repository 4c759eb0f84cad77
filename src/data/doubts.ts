/** What may be a mistake in a data set of image files, although a network can be trained on it. */
import { createHash } from "node:crypto";

/** Images as bytes [count, height, width, channels]. */
interface ByteSet {
  readonly images: Uint8Array;
  readonly count: number;
}

/** Test images that are also trained on, and images of one colour, counted in words; undefined if there are none. */
export function doubtsOf(train: ByteSet, test: ByteSet, channels: number): string | undefined {
  const [trained, tested] = [train, test].map(eachOf);
  const learned = new Set(trained.map(digestOf));
  const seen = tested.filter((pixels) => learned.has(digestOf(pixels))).length;
  const flat = [...trained, ...tested].filter((pixels) => isOfOneColour(pixels, channels)).length;
  const parts = [
    ...(seen === 0 ? [] : [`${seen} of ${test.count} test images are among the training images too`]),
    ...(flat === 0 ? [] : [`${flat} of ${train.count + test.count} images are of one colour`]),
  ];
  return parts.length === 0 ? undefined : parts.join("; ");
}

function eachOf({ images, count }: ByteSet): Uint8Array[] {
  const size = images.length / count;
  return Array.from({ length: count }, (_, i) => images.subarray(i * size, (i + 1) * size));
}

const digestOf = (pixels: Uint8Array): string => createHash("sha1").update(pixels).digest("base64");

const isOfOneColour = (pixels: Uint8Array, channels: number): boolean =>
  pixels.length > channels && pixels.every((value, i) => i < channels || value === pixels[i - channels]);
