/** Full precision: every layer as it is. */
import type { Method } from "./method.js";

export function baseline(): Method {
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
