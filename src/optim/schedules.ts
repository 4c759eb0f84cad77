/** Schedules of several steps, along a cosine, and with a warm-up before another one. */
import { UserError } from "../errors.js";
import type { Rules } from "../errors/options.js";
import { checkedBy, checkOptions, count, notNegative, oneOf, optional, positive } from "../errors/options.js";
import type { Schedule } from "./schedule.js";
import { checkSchedule } from "./schedule.js";

/** How often a rate changes. */
export const scheduleUnits = ["step", "epoch"] as const;
/** How often a schedule may change the rate: at each step, or at the start of an epoch alone. */
export type ScheduleUnit = (typeof scheduleUnits)[number];

/** The options of `optim.decayAt`. */
export interface DecayAtOptions {
  /** The epochs at whose start the rate changes, counted from 0, in ascending order. */
  readonly epochs: readonly number[];
  /** The factor of each change. Default 0.1. */
  readonly factor?: number;
}

const decayAtRules: Rules<DecayAtOptions> = {
  epochs: {
    allowed: "positive integers in ascending order, such as [30, 60, 80]",
    test: (value) =>
      Array.isArray(value) &&
      value.length > 0 &&
      value.every((epoch, i) => count.test(epoch) && (i === 0 || value[i - 1] < epoch)),
  },
  factor: optional(positive),
};

/**
 * The rate times `factor` at the start of each of the epochs.
 *
 * @throws UserError for an option out of range.
 */
export function decayAt(options: DecayAtOptions): Schedule {
  checkOptions("decayAt", options, decayAtRules);
  const { epochs, factor = 0.1 } = options;
  return {
    name: "decayAt",
    options: { epochs, factor },
    rate: (base, epoch) => base * factor ** epochs.filter((at) => at <= epoch).length,
  };
}

/** The options of `optim.cosine`. */
export interface CosineOptions {
  /** The epoch at whose end the rate is the final one: usually all of a training. */
  readonly epochs: number;
  /** The epoch at which the descent begins, such as the end of a warm-up; before it the rate is the base. Default 0. */
  readonly from?: number;
  /** Default 0. */
  readonly finalRate?: number;
  /** Whether the rate changes from step to step or from epoch to epoch. Default "step". */
  readonly by?: ScheduleUnit;
}

const cosineRules: Rules<CosineOptions> = {
  epochs: count,
  from: optional(notNegative),
  finalRate: optional(notNegative),
  by: optional(oneOf(...scheduleUnits)),
};

/**
 * finalRate + (base - finalRate)·(1 + cos πt) / 2, where t goes from 0 at the start of epoch `from` to 1 at the end of `epochs`.
 *
 * @throws UserError for an option out of range.
 */
export function cosine(options: CosineOptions): Schedule {
  checkOptions("cosine", options, cosineRules);
  const { epochs, from = 0, finalRate = 0, by = "step" } = options;
  if (from >= epochs) throw new UserError(`from must be below epochs ${epochs}, got ${from}`, "from");
  return {
    name: "cosine",
    options: { epochs, from, finalRate, by },
    rate(base, epoch, step, steps) {
      const at = epoch + (by === "step" ? step / steps : 0);
      const t = Math.min(1, Math.max(0, (at - from) / (epochs - from)));
      return finalRate + ((base - finalRate) * (1 + Math.cos(Math.PI * t))) / 2;
    },
  };
}

/** The options of `optim.warmup`. */
export interface WarmupOptions {
  /** How long the rate rises; a part of an epoch, too, where `by` is "step". */
  readonly epochs: number;
  /** The rates afterwards, by epochs counted from the start of the training. Default: the base rate. */
  readonly schedule?: Schedule;
  /** Whether the rate changes from step to step or from epoch to epoch. Default "step". */
  readonly by?: ScheduleUnit;
}

const warmupRules: Rules<WarmupOptions> = {
  epochs: positive,
  schedule: optional(checkedBy(checkSchedule)),
  by: optional(oneOf(...scheduleUnits)),
};

/**
 * A rate that rises linearly to that of another schedule: in the first of N steps (or epochs) it is 1/N of it, in the Nth all.
 *
 * @throws UserError for an option out of range.
 */
export function warmup(options: WarmupOptions): Schedule {
  checkOptions("warmup", options, warmupRules);
  const { epochs, schedule, by = "step" } = options;
  if (by === "epoch" && !Number.isInteger(epochs)) {
    throw new UserError(`epochs must be an integer where by is "epoch", got ${epochs}`, "epochs");
  }
  const after = schedule === undefined ? null : { name: schedule.name, options: schedule.options };
  return {
    name: "warmup",
    options: { epochs, by, schedule: after },
    rate(base, epoch, step, steps) {
      const full = schedule?.rate(base, epoch, step, steps) ?? base;
      const done = epoch + (by === "step" ? (step + 1) / steps : 1);
      return full * Math.min(1, done / epochs);
    },
  };
}
