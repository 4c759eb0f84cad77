/** Names of layers and norms that patterns mean. */
import { UserError } from "../errors.js";

/**
 * Whether an array of a layer or norm is meant, by its name such as "conv1.weight" or "bn1.mean": a pattern is the name of
 * a layer, norm or array, in which * stands for any characters.
 */
export function fits(name: string, pattern: string): boolean {
  const text = pattern.replace(/[\\^$.|?+()[\]{}]/g, "\\$&").replace(/\*+/g, ".*");
  return new RegExp(`^${text}(\\..*)?$`, "s").test(name);
}

/**
 * @param key the setting that has the patterns.
 * @param of what has the names, in words.
 * @throws UserError for a pattern that means none of the names.
 */
export function checkPatterns(
  key: string,
  patterns: readonly string[],
  names: readonly string[],
  of: string,
): void {
  const idle = patterns.find((pattern) => !names.some((name) => fits(name, pattern)));
  if (idle === undefined) return;
  const layers = [...new Set(names.map((name) => name.replace(/\..*$/s, "")))];
  throw new UserError(
    `${key} has "${idle}", which is no layer or norm of ${of}; they have ${inShort(layers, ", ")}`,
    key,
  );
}

/** A list, shortened: a deep network has too many names for one line. */
export function inShort(items: readonly string[], separator: string): string {
  const listed = 12;
  const rest = items.length > listed ? [`${items.length - listed} more`] : [];
  return [...items.slice(0, listed), ...rest].join(separator);
}

/** The arrays of those that patterns mean, as they were, in place of what became of them. */
export const kept = <T>(
  patterns: readonly string[] | undefined,
  before: Readonly<Record<string, T>>,
  after: Readonly<Record<string, T>>,
): Readonly<Record<string, T>> =>
  patterns === undefined
    ? after
    : Object.fromEntries(
        Object.entries(after).map(([name, value]) => [name, isMeant(name, patterns) ? before[name] : value]),
      );

/** Arrays without those that patterns mean. */
export const withoutMeant = <T>(
  patterns: readonly string[] | undefined,
  all: Readonly<Record<string, T>>,
): Readonly<Record<string, T>> =>
  patterns === undefined
    ? all
    : Object.fromEntries(Object.entries(all).filter(([name]) => !isMeant(name, patterns)));

/** Whether one of the patterns means an array. */
export const isMeant = (name: string, patterns: readonly string[]): boolean =>
  patterns.some((pattern) => fits(name, pattern));
