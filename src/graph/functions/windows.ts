/** Rules of the options that have to do with windows: of convolutions and of pooling. */
import type { Rule, Rules } from "../../errors/options.js";
import { optional } from "../../errors/options.js";
import type { ConvolutionOptions, Pair, PoolOptions } from "./layers.js";

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
