/** Where this package's own files are, also where a bundler has moved the code away from them. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** Undefined in a bundle of CommonJS. It has a name because bundlers take in whatever file `new URL(..., import.meta.url)` names. */
const here: string | undefined = import.meta.url;

/**
 * The path of a file of this package; undefined if there is none. A bundle's code lies elsewhere: it takes the
 * file that lies beside it or beside the program's first script, or else that of the installed package, which
 * the bundle or the working directory finds as `fewbit`.
 *
 * @param path in the package, such as "wasm/fewbit.wasm".
 * @param own the file beside this code, as an expression that bundlers recognise. Default: one that they leave alone.
 */
export function ownFile(path: string, own = () => new URL(`../../${path}`, here)): string | undefined {
  const places = [
    () => fileURLToPath(own()),
    () => join(dirname(fileURLToPath(here!)), basename(path)),
    () => join(dirname(resolve(process.argv[1])), basename(path)),
    () => installed(here!, path),
    () => installed(join(process.cwd(), "_"), path),
  ];
  return places.map(found).find((place) => place !== undefined);
}

function installed(from: string, path: string): string {
  return join(dirname(createRequire(from).resolve("fewbit/package.json")), path);
}

/** A place, if it can be determined and holds the file. */
function found(place: () => string): string | undefined {
  try {
    const path = place();
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}
