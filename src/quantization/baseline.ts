/** Full precision: every layer as it is. */
import { checkOptions } from "../errors/options.js";
import type { Method } from "./method.js";

/** The method that quantizes nothing. It has no options. */
export function baseline(options: Readonly<Record<string, never>> = {}): Method {
  checkOptions("baseline", options, {});
  return {
    name: "baseline",
    options: {},
    weightBits: 32,
    activationBits: 32,
    fullPrecision: () => true,
    weights: (w) => w,
    activations: (x) => x,
  };
}
