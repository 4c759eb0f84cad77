/**
 * Images in another size by the triangle filter, as Pillow's BILINEAR makes them: the filter is as wide as the reduction,
 * weights are rounded to 22 bits, and rows are done first, rounded to bytes. What is enlarged is interpolated linearly. The
 * decoder's own filter places pixels by 64ths and is up to 10 of 255 off.
 */
import { nativeResample } from "../runtime/native.js";

const precision = 22;
const one = 1 << precision;

/** How one side becomes `count` places: sums of `taps` of its places each. */
export interface Side {
  readonly count: number;
  readonly taps: number;
  /** The first place that each is made from. */
  readonly firsts: Int32Array;
  /** [count, taps], in 2^22ths. */
  readonly weights: Int32Array;
}

/** A stretch of a side, in pixels that may be parts of such. */
interface Stretch {
  readonly start: number;
  readonly extent: number;
}

/**
 * How a stretch of a side becomes `count` places.
 *
 * @param within the whole places that the filter may look at. It is wider than a stretch by as much as is reduced.
 */
export function sideOf(
  count: number,
  { start, extent }: Stretch,
  within: readonly [begin: number, end: number],
): Side {
  const scale = extent / count;
  const reach = Math.max(scale, 1);
  const most = 2 * Math.ceil(reach) + 1;
  const raw = new Float64Array(count * most);
  const firsts = new Int32Array(count);
  const ends = new Int32Array(count);
  let taps = 1;
  for (let i = 0; i < count; i++) {
    const centre = start + (i + 0.5) * scale;
    const first = Math.max(within[0], Math.trunc(centre - reach + 0.5));
    const end = Math.min(within[1], Math.trunc(centre + reach + 0.5));
    let sum = 0;
    for (let place = first, at = i * most; place < end; place++, at++) {
      raw[at] = Math.max(0, 1 - Math.abs((place - centre + 0.5) / reach));
      sum += raw[at];
    }
    for (let at = i * most; at < i * most + end - first; at++) raw[at] /= sum;
    firsts[i] = first;
    ends[i] = end;
    taps = Math.max(taps, end - first);
  }
  const weights = new Int32Array(count * taps);
  for (let i = 0; i < count; i++) {
    const first = firsts[i];
    firsts[i] = Math.min(first, within[1] - taps);
    const to = i * taps + first - firsts[i];
    for (let k = 0; k < ends[i] - first; k++) {
      weights[to + k] = Math.round(raw[i * most + k] * one);
    }
  }
  return { count, taps, firsts, weights };
}

/** A part of an image in pixels, not always whole ones. */
export interface Box {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/**
 * A part of an image of red, green and blue bytes in another size, [height, width, 3].
 *
 * @param pixels [its height, its width, 3].
 * @param box the part.
 * @param within what the filter may look at, in whole pixels: the part, or more of the image.
 */
export async function triangle(
  pixels: Uint8Array,
  [fromHeight, fromWidth]: readonly [height: number, width: number],
  box: Box,
  within: Box,
  [height, width]: readonly [height: number, width: number, ...more: number[]],
): Promise<Uint8Array> {
  const across = sideOf(width, { start: box.left, extent: box.width }, [
    within.left,
    within.left + within.width,
  ]);
  const down = sideOf(height, { start: box.top, extent: box.height }, [
    within.top,
    within.top + within.height,
  ]);
  const out = new Uint8Array(height * width * 3);
  const native = nativeResample();
  if (native === undefined) resample(pixels, [fromHeight, fromWidth], { across, down }, out);
  else await native(pixels, numbersOf([fromHeight, fromWidth], across, down), out);
  return out;
}

/** What the add-on takes. */
export function numbersOf(size: readonly [number, number], across: Side, down: Side): Int32Array {
  const numbers = [
    size,
    ...[across, down].flatMap(({ count, taps, firsts, weights }) => [[count, taps], firsts, weights]),
  ];
  const all = new Int32Array(numbers.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const some of numbers) {
    all.set(some, at);
    at += some.length;
  }
  return all;
}

const half = one / 2;

/** The same as the add-on does, to the bit. */
export function resample(
  pixels: Uint8Array,
  [, fromWidth]: readonly [height: number, width: number],
  { across, down }: { readonly across: Side; readonly down: Side },
  out: Uint8Array,
): void {
  const row = across.count * 3;
  const begin = Math.min(...down.firsts);
  const end = Math.max(...down.firsts) + down.taps;
  const wide = new Uint8Array((end - begin) * row);
  for (let y = begin, o = 0; y < end; y++) {
    for (let i = 0, t = 0; i < across.count; i++, t += across.taps) {
      const first = (y * fromWidth + across.firsts[i]) * 3;
      for (let c = 0; c < 3; c++) {
        let sum = half;
        for (let k = 0, from = first + c; k < across.taps; k++, from += 3) {
          sum += across.weights[t + k] * pixels[from];
        }
        wide[o++] = sum >> precision;
      }
    }
  }
  const sums = new Int32Array(row);
  for (let i = 0, o = 0; i < down.count; i++, o += row) {
    sums.fill(half);
    for (let k = 0; k < down.taps; k++) {
      const weight = down.weights[i * down.taps + k];
      const from = (down.firsts[i] - begin + k) * row;
      for (let x = 0; x < row; x++) sums[x] += weight * wide[from + x];
    }
    for (let x = 0; x < row; x++) out[o + x] = sums[x] >> precision;
  }
}
