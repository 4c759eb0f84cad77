/** Optimizers and learning rate schedules. */
export { adam } from "./adam.js";
export type { AdamOptions } from "./adam.js";
export type { Optimizer } from "./optimizer.js";
export { constant, stepDecay } from "./schedule.js";
export type { Schedule } from "./schedule.js";
export { sgd } from "./sgd.js";
export type { SgdOptions } from "./sgd.js";
export { isOwn } from "./records.js";
