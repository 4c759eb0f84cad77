/** Modules of the user's, in JavaScript or TypeScript. They are programs: see SECURITY.md for which are loaded. */
import { spawnSync } from "node:child_process";
import { isAbsolute, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
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

/** How Node and jiti say that a module imports this package, and that they do not find it. */
const lacksFewbit = /^Cannot find (package|module) 'fewbit[/']/;

/** Why the module at a path could not be loaded, with the file and line that could not be parsed, if it is that. */
export function reasonOf(error: unknown, path: string): string {
  if (lacksFewbit.test(firstLineOf(error))) {
    return "it imports fewbit, which is not installed there; in its folder, run npm install fewbit, or npm install PATH/TO/fewbit for a clone";
  }
  const place = error instanceof Error ? placeOf(error, path) : undefined;
  return `${firstLineOf(error).trim()}${place === undefined ? "" : ` (${place})`}`;
}

/** The file and line that could not be parsed: the module's, or that of one which it imports. */
function placeOf({ name, message, stack = "" }: Error, path: string): string | undefined {
  const translated = /\n (.*):(\d+):\d+$/.exec(message); // by jiti
  if (translated !== null) return placeText(translated);
  if (name !== "SyntaxError") return undefined;
  const beforeStack = lineOf.exec(stack);
  if (beforeStack !== null) return placeText(beforeStack);
  const ran = [...stack.matchAll(/file:[^\n]*/g)].some(([frame]) => !frame.startsWith(own));
  if (ran) return undefined; // what could be parsed threw it
  // Node tells where only of an error that ends its process. No code of modules that cannot be parsed runs there.
  const script = `import ${JSON.stringify(pathToFileURL(resolve(path)).href)}`;
  const { stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
    timeout: 10_000,
  });
  const ended = lineOf.exec(stderr);
  return ended === null ? undefined : placeText(ended);
}

/** A line of Node's that names the place of an error before the error itself. */
const lineOf = /^(\S.*\.[cm]?js):(\d+)$/m;

/** What the frames of fewbit's own files in a stack begin with. */
const own = new URL("..", import.meta.url).href;

function placeText([, file, line]: readonly string[]): string {
  const path = file.startsWith("file:") ? fileURLToPath(file) : file;
  const below = relative("", path);
  return `${below.startsWith("..") || isAbsolute(below) ? path : below}:${line}`;
}
