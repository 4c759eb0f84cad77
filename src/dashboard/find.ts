/** Finds run folders as `collectRuns` does, without holding up what the server does meanwhile. */
import { access, readdir } from "node:fs/promises";
import { join } from "node:path";
import { runDepth } from "../experiments/index.js";
import { fileNames } from "../training/run.js";

/** Folders with a `config.json`, in the order of their paths; what lies below one is its own. */
export async function findRuns(folder: string, levels = runDepth): Promise<string[]> {
  if (await isThere(join(folder, fileNames.config))) return [folder];
  if (levels === 0) return [];
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []); // not ours to read
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const found: string[] = [];
  for (const name of names.sort()) found.push(...(await findRuns(join(folder, name), levels - 1)));
  return found;
}

export const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
