/** Rules of the options that methods take. */
import type { Rule } from "../errors/options.js";
import { optional } from "../errors/options.js";

/** The bits that uniform quantizers take; 32 is full precision. */
export const uniformBits: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 32];

/** Bits of a uniform quantizer. */
export const bits: Rule = {
  allowed: "an integer from 1 to 8 or 32",
  test: (value) => uniformBits.includes(value as number),
};

/** One of a few values, for a method as it is named in the message. */
export const choice = (method: string, allowed: readonly unknown[]): Rule => ({
  allowed: `${allowed.join(" or ")} for ${method}`,
  test: (value) => allowed.includes(value),
});

export const presets = ["paper", "redbit"] as const;

/** A preset of a method; one may leave it out. */
export const presetOf = (method: string, allowed: readonly string[] = presets): Rule =>
  optional({
    allowed: `${allowed.map((name) => `"${name}"`).join(" or ")} for ${method}`,
    test: (value) => allowed.includes(value as string),
    names: allowed,
  });
