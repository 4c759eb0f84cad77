/**
 * Resizing by the triangle filter, as Pillow's BILINEAR does it: the filter is as wide as the reduction, weights are
 * rounded to 22 bits, and columns are done first, rounded to bytes. The decoder's own filter places pixels by
 * 64ths and is up to 10 of 255 off.
 */

const precision = 22;

/** The first place that each of `count` outputs reads, and its weights, which sum to 2^22 but for rounding. */
function tapsOf(
  count: number,
  extent: number,
): readonly { readonly first: number; readonly weights: Int32Array }[] {
  const scale = extent / count;
  const reach = Math.max(scale, 1);
  return Array.from({ length: count }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(extent, Math.trunc(centre + reach + 0.5));
    const raw = Float64Array.from({ length: end - first }, (__, k) =>
      Math.max(0, 1 - Math.abs((first + k - centre + 0.5) / reach)),
    );
    const sum = raw.reduce((total, weight) => total + weight, 0);
    return { first, weights: Int32Array.from(raw, (weight) => Math.round((weight / sum) * 2 ** precision)) };
  });
}

/** An image [its height, its width, channels] of bytes as one of `shape`. */
export function triangle(
  pixels: Uint8Array,
  [fromHeight, fromWidth]: readonly [height: number, width: number],
  [height, width, channels]: readonly [height: number, width: number, channels: number],
): Uint8Array {
  const wide = width === fromWidth ? pixels : across(pixels, fromHeight, fromWidth, [width, channels]);
  return height === fromHeight ? Uint8Array.from(wide) : down(wide, fromHeight, height, width * channels);
}

const half = 1 << (precision - 1);
const toByte = (sum: number): number => Math.min(255, Math.max(0, sum >> precision));

function across(
  pixels: Uint8Array,
  rows: number,
  fromWidth: number,
  [width, channels]: readonly [number, number],
): Uint8Array {
  const out = new Uint8Array(rows * width * channels);
  const taps = tapsOf(width, fromWidth);
  for (let row = 0, o = 0; row < rows; row++) {
    const start = row * fromWidth * channels;
    for (const { first, weights } of taps) {
      for (let c = 0; c < channels; c++) {
        let sum = half;
        for (let k = 0, from = start + first * channels + c; k < weights.length; k++, from += channels) {
          sum += weights[k] * pixels[from];
        }
        out[o++] = toByte(sum);
      }
    }
  }
  return out;
}

function down(pixels: Uint8Array, fromHeight: number, height: number, row: number): Uint8Array {
  const out = new Uint8Array(height * row);
  const sums = new Int32Array(row);
  tapsOf(height, fromHeight).forEach(({ first, weights }, y) => {
    sums.fill(half);
    weights.forEach((weight, k) => {
      const from = (first + k) * row;
      for (let i = 0; i < row; i++) sums[i] += weight * pixels[from + i];
    });
    for (let i = 0; i < row; i++) out[y * row + i] = toByte(sums[i]);
  });
  return out;
}
