/** Reads a study's file, with the code that it names. */
import { dirname, isAbsolute, join } from "node:path";
import { firstLineOf, UserError } from "../errors.js";
import type { PlannedRun, UnloadedCode } from "../experiments/index.js";
import { placedStudy } from "../experiments/index.js";
import { largest, readBytes } from "../files/read.js";
import { settled } from "../machine.js";
import { codeFilesOf, placeOf } from "../training/code.js";
import { isCodeFile } from "../training/setting.js";
import type { SettingKey } from "../training/settings.js";
import { loadCode } from "./code.js";
import { readJson } from "./json-file.js";
import { importModule, reasonOf } from "./module.js";

/** The unchecked content of a study's file. */
export interface StudyFile {
  /** The study with the paths of its files of code relative to the current folder. */
  readonly study: unknown;
  readonly unloaded: UnloadedCode;
}

/** A study from JSON, or what a module exports as its default. The files of code that it names are loaded. */
export async function readStudy(file: string): Promise<StudyFile> {
  const named: (readonly [key: SettingKey, path: string])[] = [];
  const study = placedStudy(await contentOf(file), (path, key) => {
    const placed = belowFolder(dirname(file), path);
    named.push([key, placed]);
    return placed;
  });
  const unloaded = new Map<string, string>();
  for (const [key, path] of named) {
    await loadCode(key, path).catch((error: Error) => {
      unloaded.set(placeOf(key, path), `${error.message} (from ${file})`);
    });
  }
  return { study, unloaded };
}

/** The files of code in a study: the study itself, if it is a module, and those that its runs name. */
export function codeOf(file: string, runs: readonly PlannedRun[]): string[] {
  const named = runs.flatMap(({ options }) => codeFilesOf(options).map(([, path]) => path));
  return [...new Set([...(isCodeFile(file) ? [file] : []), ...named])];
}

/** A path relative to a folder, made relative to the current folder. With ./ it stays a path, whatever its name. */
function belowFolder(folder: string, path: string): string {
  const place = isAbsolute(path) ? path : join(folder, path);
  return isAbsolute(place) ? place : `./${place}`;
}

async function contentOf(path: string): Promise<unknown> {
  if (!isCodeFile(path)) {
    return readJson(path, {
      remedy: "; give a study as JSON, or as a module (.ts, .mjs) that exports one as its default",
    });
  }
  // Refuses anything but a regular file: the loader would wait for the writer of a pipe, and a device such as /dev/zero
  // has no end.
  readBytes(path, largest.json);
  let module: object;
  try {
    module = await importModule(path);
  } catch (error) {
    throw new UserError(`cannot load ${path}: ${reasonOf(error, path)}`);
  }
  if (!("default" in module)) throw new UserError(`${path} must export a study as its default`);
  return settled(Promise.resolve(module.default)).catch((error: unknown) => {
    throw new UserError(`cannot load ${path}: ${firstLineOf(error)}`);
  });
}
