/** Folders that commands write into. */
import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { UserError } from "../errors.js";
import { whyUnwritten } from "../files/reasons.js";
import { makeDirectories } from "../files/write.js";

/** @throws UserError for a folder that does not exist and cannot be made, since something else is in its place. */
export function checkFolder(folder: string): void {
  let above = folder;
  while (!existsSync(above) && dirname(above) !== above) above = dirname(above);
  if (statSync(above, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new UserError(`${above} is not a folder; choose another with --out`);
}

/** @throws UserError for a folder that cannot be made. */
export function makeFolder(folder: string): void {
  checkFolder(folder);
  try {
    makeDirectories(folder);
  } catch (error) {
    const { reason } = whyUnwritten(error);
    throw new UserError(`cannot make ${folder}: ${reason}; choose another folder with --out`);
  }
}
