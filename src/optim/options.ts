/** Checks of the options that optimizers and schedules take. */
import { UserError } from "../errors.js";

function check(field: string, value: unknown, allowed: string, test: (x: number) => boolean): void {
  if (typeof value !== "number" || !Number.isFinite(value) || !test(value)) {
    throw new UserError(`${field} must be ${allowed}, got ${String(value)}`, field);
  }
}

export const checkPositive = (field: string, value: unknown): void =>
  check(field, value, "a positive number", (x) => x > 0);

export const checkNotNegative = (field: string, value: unknown): void =>
  check(field, value, "a number that is not negative", (x) => x >= 0);

/** From 0, included, to 1, excluded. */
export const checkFraction = (field: string, value: unknown): void =>
  check(field, value, "a number from 0 to below 1", (x) => x >= 0 && x < 1);

export const checkCount = (field: string, value: unknown): void =>
  check(field, value, "a positive integer", (x) => Number.isInteger(x) && x > 0);

/** Refuses options that do not exist: a misspelt one would silently leave the default. */
export function checkKnown(optimizer: string, unknown: object, allowed: readonly string[]): void {
  const [key] = Object.keys(unknown);
  if (key !== undefined) {
    throw new UserError(`${optimizer} has no option "${key}"; allowed are ${allowed.join(", ")}`, key);
  }
}
