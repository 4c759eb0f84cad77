/** Reads a study's file, with the code that it names. */
import { dirname, isAbsolute, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { firstLineOf, UserError } from "../errors.js";
import type { PlannedRun } from "../experiments/index.js";
import { methodFilesOf, placedMethods } from "../experiments/index.js";
import { largest, readBytes } from "../files/read.js";
import { isMethodFile } from "../quantization/index.js";
import { settled } from "./code.js";
import { readJson } from "./json-file.js";
import { loadMethod } from "./method-file.js";

/**
 * A study from JSON, or what a module exports as its default, with its methods in files loaded and their paths those of
 * the current folder. What it holds is not checked.
 */
export async function readStudy(file: string): Promise<unknown> {
  const study = placedMethods(await contentOf(file), (method) => belowFolder(dirname(file), method));
  for (const method of methodFilesOf(study)) {
    await loadMethod(method).catch((error: Error) => {
      throw new UserError(`${error.message} (from ${file})`);
    });
  }
  return study;
}

/** The files of code that a study is made of: itself, if it is a module, and those that its runs name. */
export function codeOf(file: string, runs: readonly PlannedRun[]): string[] {
  const named = runs.map(({ options }) => options.method).filter(isMethodFile);
  return [...new Set([...(isModule(file) ? [file] : []), ...named])];
}

/** A path that begins in a folder, as one that begins in the current folder. With ./ it stays a path, whatever it is called. */
function belowFolder(folder: string, path: string): string {
  const place = isAbsolute(path) ? path : join(folder, path);
  return isAbsolute(place) ? place : `./${place}`;
}

const isModule = (path: string): boolean => /\.[cm]?[jt]s$/.test(path);

async function contentOf(path: string): Promise<unknown> {
  if (!isModule(path)) {
    return readJson(path, {
      remedy: "; give a study as JSON, or as a module (.ts, .mjs) that exports one as its default",
    });
  }
  // Refuses what is no file: of a pipe the loader waits for the writer, and a device such as /dev/zero has no end.
  readBytes(path, largest.json);
  const { createJiti } = await import("jiti");
  // Translated files would be kept in the system's folder for temporary files, where others could exchange them.
  const jiti = createJiti(import.meta.url, { fsCache: false });
  let module: object;
  try {
    module = await settled(jiti.import<object>(pathToFileURL(resolve(path)).href));
  } catch (error) {
    throw new UserError(`cannot load ${path}: ${firstLineOf(error).trim()}${lineOf(error)}`);
  }
  if (!("default" in module)) throw new UserError(`${path} must export a study as its default`);
  return settled(Promise.resolve(module.default)).catch((error: unknown) => {
    throw new UserError(`cannot load ${path}: ${firstLineOf(error)}`);
  });
}

/** Where a module could not be parsed: jiti says it in the second line of its message. */
function lineOf(error: unknown): string {
  const line = /\n .*:(\d+):\d+$/.exec(error instanceof Error ? error.message : "")?.[1];
  return line === undefined ? "" : ` (line ${line})`;
}
