/** Finds the folders of runs below a folder. It is asynchronous, so that the dashboard's server does other things meanwhile. */
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { access, readdir } from "node:fs/promises";
import { join } from "node:path";
import { leadsOut } from "../files/links.js";
import { whyUnread } from "../files/reasons.js";
import { fileNames } from "../run-folder/index.js";

/** What lies below a folder. */
export interface FoundFolders {
  /** Folders with a `config.json`, in the order of their paths. Folders below one are not searched. */
  readonly runs: string[];
  /** Links to runs, or to folders of runs, outside the folder. They are not followed. */
  readonly links: string[];
  /** Why folders could not be looked into. */
  readonly unread: string[];
}

/** How deep runs may lie below a folder. */
const runDepth = 4;

/** Looks through a folder, and four levels of folders in it. */
export async function findRuns(folder: string): Promise<FoundFolders> {
  const found: FoundFolders = { runs: [], links: [], unread: [] };
  const look = async (directory: string, depth: number): Promise<void> => {
    if (await isThere(join(directory, fileNames.config))) return void found.runs.push(directory);
    if (depth === 0) return;
    const entries = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
      found.unread.push(`left out: cannot read ${directory}: ${whyUnread(error)}`);
      return [];
    });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) await look(path, depth - 1);
      else if (entry.isSymbolicLink() && leadsToRuns(path, folder)) found.links.push(path);
    }
  };
  await look(folder, runDepth);
  return found;
}

/** Whether something is at a path, asynchronously. */
export const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Whether a link leads to a run, or to a folder that holds one, outside of a folder. */
function leadsToRuns(link: string, outside: string): boolean {
  const isRun = (path: string): boolean => existsSync(join(path, fileNames.config));
  try {
    if (!leadsOut(link, outside)) return false;
    const target = realpathSync(link);
    return isRun(target) || readdirSync(target).some((name) => isRun(join(target, name)));
  } catch {
    return false; // to nowhere, to a file, or to what is not ours to read
  }
}

/** A warning if there are links to runs. */
export function linkWarnings(links: readonly string[]): string[] {
  if (links.length === 0) return [];
  const what =
    links.length === 1
      ? `${links[0]}, which is a link`
      : `${links.length} links to runs, such as ${links[0]}`;
  return [`left out: ${what}; links are not followed, so give the folder that it leads to`];
}
