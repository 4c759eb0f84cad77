/** Optimizers and learning rate schedules. */
export { adam } from "./adam.js";
export type { AdamOptions } from "./adam.js";
export { adamw } from "./adamw.js";
export type { AdamwOptions } from "./adamw.js";
export { clipped } from "./clip.js";
export { checkOptimizer, checkUpdate, initialOf, scalarsOf } from "./optimizer.js";
export type { Optimizer } from "./optimizer.js";
export { checkSchedule, constant, rateOf, stepDecay } from "./schedule.js";
export type { Schedule, StepDecayOptions } from "./schedule.js";
export { scheduleNames, scheduleOf, scheduleTitle } from "./schedule-settings.js";
export { cosine, decayAt, scheduleUnits, warmup } from "./schedules.js";
export type { CosineOptions, DecayAtOptions, ScheduleUnit, WarmupOptions } from "./schedules.js";
export { sgd } from "./sgd.js";
export type { SgdOptions } from "./sgd.js";
export {
  defaultOptimizer,
  defaultWeightDecay,
  optimizerOf,
  optimizerRegistry,
  optimizersWith,
  optimizerTitle,
  takesOption,
} from "./registry.js";
export type { NewOptimizer, OptimizerEntry, OptimizerOption, OptimizerSettings } from "./registry.js";
export { isMethodScalar } from "./records.js";
