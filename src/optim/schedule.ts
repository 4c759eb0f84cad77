/** Learning rate schedules: functions of the epoch and of the step in it. */
import { shown, UserError } from "../errors.js";
import type { Rules } from "../errors/options.js";
import {
  callback,
  checkOptions,
  count,
  isObject,
  notNegative,
  optional,
  plain,
  positive,
  text,
} from "../errors/options.js";

/** A learning rate schedule: the rate of each step. */
export interface Schedule {
  readonly name: string;
  /** What recreates it. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The rate in a step of an epoch of `steps` steps, both counted from 0. A schedule by epochs leaves out the last two. */
  rate(base: number, epoch: number, step: number, steps: number): number;
}

/** A rate that stays as it is. */
export function constant(options: Readonly<Record<string, never>> = {}): Schedule {
  checkOptions("constant", options, {});
  return { name: "constant", options: {}, rate: (base) => base };
}

/** The options of `optim.stepDecay`. */
export interface StepDecayOptions {
  /** Epochs between two changes. */
  readonly every: number;
  /** The factor of each change. Default 0.1. */
  readonly factor?: number;
}

const rules: Rules<StepDecayOptions> = { every: count, factor: optional(positive) };

/**
 * The rate times `factor` at the start of epochs `every`, 2·`every`, ...
 *
 * @throws UserError unless `every` is a positive integer and `factor` a positive number.
 */
export function stepDecay(options: StepDecayOptions): Schedule {
  checkOptions("stepDecay", options, rules);
  const { every, factor = 0.1 } = options;
  return {
    name: "stepDecay",
    options: { every, factor },
    rate: (base, epoch) => base * factor ** Math.floor(epoch / every),
  };
}

const scheduleRules: Rules<Schedule> = {
  name: text,
  options: plain,
  rate: callback,
};

/** @throws UserError for anything but a schedule, and for one with an unknown property. */
export function checkSchedule(schedule: unknown): asserts schedule is Schedule {
  if (!isObject(schedule) || typeof schedule.name !== "string" || typeof schedule.rate !== "function") {
    const allowed = "a schedule, such as optim.stepDecay({ every: 10 })";
    throw new UserError(`schedule must be ${allowed}, got ${shown(schedule)}`, "schedule");
  }
  const of = `schedule ${schedule.name}`;
  checkOptions(of, schedule, scheduleRules, `${of}: `);
}

/** The rate in a step of an epoch, both counted from 0. @throws UserError unless the schedule returns a valid rate. */
export function rateOf(
  schedule: Schedule | undefined,
  base: number,
  epoch: number,
  step: number,
  steps: number,
): number {
  if (schedule === undefined) return base;
  const rate = schedule.rate(base, epoch, step, steps);
  if (notNegative.test(rate)) return rate;
  throw new UserError(
    `schedule ${schedule.name}: rate must return ${notNegative.allowed}, got ${shown(rate)} for epoch ${epoch}`,
    "schedule",
  );
}
