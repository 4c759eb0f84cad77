/** Learning rate schedules: functions of the epoch. */
import { checkCount, checkPositive } from "./options.js";

export interface Schedule {
  readonly name: string;
  /** What recreates it. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The rate in an epoch, counted from 0. */
  rate(base: number, epoch: number): number;
}

export function constant(): Schedule {
  return { name: "constant", options: {}, rate: (base) => base };
}

/**
 * The rate times `factor` at the start of epochs `every`, 2·`every`, ...
 *
 * @throws UserError unless `every` is a positive integer and `factor` a positive number.
 */
export function stepDecay({ every, factor = 0.1 }: { every: number; factor?: number }): Schedule {
  checkCount("every", every);
  checkPositive("factor", factor);
  return {
    name: "stepDecay",
    options: { every, factor },
    rate: (base, epoch) => base * factor ** Math.floor(epoch / every),
  };
}
