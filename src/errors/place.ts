/**
 * Mistakes in users' code, reported with the place where they were made: a function of a file, a hook of a method, a network.
 *
 * Functions on tensors know no more than their own names; so whoever calls a user's code says here what it calls.
 */
import { firstLineOf, UserError } from "../errors.js";

/** Code of a user's that is called. */
export interface Place {
  /** What is called: "weights() of ./pact.mjs". */
  readonly what: string;
  /** The layer that it is called for. Default: that of the call around it. */
  readonly layer?: string;
  /** The setting that names its file. Default: it is in no file, and only what functions on tensors throw gets a place. */
  readonly field?: string;
}

let current: Place | undefined;
const placed = new WeakSet<UserError>();

/** Whether an error is a mistake that does not yet say where it was made. */
export const lacksPlace = (error: unknown): error is UserError =>
  error instanceof UserError && !placed.has(error);

/** A mistake that says where it was made, and gets no other place from the calls around it. */
export function withPlace(error: UserError): UserError {
  placed.add(error);
  return error;
}

/** A mistake in other words, with the place where it was made. The cause has the line of the user's code in its stack. */
export function reworded(error: Error, message: string, field?: string): UserError {
  return withPlace(Object.defineProperty(new UserError(message, field), "cause", { value: error }));
}

/**
 * What a function of a user's gives.
 *
 * @throws UserError for what it throws, with the innermost place: it is the user's code that has to be mended.
 */
export function callAt<T>(place: Place, call: () => T): T {
  const around = current;
  const here = { layer: around?.layer, ...place };
  current = here;
  try {
    return call();
  } catch (error) {
    throw placedAt(error, here);
  } finally {
    current = around;
  }
}

/** A function that is called later, such as the rule of a gradient, as a part of the place where it is made. */
export function keptAt<A extends readonly unknown[], R>(later: (...given: A) => R): (...given: A) => R {
  const place = current;
  return place === undefined ? later : (...given) => callAt(place, () => later(...given));
}

function placedAt(error: unknown, { what, layer, field }: Place): unknown {
  if (error instanceof UserError ? placed.has(error) : field === undefined) return error;
  // It is about a setting, such as bits that a method does not allow.
  if (field === undefined && (error as UserError).field !== undefined) return withPlace(error as UserError);
  const of = layer === undefined ? "" : ` for layer ${layer}`;
  return reworded(error as Error, `${what} fails${of}: ${firstLineOf(error)}`, field);
}
