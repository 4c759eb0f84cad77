/**
 * Enlarging by bicubic interpolation, centre to centre: of n pixels made from m, pixel i lies at
 * (i + 1/2) m/n - 1/2 of the small image, as in Pillow, torchvision, Keras and OpenCV. The decoder's own
 * enlargement puts it at i m/n - 1/2.
 *
 * The weights are Keys' cubic convolution with a = -1/2; what lies outside the image has none, and
 * the others then sum to 1 (Pillow's BICUBIC). "Cubic convolution interpolation for digital image
 * processing", 1981, equation 4.
 */

/** A part of an image in pixels, not always whole ones. */
export interface Box {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** How far a pixel reaches. */
export const reach = 2;

/**
 * The part of an image that `box` bounds, as bytes [height, width, channels].
 *
 * @param pixels [its height, its width, channels].
 */
export function enlarge(
  pixels: Uint8Array,
  [fromHeight, fromWidth]: readonly [number, number],
  box: Box,
  [height, width, channels]: readonly [number, number, number],
): Uint8Array {
  const across = tapsOf(width, fromWidth, box.left, box.width);
  const down = tapsOf(height, fromHeight, box.top, box.height);
  const row = width * channels;
  const wide = new Float32Array(fromHeight * row);
  across.forEach(({ places: [i, j, k, l], weights: [p, q, r, s] }, x) => {
    for (let y = 0; y < fromHeight; y++) {
      const from = y * fromWidth;
      for (let c = 0; c < channels; c++) {
        wide[y * row + x * channels + c] =
          p * pixels[(from + i) * channels + c] +
          q * pixels[(from + j) * channels + c] +
          r * pixels[(from + k) * channels + c] +
          s * pixels[(from + l) * channels + c];
      }
    }
  });
  const out = new Uint8ClampedArray(height * row); // rounds, and clips what overshoots
  down.forEach(({ places, weights: [p, q, r, s] }, y) => {
    const [i, j, k, l] = places.map((place) => place * row);
    for (let x = 0; x < row; x++) {
      out[y * row + x] = p * wide[i + x] + q * wide[j + x] + r * wide[k + x] + s * wide[l + x];
    }
  });
  return new Uint8Array(out.buffer);
}

/** The four pixels along one side that a pixel is made from. */
interface Taps {
  readonly places: readonly number[];
  /** They sum to 1; 0 for a pixel that would lie outside, in whose place another stands. */
  readonly weights: readonly number[];
}

/** For each of `count` pixels along one side what it is made from. */
function tapsOf(count: number, fromCount: number, start: number, extent: number): Taps[] {
  return Array.from({ length: count }, (_, i) => {
    const centre = start + ((i + 0.5) * extent) / count - 0.5;
    const around = [-1, 0, 1, 2].map((step) => Math.floor(centre) + step);
    const isInside = (place: number) => place >= 0 && place < fromCount;
    const weights = around.map((place) => (isInside(place) ? cubic(Math.abs(place - centre)) : 0));
    const sum = weights.reduce((a, b) => a + b, 0);
    return {
      places: around.map((place) => (isInside(place) ? place : 0)),
      weights: weights.map((weight) => weight / sum),
    };
  });
}

/** Keys' kernel with a = -1/2 at a distance x. */
function cubic(x: number): number {
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}
