/**
 * Code of the user's. It is loaded only where this command names its file: by a flag, or in a configuration or a study
 * that was typed. A run's folder may be a stranger's, so what it names is shown and never loaded.
 */
import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { quoted, shown, UserError } from "../errors.js";
import { largest, readBytes } from "../files/read.js";
import { isMethodFile } from "../quantization/index.js";
import type { RunConfig } from "../training/index.js";
import type { Given } from "./flags.js";
import { warn } from "./text.js";

/** A file of code that a command names for a stored run. */
export interface RunCode {
  /** As it was typed. */
  readonly path: string;
  readonly folder: string;
  /** The checksum of the file that the run was trained with, as the run tells it. */
  readonly recorded: unknown;
  readonly allowChanged: boolean;
}

/** By which a run knows its code again: the first 16 digits of the SHA-256 of the file, without what it imports. */
export const checksumOfCode = (path: string): string =>
  createHash("sha256").update(readBytes(path, largest.json)).digest("hex").slice(0, 16);

/**
 * The method's file that a command names for a stored run, if the run has one.
 *
 * @throws UserError if the command names none, or another method than the run's.
 */
export function codeFor(
  folder: string,
  { method, options = {} }: RunConfig,
  flags: Given,
): RunCode | undefined {
  const stored = options.method;
  const typed = flags.values.method;
  const allowChanged = flags.allowChangedCode ?? false;
  if (isMethodFile(stored) && isMethodFile(typed)) {
    return { path: typed, folder, recorded: method.options.file, allowChanged };
  }
  if (typed !== undefined && !isDeepStrictEqual(typed, stored)) {
    throw new UserError(
      `method is ${shown(typed)}, but ${folder} was trained with ${shown(stored)} (from ${flags.sourceOf("method")})`,
    );
  }
  if (isMethodFile(stored)) {
    throw new UserError(
      `the method of ${folder} is code, in ${stored}, which is loaded only if you name it: add --method ${quoted(stored)}`,
    );
  }
  if (allowChanged) {
    throw new UserError(
      `--allow-changed-code has no effect: the method of ${folder} is ${shown(stored)}, which ships with fewbit`,
    );
  }
  return undefined;
}

/**
 * The checksum that a run's method goes on under.
 *
 * @throws UserError if the file is not the one that the run was trained with, unless that is allowed.
 */
export function checkedCode({ path, folder, recorded, allowChanged }: RunCode): string {
  const checksum = checksumOfCode(path);
  if (checksum === recorded) return checksum;
  const difference = `${path} is not the file that ${folder} was trained with: its checksum is ${checksum}, the run's ${shown(recorded)}`;
  if (!allowChanged) {
    throw new UserError(`${difference}; name that file, or add --allow-changed-code (from --method)`);
  }
  warn(difference);
  // Stored weights belong to the method under the checksum that they were trained with.
  return typeof recorded === "string" ? recorded : checksum;
}

/** What the loading of code gives. @throws Error if it waits for what never comes, which would end the process without a word. */
export function settled<T>(loading: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const refuse = (): void => reject(new Error("it waits for something that never happens"));
    process.once("beforeExit", refuse);
    loading.then(resolve, reject).finally(() => process.off("beforeExit", refuse));
  });
}
