/**
 * Files of the user's code that settings name: `--method ./pact.mjs`. Whoever loads one registers it here. A run
 * identifies a file by its checksum, wherever it lies.
 */
import type { RunConfig } from "../run-folder/index.js";
import { isCodeFile } from "./setting.js";
import type { Setting } from "./setting.js";
import type { SettingKey } from "./settings.js";
import { keysWhere, settings } from "./settings.js";

/** The settings that may name a file of code. */
export const codeSettings = keysWhere(({ registry }) => registry !== undefined);

const registryOf = (key: SettingKey) => {
  const { registry }: Setting = settings[key];
  if (registry === undefined) throw new Error(`${key} names no file of code`);
  return registry;
};

/** What a setting's file of code holds: "method". */
export const titleOf = (key: SettingKey): string => registryOf(key).title;

/** Whether a setting may have this value: the name of what ships, or a file that is loaded. */
export const isKnown = (key: SettingKey, value: unknown): boolean =>
  registryOf(key).find(value) !== undefined;

/** The key of a file that a setting names. */
export const placeOf = (key: string, path: string): string => `${key} ${path}`;
/** The checksums of the files that are loaded, by `placeOf`. */
const checksums = new Map<string, string>();

/** Registers the export of a file under the file's path. @throws UserError for anything but an entry */
export function registerCode(key: SettingKey, path: string, exported: unknown, checksum: string): void {
  registryOf(key).register(path, exported, checksum);
  checksums.set(placeOf(key, path), checksum);
}

type Values = Readonly<Record<string, unknown>>;

/** The files of code that a configuration names, by setting. */
export const codeFilesOf = (values: Values): (readonly [key: SettingKey, file: string])[] =>
  codeSettings.flatMap((key) => {
    const value = values[key];
    return isCodeFile(value) ? [[key, value] as const] : [];
  });

/** A configuration without the settings that name files of code, except for those in use. */
export const withoutIdleCode = (values: Values, uses: readonly SettingKey[]): Values => {
  const idle = codeFilesOf(values).flatMap(([key]) => (uses.includes(key) ? [] : [key as string]));
  return Object.fromEntries(Object.entries(values).filter(([key]) => !idle.includes(key)));
};

/** The checksums of the files of code that a configuration names, by setting; only of those that are loaded. */
export const checksumsOf = (values: Values): Readonly<Record<string, string>> =>
  Object.fromEntries(
    codeFilesOf(values).flatMap(([key, file]) => {
      const checksum = checksums.get(placeOf(key, file));
      return checksum === undefined ? [] : [[key, checksum]];
    }),
  );

/** The checksums as a run records them; undefined for none. A method keeps its own, as `file` of its options. */
export function recordedCode(values: Values): Readonly<Record<string, string>> | undefined {
  const { method: _, ...code } = checksumsOf(values);
  return Object.keys(code).length === 0 ? undefined : code;
}

/** The checksum of the file that a run was trained with, as its folder tells it. */
export const recordedChecksum = ({ method, code }: RunConfig, key: SettingKey): unknown =>
  key === "method" ? method.options.file : code?.[key];

/** A configuration with the paths of its files of code replaced; a setting of a grid may be a list. */
export function placedCode<T extends Values>(values: T, place: (file: string, key: SettingKey) => string): T {
  const placed = codeSettings.flatMap((key) => {
    const value = values[key];
    if (value === undefined) return [];
    const one = (item: unknown): unknown => (isCodeFile(item) ? place(item, key) : item);
    return [[key, Array.isArray(value) ? value.map(one) : one(value)] as const];
  });
  return { ...values, ...Object.fromEntries(placed) };
}
