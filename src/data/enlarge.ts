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
  const wide = new Float32Array(fromHeight * width * channels);
  for (let y = 0, o = 0; y < fromHeight; y++) {
    for (const { first, weights } of across) {
      for (let c = 0; c < channels; c++, o++) {
        let from = (y * fromWidth + first) * channels + c;
        let sum = 0;
        for (const weight of weights) {
          sum += weight * pixels[from];
          from += channels;
        }
        wide[o] = sum;
      }
    }
  }
  const out = new Uint8ClampedArray(height * width * channels); // rounds, and clips what overshoots
  const row = width * channels;
  down.forEach(({ first, weights }, y) => {
    for (let x = 0; x < row; x++) {
      let from = first * row + x;
      let sum = 0;
      for (const weight of weights) {
        sum += weight * wide[from];
        from += row;
      }
      out[y * row + x] = sum;
    }
  });
  return new Uint8Array(out.buffer);
}

interface Taps {
  /** The first of the pixels that a pixel is made from. */
  readonly first: number;
  readonly weights: readonly number[];
}

/** For each of `count` pixels along one side what it is made from. */
function tapsOf(count: number, fromCount: number, start: number, extent: number): Taps[] {
  return Array.from({ length: count }, (_, i) => {
    const centre = start + ((i + 0.5) * extent) / count - 0.5;
    const first = Math.max(0, Math.floor(centre) - reach + 1);
    const last = Math.min(fromCount - 1, Math.floor(centre) + reach);
    const weights = Array.from({ length: last - first + 1 }, (_, k) => cubic(Math.abs(first + k - centre)));
    const sum = weights.reduce((a, b) => a + b, 0);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

/** Keys' kernel with a = -1/2 at a distance x. */
function cubic(x: number): number {
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}
