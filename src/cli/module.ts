/** Modules of the user's, in JavaScript or TypeScript. They are programs: see SECURITY.md for which are loaded. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { firstLineOf } from "../errors.js";
import { settled } from "../machine.js";

/** What a module exports. */
export async function importModule(path: string): Promise<object> {
  const { href } = pathToFileURL(resolve(path));
  if (/\.[cm]js$/.test(path)) return settled(import(href) as Promise<object>);
  const { createJiti } = await import("jiti");
  // Translated files would be kept in the system's folder for temporary files, where others could exchange them.
  const jiti = createJiti(import.meta.url, { fsCache: false });
  return settled(jiti.import<object>(href));
}

/** The package of this program, as Node and jiti name what a module imports and they do not find. */
const lacksFewbit = /^Cannot find (package|module) 'fewbit[/']/;

/** Why a module could not be loaded, with the line where it could not be parsed, which jiti says in its second line. */
export function reasonOf(error: unknown): string {
  if (lacksFewbit.test(firstLineOf(error))) {
    return "it imports fewbit, which is not installed there; in its folder, run npm install fewbit, or npm install PATH/TO/fewbit for a clone";
  }
  const line = /\n .*:(\d+):\d+$/.exec(error instanceof Error ? error.message : "")?.[1];
  return `${firstLineOf(error).trim()}${line === undefined ? "" : ` (line ${line})`}`;
}
