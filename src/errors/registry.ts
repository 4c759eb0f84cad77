/** Registries: what there is of a kind by name, such as the networks, and what a user's file adds to it. */
import { firstLineOf, UserError } from "../errors.js";

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
 * @param entryOf makes an entry of what a file exports. @throws UserError for what is none
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

/**
 * What a user's file made, with functions whose failures are told as the file's.
 *
 * @param field the setting that names the file.
 */
export function guarded<T extends object>(path: string, field: string, made: T): T {
  const entries = Object.entries(made).map(([name, value]: [string, unknown]) => {
    if (typeof value !== "function") return [name, value];
    const own = value as (...given: unknown[]) => unknown;
    return [
      name,
      (...given: unknown[]) => resultOf(`${name}() of ${path}`, field, () => own.apply(made, given)),
    ];
  });
  return Object.fromEntries(entries) as T;
}

/**
 * What a function of a user's file gives.
 *
 * @param what the function, such as "create() of ./pact.mjs".
 * @param field the setting that names the file.
 * @throws UserError for whatever it throws: it is the file that has to be mended.
 */
export function resultOf<T>(what: string, field: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw error instanceof UserError ? error : new UserError(`${what} fails: ${firstLineOf(error)}`, field);
  }
}
