/**
 * Enlarging by bicubic interpolation, centre to centre: of n pixels made from m, pixel i lies at
 * (i + 1/2) m/n - 1/2 of the small image, as in Pillow, torchvision, Keras and OpenCV. The decoder's own
 * enlargement puts it at i m/n - 1/2.
 *
 * The weights are Keys' cubic convolution with a = -1/2; what lies outside the image has none, and
 * the others then sum to 1 (Pillow's BICUBIC). "Cubic convolution interpolation for digital image
 * processing", 1981, equation 4.
 */
import type { Box } from "./triangle.js";

/** How far a pixel reaches. */
export const reach = 2;

/**
 * The part of an image of 1 or 3 channels that `box` bounds, as bytes [height, width, channels].
 *
 * @param pixels [its height, its width, channels].
 */
export function enlarge(
  pixels: Uint8Array,
  [fromHeight, fromWidth]: readonly [number, number],
  box: Box,
  [height, width, channels]: readonly [height: number, width: number, channels: number],
): Uint8Array {
  const row = width * channels;
  const wide = new Float32Array(fromHeight * row);
  enlargeRows(pixels, fromWidth * channels, tapsOf(width, fromWidth, box.left, box.width), channels, wide);
  const { places, weights } = tapsOf(height, fromHeight, box.top, box.height);
  const out = new Uint8ClampedArray(height * row); // rounds, and clips what overshoots
  for (let y = 0, o = 0, t = 0; y < height; y++, t += 4) {
    const [i, j, k, l] = [places[t] * row, places[t + 1] * row, places[t + 2] * row, places[t + 3] * row];
    const [p, q, r, s] = [weights[t], weights[t + 1], weights[t + 2], weights[t + 3]];
    for (let x = 0; x < row; x++, o++) {
      out[o] = p * wide[i + x] + q * wide[j + x] + r * wide[k + x] + s * wide[l + x];
    }
  }
  return new Uint8Array(out.buffer);
}

/** Enlarges the rows of an image, each of `fromRow` values, along themselves. */
function enlargeRows(
  pixels: Uint8Array,
  fromRow: number,
  { places, weights }: Taps,
  channels: number,
  out: Float32Array,
): void {
  for (let begin = 0, o = 0; o < out.length; begin += fromRow) {
    for (let t = 0; t < places.length; t += 4, o += channels) {
      const i = begin + places[t] * channels;
      const j = begin + places[t + 1] * channels;
      const k = begin + places[t + 2] * channels;
      const l = begin + places[t + 3] * channels;
      const p = weights[t];
      const q = weights[t + 1];
      const r = weights[t + 2];
      const s = weights[t + 3];
      out[o] = p * pixels[i] + q * pixels[j] + r * pixels[k] + s * pixels[l];
      if (channels === 1) continue;
      // Written out for colours, it takes half the time.
      out[o + 1] = p * pixels[i + 1] + q * pixels[j + 1] + r * pixels[k + 1] + s * pixels[l + 1];
      out[o + 2] = p * pixels[i + 2] + q * pixels[j + 2] + r * pixels[k + 2] + s * pixels[l + 2];
    }
  }
}

/** The four pixels along one side that each pixel is made from, one after another. */
interface Taps {
  readonly places: Int32Array;
  /** The four of a pixel sum to 1; 0 for one that would lie outside, in whose place another stands. */
  readonly weights: Float64Array;
}

/** For each of `count` pixels along one side what it is made from. */
function tapsOf(count: number, fromCount: number, start: number, extent: number): Taps {
  const places = new Int32Array(4 * count);
  const weights = new Float64Array(4 * count);
  for (let i = 0; i < count; i++) {
    const centre = start + ((i + 0.5) * extent) / count - 0.5;
    let sum = 0;
    for (let t = 4 * i, place = Math.floor(centre) - 1; t < 4 * i + 4; t++, place++) {
      if (place < 0 || place >= fromCount) continue;
      places[t] = place;
      weights[t] = cubic(Math.abs(place - centre));
      sum += weights[t];
    }
    for (let t = 4 * i; t < 4 * i + 4; t++) weights[t] /= sum;
  }
  return { places, weights };
}

/** Keys' kernel with a = -1/2 at a distance x. */
function cubic(x: number): number {
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}
