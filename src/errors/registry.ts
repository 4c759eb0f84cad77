/** Registries: what there is of a kind by name, such as the networks, and what a user's file adds to it. */
import { firstLineOf, UserError } from "../errors.js";
import type { Rules } from "./options.js";
import { checkOptions, isObject } from "./options.js";
import { callAt } from "./place.js";

/** What there is of a kind. */
export interface Registry<Entry = unknown> {
  /** What one is called in a sentence: "data set". */
  readonly title: string;
  /** The names of those that ship with fewbit. */
  readonly names: readonly string[];
  /** The entry of a name; undefined for what is no name, and for a file that is not loaded. */
  find(name: unknown): Entry | undefined;
  /**
   * Adds the default export of a user's file under the path of the file.
   *
   * @param checksum the file's, by which a run knows its code again.
   * @throws UserError for what is no entry.
   */
  register(path: string, exported: unknown, checksum: string): void;
}

/**
 * A registry of entries that ship, to which files add.
 *
 * @param entryOf makes an entry of what a file exports. @throws UserError for anything else
 */
export function registryOf<Entry>(
  title: string,
  shipped: Readonly<Record<string, Entry>>,
  entryOf: (path: string, exported: unknown) => Entry,
): Registry<Entry> {
  const added = new Map<unknown, Entry>();
  const find = (name: unknown): Entry | undefined =>
    typeof name === "string" && Object.hasOwn(shipped, name) ? shipped[name] : added.get(name);
  return {
    title,
    names: Object.keys(shipped),
    find,
    register: (path, exported) => void added.set(path, entryOf(path, exported)),
  };
}

/** What the default export of a user's file must be. */
export interface ExportRules<New extends object> {
  /** The setting that names the file. */
  readonly field: string;
  /** What a message says that it has; the last is the function that makes what the file is for. */
  readonly members: readonly string[];
  /** Rules of all that it may have, unless the registry checks that itself. */
  readonly rules?: Rules<New>;
}

/** The default export of a user's file. @throws UserError for what is no entry. */
export function exportedEntry<New extends object>(
  path: string,
  exported: unknown,
  { field, members, rules }: ExportRules<New>,
): New {
  if (!isObject(exported) || typeof exported[members[members.length - 1]] !== "function") {
    throw new UserError(`${path} must have a default export { ${members.join(", ")} }`, field);
  }
  try {
    if (rules !== undefined) checkOptions<New>(path, exported, rules, `${path}: `);
  } catch (error) {
    throw new UserError((error as Error).message, field);
  }
  return exported as New;
}

/** Refuses what a user's file made under the name of one that ships, for which its runs would be taken. @throws UserError */
export function refuseShippedName(
  path: string,
  name: string,
  { title, names }: Pick<Registry, "title" | "names">,
  field: string,
): void {
  if (!names.includes(name)) return;
  throw new UserError(`the ${title} of ${path} must have a name of its own, got "${name}"`, field);
}

/**
 * What a user's file made, with functions whose failures are reported with the file's name.
 *
 * @param field the setting that names the file.
 */
export function guarded<T extends object>(path: string, field: string, made: T): T {
  const entries = Object.entries(made).map(([name, value]: [string, unknown]) => {
    if (typeof value !== "function") return [name, value];
    const own = value as (...given: unknown[]) => unknown;
    return [
      name,
      (...given: unknown[]) => callAt({ what: `${name}() of ${path}`, field }, () => own.apply(made, given)),
    ];
  });
  return Object.fromEntries(entries) as T;
}

/**
 * What a function of a user's file makes of settings.
 *
 * @param what the function, such as "create() of ./pact.mjs".
 * @param field the setting that names the file.
 * @throws UserError for whatever it throws. One that it throws itself stays: it is about the settings.
 */
export function resultOf<T>(what: string, field: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw error instanceof UserError ? error : new UserError(`${what} fails: ${firstLineOf(error)}`, field);
  }
}
