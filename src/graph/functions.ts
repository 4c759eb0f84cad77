/** The functions that record a graph. */
export * from "./functions/arithmetic.js";
export { broadcastTo, reshape } from "./functions/broadcasting.js";
export type { Value } from "./functions/broadcasting.js";
export * from "./functions/classification.js";
export * from "./functions/gradient.js";
export * from "./functions/layers.js";
export * from "./functions/leaves.js";
export * from "./functions/movement.js";
export * from "./functions/reductions.js";
