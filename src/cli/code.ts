/**
 * The user's code. It is loaded only where this command names its file: by a flag, an argument, a configuration or a
 * study. A run's folder may come from a stranger, so the files that it names are shown and never loaded.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { listed, quoted, shown, UserError } from "../errors.js";
import { largest, readBytes } from "../files/read.js";
import { codeSettings, isKnown, recordedChecksum, registerCode, titleOf } from "../training/code.js";
import type { RunConfig } from "../training/index.js";
import { codeEndings, isCodeFile } from "../training/setting.js";
import type { SettingKey } from "../training/settings.js";
import type { Given, RunCode } from "./given.js";
import { importModule, reasonOf } from "./module.js";
import { warn } from "./text.js";

/**
 * Loads the file of code that a setting names, if it does: that file, or for a stored run the one that the command
 * names.
 *
 * @throws UserError for a file without the export that the setting needs, for a file other than the run's, and for a
 * file's name without its extension.
 */
export async function loadCode(key: SettingKey, value: unknown, stored?: RunCode): Promise<void> {
  if (isKnown(key, value)) return;
  if (!isCodeFile(value)) return refuseNameOfFile(key, value);
  const path = stored?.path ?? value;
  const what = `cannot load the ${titleOf(key)}`;
  if (!existsSync(path)) {
    throw new UserError(`${what} ${path}: there is no such file`, key);
  }
  const checksum = stored === undefined ? checksumOfCode(path) : checkedCode(key, stored);
  let module: { default?: unknown };
  try {
    module = await importModule(path);
  } catch (error) {
    throw new UserError(`${what} ${value}: ${reasonOf(error, path)}`, key);
  }
  registerCode(key, value, module.default, checksum);
}

/**
 * Refuses an unknown name that is a file's name without its extension. Only plain names are looked for: a path may lead
 * to another machine.
 *
 * @throws UserError that names the file.
 */
function refuseNameOfFile(key: SettingKey, value: unknown): void {
  if (typeof value !== "string" || !/^[\w-]+$/.test(value)) return;
  const file = codeEndings.map((ending) => `./${value}.${ending}`).find((path) => existsSync(path));
  if (file === undefined) return;
  throw new UserError(`there is no ${titleOf(key)} "${value}"; did you mean the file ${file}?`, key);
}

/** The checksum by which a run recognises its code: the first 16 digits of the SHA-256 of the file, without what it imports. */
const checksumOfCode = (path: string): string =>
  createHash("sha256").update(readBytes(path, largest.json)).digest("hex").slice(0, 16);

/**
 * The files of code that a command names for a stored run, by setting.
 *
 * @param uses the settings that the command makes use of.
 * @throws UserError if the command does not name one that the run has, or names another thing than the run's.
 */
export function codeFor(
  folder: string,
  config: RunConfig,
  flags: Given,
  uses: readonly SettingKey[],
): ReadonlyMap<string, RunCode> {
  const { options = {} } = config;
  const allowChanged = flags.allowChangedCode ?? false;
  const files = new Map<string, RunCode>();
  const unnamed: (readonly [key: SettingKey, file: string])[] = [];
  for (const key of uses) {
    const [stored, typed] = [options[key], flags.values[key]];
    if (isCodeFile(stored) && isCodeFile(typed)) {
      files.set(key, { path: typed, folder, recorded: recordedChecksum(config, key), allowChanged });
    } else if (stored !== undefined && typed !== undefined && !isDeepStrictEqual(typed, stored)) {
      throw new UserError(
        `${key} is ${shown(typed)}, but ${folder} was trained with ${shown(stored)} (from ${flags.sourceOf(key)})`,
      );
    } else if (isCodeFile(stored)) unnamed.push([key, stored]);
  }
  if (unnamed.length > 0) throw unnamedCode(folder, unnamed, flags);
  if (allowChanged && files.size === 0) {
    throw new UserError(
      `--allow-changed-code has no effect: nothing of ${folder} that this command uses is code`,
    );
  }
  return files;
}

/** How a command names a part: a network by the argument, where the command has one for it. */
function unnamedCode(
  folder: string,
  files: readonly (readonly [key: SettingKey, file: string])[],
  { hasModelArgument = false }: Given,
): UserError {
  const [be, it] = files.length === 1 ? ["is", "it"] : ["are", "them"];
  const loaded = files.length === 1 ? "which is" : "which are";
  const parts = listed(files.map(([key]) => `the ${titleOf(key)}`));
  const paths = listed(files.map(([, file]) => file));
  const words = files.map(([key, file]) =>
    key === "model" && hasModelArgument ? quoted(file) : `--${key} ${quoted(file)}`,
  );
  return new UserError(
    `${parts} of ${folder} ${be} code, in ${paths}, ${loaded} loaded only if you name ${it}: add ${words.join(" ")}`,
  );
}

/**
 * The checksum under which a part of a run goes on.
 *
 * @throws UserError if the file is not the one that the run was trained with, unless that is allowed.
 */
function checkedCode(key: SettingKey, { path, folder, recorded, allowChanged }: RunCode): string {
  const checksum = checksumOfCode(path);
  if (checksum === recorded) return checksum;
  const difference = `${path} is not the file that ${folder} was trained with: its checksum is ${checksum}, the run's ${shown(recorded)}`;
  if (!allowChanged) throw new UserError(`${difference}; name that file, or add --allow-changed-code`, key);
  warn(difference);
  // Stored weights belong to the part under the checksum that they were trained with.
  return typeof recorded === "string" ? recorded : checksum;
}

/** Loads the files of code that a configuration names. @throws UserError as `loadCode` does */
export async function loadCodeOf(
  values: Readonly<Record<string, unknown>>,
  stored?: ReadonlyMap<string, RunCode>,
): Promise<void> {
  for (const key of codeSettings) await loadCode(key, values[key], stored?.get(key));
}
