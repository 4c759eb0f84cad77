/**
 * Parts that several methods share: signs, codes and straight-through gradients.
 *
 * Codes are whole numbers; a quantized value is codes · scale. The preset "redbit" of the methods
 * that binarize has sign(0) = 0, "paper" has sign(0) = +1.
 */
import { checkValue, oneOf, whole } from "../errors/options.js";
import type { Tensor } from "../graph/index.js";
import { abs, clip, codes, customGradient, le, lt, mul, round, sign, sub, where } from "../graph/index.js";

/** "paper": as the method's authors define it. "redbit": what the framework of the published table computes. */
export type Preset = "paper" | "redbit";

/** n = 2^k - 1, the number of steps between the 2^k levels of k bits. */
export const steps = (bits: number): number => 2 ** bits - 1;

/** The codes are exact in single precision. */
const codeBits = whole(1, 24);

/** round(n·x) of x in [0, 1]: 0, 1, ..., n, to be scaled by 1/n. */
export function unitCodes(x: Tensor, bits: number): Tensor {
  checkValue("bits", bits, codeBits);
  const n = steps(bits);
  return codes(round(mul(x, n)), { lo: 0, hi: n, step: 1 });
}

/** 2·round(n·x) - n of x in [0, 1]: -n, -n + 2, ..., n, the codes of 2·q_k(x) - 1 at scale 1/n. */
export function centredCodes(x: Tensor, bits: number): Tensor {
  checkValue("bits", bits, codeBits);
  const n = steps(bits);
  return codes(sub(mul(round(mul(x, n)), 2), n), { lo: -n, hi: n, step: 2 });
}

/** round(n·x) of x, clamped to -n ... n - 1, n = 2^(k-1): two's complement, to be scaled by 1/n. */
export function signedCodes(x: Tensor, bits: number): Tensor {
  checkValue("bits", bits, codeBits);
  const n = 2 ** (bits - 1);
  return codes(clip(round(mul(x, n)), -n, n - 1), { lo: -n, hi: n - 1, step: 1 });
}

/** +1 and -1; sign(0) is +1 in "paper" and 0 in "redbit". */
export function signCodes(x: Tensor, preset: Preset): Tensor {
  checkValue("preset", preset, oneOf("paper", "redbit"));
  return preset === "paper"
    ? codes(sign(x), { lo: -1, hi: 1, step: 2 })
    : codes(sub(lt(0, x), lt(x, 0)), { lo: -1, hi: 1, step: 1 });
}

/** +1 where `positive`, -1 where `negative` (each 1 or 0), else 0. */
export const ternaryCodes = (positive: Tensor, negative: Tensor): Tensor =>
  codes(sub(positive, negative), { lo: -1, hi: 1, step: 1 });

/** A value whose gradient passes to x where |x| <= 1, or, `open`, where |x| < 1. */
export function passWithinOne(value: Tensor, x: Tensor, open: boolean): Tensor {
  const inside = open ? lt(abs(x), 1) : le(abs(x), 1);
  return customGradient(value, [x], (g) => [where(inside, g, 0)]);
}
