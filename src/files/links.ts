/** Links in folders that may be a stranger's. */
import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import { isAbsolute, join, relative, sep } from "node:path";
import { UserError } from "../errors.js";

/**
 * @param names files of the folder, which need not be there.
 * @throws UserError if one is a symbolic link that leads out of the folder: what is read through it may be anybody's.
 */
export function refuseLinksOut(folder: string, names: readonly string[]): void {
  for (const name of names) {
    const path = join(folder, name);
    if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() !== true) continue;
    if (!leadsOut(path, folder)) continue;
    throw new UserError(
      `${path} is a symbolic link that leads out of the run's folder, to ${readlinkSync(path)}; put the file itself in its place`,
      "directory",
    );
  }
}

/** Whether what a link leads to lies outside of a folder; not where it leads nowhere, or in a circle. */
export function leadsOut(link: string, folder: string): boolean {
  let target;
  try {
    target = realpathSync(link);
  } catch {
    return false;
  }
  const way = relative(realpathSync(folder), target);
  return way === ".." || way.startsWith(`..${sep}`) || isAbsolute(way);
}
