/**
 * Philox4x32-10, a counter-based random number generator (Salmon, Moraes, Dror and Shaw, "Parallel
 * random numbers: as easy as 1, 2, 3", SC 2011): a number is a pure function of a key and a
 * counter, so a run that is resumed, or cut into threads, draws the same numbers with no state kept.
 */

type Words2 = readonly [number, number];
type Words4 = readonly [number, number, number, number];

/** The upper 32 bits of a 64-bit product of unsigned words. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return aHigh * bHigh + (middle >>> 16) + (carry >>> 16);
}

/** Writes the four words of one block, at `out[at]` and after. Words may be given signed. */
export function philox(counter: Words4, key: Words2, out: Uint32Array, at = 0): void {
  let [c0, c1, c2, c3] = [counter[0] >>> 0, counter[1] >>> 0, counter[2] >>> 0, counter[3] >>> 0];
  let [k0, k1] = [key[0] >>> 0, key[1] >>> 0];
  for (let round = 0; round < 10; round++) {
    const next0 = (multiplyHigh(0xcd9e8d57, c2) ^ c1 ^ k0) >>> 0;
    const next2 = (multiplyHigh(0xd2511f53, c0) ^ c3 ^ k1) >>> 0;
    c1 = Math.imul(0xcd9e8d57, c2) >>> 0;
    c3 = Math.imul(0xd2511f53, c0) >>> 0;
    c0 = next0;
    c2 = next2;
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  out[at] = c0;
  out[at + 1] = c1;
  out[at + 2] = c2;
  out[at + 3] = c3;
}

/** The first `count` words of a stream: word i % 4 at counter (i / 4, stream, 0, 0). */
export function words(key: Words2, stream: number, count: number): Uint32Array {
  const blocks = new Uint32Array(4 * Math.ceil(count / 4));
  for (let at = 0; at < blocks.length; at += 4) philox([at / 4, stream, 0, 0], key, blocks, at);
  return blocks.subarray(0, count);
}

/** `count` numbers in [0, 1), multiples of 2^-24: the upper 24 bits of the words of a stream. */
export function uniforms(key: Words2, stream: number, count: number): Float32Array {
  const random = words(key, stream, count);
  const numbers = new Float32Array(count); // a loop: networks have a hundred million weights
  for (let i = 0; i < count; i++) numbers[i] = (random[i] >>> 8) * 2 ** -24;
  return numbers;
}

/** 0, ..., n - 1 in random order, by the shuffle of Fisher and Yates; the bias is below n / 2^32. */
export function permutation(n: number, key: Words2, stream: number): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  const random = words(key, stream, n);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor((random[i] / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
