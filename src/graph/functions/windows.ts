/** The options of convolutions and of pooling, and their rules. */
import type { Rule, Rules } from "../../errors/options.js";
import { optional } from "../../errors/options.js";

/** One number for height and width, or one for each. */
export type Pair = number | readonly [number, number];

/** How a window moves over an image: the options of `convolution`. */
export interface ConvolutionOptions {
  /** How far the window moves at a time. Default 1. */
  readonly stride?: Pair;
  /** Zeros on both sides of height and width. Default 0. */
  readonly padding?: Pair;
}

/** The window of `averagePool` and `maxPool`. */
export interface PoolOptions extends ConvolutionOptions {
  readonly size: Pair;
  /** How far the window moves at a time. Default: its size. */
  readonly stride?: Pair;
}

/** One whole number for height and width, or one for each. */
const pairFrom = (least: number): Rule => {
  const isWhole = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= least;
  return {
    allowed: `a whole number from ${least}, or [height, width]`,
    test: (value) => isWhole(value) || (Array.isArray(value) && value.length === 2 && value.every(isWhole)),
  };
};

/** The size of a window or kernel. */
export const windowSize = pairFrom(1);

export const convolutionRules: Rules<ConvolutionOptions> = {
  stride: optional(pairFrom(1)),
  padding: optional(pairFrom(0)),
};

export const poolRules: Rules<PoolOptions> = { size: windowSize, ...convolutionRules };

/** Height and width of what may be one number for both. */
export const pair = (value: Pair): readonly [number, number] =>
  typeof value === "number" ? [value, value] : value;
