/**
 * Checks of what users' code hands in: options by a table of rules, one for each key that there is.
 *
 * A misspelt key would leave the default in silence, and a wrong value end far from its cause; so both are
 * refused where they come in, in one line that names the key, the value and what is allowed.
 */
import { isPlainObject, shown, suggestion, UserError } from "../errors.js";

/** What a value must be. */
export interface Rule {
  /** Completes "KEY must be ...". */
  readonly allowed: string;
  readonly test: (value: unknown) => boolean;
  /** Which texts are allowed, of which a misspelt one may be meant. */
  readonly names?: readonly string[];
  /** Takes the place of the test: throws for a value that is wrong. */
  readonly check?: (value: unknown) => void;
  /** Whether the key may be left out. */
  readonly optional?: boolean;
}

/** A rule for every key of an interface of options. */
export type Rules<T> = { readonly [K in keyof Required<T>]: Rule };

/** The same rule for a key that may be left out. */
export const optional = (rule: Rule): Rule => ({ ...rule, optional: true });

const numeric = (allowed: string, test: (x: number) => boolean): Rule => ({
  allowed,
  test: (value) => typeof value === "number" && Number.isFinite(value) && test(value),
});

export const positive = numeric("a positive number", (x) => x > 0);
export const notNegative = numeric("a number that is not negative", (x) => x >= 0);
/** From 0, included, to 1, excluded. */
export const fraction = numeric("a number from 0 to below 1", (x) => x >= 0 && x < 1);
export const count = numeric("a positive integer", (x) => Number.isInteger(x) && x > 0);
export const whole = (low: number, high: number): Rule =>
  numeric(`an integer from ${low} to ${high}`, (x) => Number.isInteger(x) && x >= low && x <= high);
export const flag: Rule = { allowed: "true or false", test: (value) => typeof value === "boolean" };
export const text: Rule = {
  allowed: "a text that is not empty",
  test: (value) => typeof value === "string" && value !== "",
};
export const oneOf = (...names: readonly string[]): Rule => ({
  allowed: `one of ${names.join(", ")}`,
  test: (value) => names.includes(value as string),
  names,
});
export const callback: Rule = { allowed: "a function", test: (value) => typeof value === "function" };
/** A rule whose check says itself what is wrong. */
export const checkedBy = (check: (value: unknown) => void): Rule => ({
  allowed: "",
  test: () => true,
  check,
});
/** What stops something from outside. */
export const abortSignal: Rule = {
  allowed: "an AbortSignal",
  test: (value) => isObject(value) && typeof value.aborted === "boolean",
};
/** An object with what `members` says; `allowed` names it in words. */
export const objectOf = (allowed: string, members: Readonly<Record<string, string>> = {}): Rule => ({
  allowed,
  test: (value) =>
    isObject(value) && Object.entries(members).every(([key, type]) => typeof value[key] === type),
});

/** The most that an image's side, its channels or a network's classes may be: no network in use has as many, and products of three are exact. */
export const largestExtent = 65_536;
export const extent = whole(1, largestExtent);
/** Height, width and channels of an image. */
export const imageShape: Rule = {
  allowed: `[height, width, channels], each from 1 to ${largestExtent}`,
  test: (value) => Array.isArray(value) && value.length === 3 && value.every(extent.test),
};

/** What JSON keeps as it is, apart from keys without a value: what config.json can tell. */
export const plain: Rule = {
  allowed:
    "an object of plain data: texts, finite numbers, true, false, null, and arrays and objects of these",
  test: (value) => isObject(value) && isPlain(value, 0),
};

const deepest = 100;

function isPlain(value: unknown, depth: number): boolean {
  if (value === undefined || value === null || typeof value === "boolean" || typeof value === "string")
    return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || depth > deepest) return false;
  const parts =
    Array.isArray(value) || isPlainObject(value) ? (Object.values(value) as unknown[]) : [Symbol()];
  return parts.every((part) => isPlain(part, depth + 1));
}

/** Whether a value is an object with keys: no array, and no promise of one. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  !ArrayBuffer.isView(value) &&
  typeof (value as { then?: unknown }).then !== "function";

/**
 * Checks an object of options. A key whose value is undefined counts as left out.
 *
 * @param of whose options they are, which begins the message about an unknown key.
 * @param prefix what begins the message about a value.
 * @throws UserError, whose `field` is the key, for the first key that is unknown, missing or has a wrong value.
 */
export function checkOptions<T extends object>(
  of: string,
  options: unknown,
  rules: Rules<T>,
  prefix = "",
): asserts options is T {
  const keys = Object.keys(rules) as (keyof T & string)[];
  if (!isObject(options)) {
    const [needed, free] = [false, true].map((left) => keys.filter((key) => isFree(rules[key]) === left));
    const all = needed.length === 0 || free.length === 0;
    const list = all ? keys.join(", ") : `${needed.join(", ")} (and optionally ${free.join(", ")})`;
    const what = keys.length === 0 ? "left out" : `an object with ${list}`;
    throw new UserError(`the options of ${of} must be ${what}, got ${shown(options)}`);
  }
  const given = Object.keys(options).filter((key) => options[key] !== undefined);
  checkKnown(of, given, keys);
  for (const key of keys) {
    if (options[key] !== undefined || !isFree(rules[key])) checkValue(key, options[key], rules[key], prefix);
  }
}

const isFree = (rule: Rule): boolean => rule.optional === true;

/** Refuses an unknown key. @throws UserError with the nearest known one. */
export function checkKnown(of: string, given: readonly string[], allowed: readonly string[]): void {
  const unknown = given.find((key) => !allowed.includes(key));
  if (unknown === undefined) return;
  const has = allowed.length === 0 ? "it has none" : `allowed are ${allowed.join(", ")}`;
  throw new UserError(`${of} has no option "${unknown}"; ${has}${suggestion(unknown, allowed)}`, unknown);
}

/** Checks one value. @throws UserError */
export function checkValue(key: string, value: unknown, rule: Rule, prefix = ""): void {
  const { allowed, test, names = [], check } = rule;
  check?.(value);
  if (test(value)) return;
  throw new UserError(
    `${prefix}${key} must be ${allowed}, got ${shown(value)}${suggestion(value, names)}`,
    key,
  );
}
