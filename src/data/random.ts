/** Keys for the random numbers of a run: functions of the seed and what the numbers are for, without hidden state. */
import { philox } from "../random/philox.js";

/** What numbers are drawn for; each purpose has keys of its own. */
const purposes = { order: 1, augmentation: 2, holdOut: 3, step: 4 } as const;

/**
 * The key of the numbers for a purpose and, within it, of an epoch or step. `seed` is an integer from
 * 0 to 2^53 - 1.
 */
export function keyFor(seed: number, purpose: keyof typeof purposes, number = 0): readonly [number, number] {
  const words = new Uint32Array(4);
  philox([number, purposes[purpose], 0, 1], [seed % 2 ** 32, Math.floor(seed / 2 ** 32)], words);
  return [words[0], words[1]];
}
