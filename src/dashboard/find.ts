/** Finds run folders as `collectRuns` does, without holding up what the server does meanwhile. */
import { access, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { FoundFolders } from "../experiments/index.js";
import { byName, leadsToRuns, runDepth, unreadText } from "../experiments/index.js";
import { fileNames } from "../run-folder/index.js";

export async function findRuns(folder: string): Promise<FoundFolders> {
  const found: FoundFolders = { runs: [], links: [], unread: [] };
  const look = async (directory: string, depth: number): Promise<void> => {
    if (await isThere(join(directory, fileNames.config))) return void found.runs.push(directory);
    if (depth === 0) return;
    const entries = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
      found.unread.push(unreadText(directory, error));
      return [];
    });
    for (const entry of entries.sort(byName)) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) await look(path, depth - 1);
      else if (entry.isSymbolicLink() && leadsToRuns(path, folder)) found.links.push(path);
    }
  };
  await look(folder, runDepth);
  return found;
}

export const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
