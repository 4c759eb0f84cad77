/** Codes that several methods share. n = 2^k - 1 is the number of steps between the 2^k levels of k bits. */
import type { Tensor } from "../graph/index.js";
import { codes, mul, round, sub } from "../graph/index.js";

/** n = 2^k - 1. */
export const steps = (bits: number): number => 2 ** bits - 1;

/** round(n·x) of x in [0, 1]: 0, 1, ..., n, to be scaled by 1/n. */
export function unitCodes(x: Tensor, bits: number): Tensor {
  const n = steps(bits);
  return codes(round(mul(x, n)), { lo: 0, hi: n, step: 1 });
}

/** 2·round(n·x) - n of x in [0, 1]: -n, -n + 2, ..., n, the codes of 2·q_k(x) - 1 at scale 1/n. */
export function centredCodes(x: Tensor, bits: number): Tensor {
  const n = steps(bits);
  return codes(sub(mul(round(mul(x, n)), 2), n), { lo: -n, hi: n, step: 2 });
}
