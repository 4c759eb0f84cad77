/** Random cases for property tests, each a pure function of its seed. */
import { words } from "../random/philox.js";
import type { Sampler, View } from "./op.js";
import type { Shape } from "./tensor.js";
import { sizeOf } from "./tensor.js";

/** Channel counts on both sides of every vector width, and none that fits one evenly. */
const channelCounts = [1, 3, 10, 20, 50];

/** Ties, zeros of both signs and the half-integers where rounding decides. */
const kinks = [0, -0, 0.5, -0.5, 1, -1, 1.5, -1.5, 2.5, -2.5, 3];

export function sampler(seed: number, { smooth = false } = {}): Sampler {
  let draws = 0;
  const random = () => words([seed, 0], draws++, 1)[0] / 2 ** 32;
  const integer = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));
  const pick = <T>(options: readonly T[]) => options[integer(0, options.length - 1)];
  const fill = (shape: Shape, value: (i: number) => number): View => ({
    data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => value(i)),
    shape,
  });

  return {
    smooth,
    integer,
    pick,
    shape: (rank) =>
      Array.from({ length: rank }, (_, axis) => (axis < rank - 1 ? integer(1, 4) : pick(channelCounts))),
    uniform: (shape, low, high) => fill(shape, () => low + random() * (high - low)),
    values(shape) {
      if (!smooth) return fill(shape, () => (random() < 0.5 ? pick(kinks) : random() * 8 - 4));
      // Odd multiples of 1/32, shuffled: none equals another and none is a multiple of a half.
      const size = sizeOf(shape);
      const keys = fill(shape, random).data;
      const order = Array.from({ length: size }, (_, i) => i).sort((a, b) => keys[a] - keys[b]);
      return fill(shape, (i) => (2 * order[i] - 2 * (size >> 1) + 1) / 32);
    },
  };
}
