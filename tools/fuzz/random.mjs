/** Random choices that a text decides: the same text gives the same case on every machine. */
import { createHash } from "node:crypto";

/** @returns the choices of one case; `integer` bounds are inclusive. */
export function randomOf(text) {
  const digest = createHash("sha256").update(text).digest();
  let [a, b, c, counter] = [0, 4, 8, 12].map((at) => digest.readInt32LE(at));
  // Chris Doty-Humphrey's sfc32.
  const word = () => {
    const sum = (a + b + counter++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return sum >>> 0;
  };
  const integer = (low, high) => low + Math.floor((word() / 2 ** 32) * (high - low + 1));
  return {
    integer,
    pick: (list) => list[integer(0, list.length - 1)],
    chance: (probability) => word() / 2 ** 32 < probability,
    bytes: (count) => Buffer.from(Array.from({ length: count }, () => word() & 255)),
  };
}
