/** The options of convolutions and of pooling, and their rules. */
import type { Rule, Rules } from "../../errors/options.js";
import { optional, whole } from "../../errors/options.js";

/** One number for height and width, or one for each. */
export type Pair = number | readonly [number, number];

/** Zeros on both sides of height and width, or as many as `⌈extent / stride⌉` outputs need. */
export type Padding = Pair | "same";

/** How a window moves over an image: the options of `convolution`. */
export interface ConvolutionOptions {
  /** How far the window moves at a time. Default 1. */
  readonly stride?: Pair;
  /**
   * Zeros on both sides of height and width. Default 0. "same": as many as give ⌈extent / stride⌉ outputs, as TensorFlow
   * has it and ONNX as SAME_UPPER; an odd one lies below and on the right.
   */
  readonly padding?: Padding;
  /** Into how many groups channels and outputs are cut, each of which sees none of the others. Default 1. */
  readonly groups?: number;
}

/** The window of `averagePool` and `maxPool`. */
export interface PoolOptions extends Omit<ConvolutionOptions, "groups"> {
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

const anyPadding = pairFrom(0);

/** A padding in numbers, or by its name. */
const paddingRule: Rule = {
  allowed: 'a whole number from 0, [height, width], or "same"',
  test: (value) => value === "same" || anyPadding.test(value),
  names: ["same"],
};

export const windowRules: Rules<Omit<ConvolutionOptions, "groups">> = {
  stride: optional(pairFrom(1)),
  padding: optional(paddingRule),
};

export const convolutionRules: Rules<ConvolutionOptions> = {
  ...windowRules,
  groups: optional(whole(1, 2 ** 31)),
};

export const poolRules: Rules<PoolOptions> = { size: windowSize, ...windowRules };

/** Height and width of what may be one number for both. */
export const pair = (value: Pair): readonly [number, number] =>
  typeof value === "number" ? [value, value] : value;
