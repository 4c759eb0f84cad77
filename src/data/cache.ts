/** Where downloaded data is kept, and how a file gets there whole or not at all. */
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { UserError } from "../errors.js";
import { whyUnwritten } from "../files/reasons.js";
import { makeDirectories, replaceFile } from "../files/write.js";

/**
 * FEWBIT_CACHE, else the folder `fewbit` in the system's for caches: XDG_CACHE_HOME or ~/.cache, on
 * Windows LOCALAPPDATA. A relative XDG_CACHE_HOME does not count, as its specification says.
 *
 * @throws UserError if the user has no home folder where one is needed.
 */
export function cacheDirectory(
  environment: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  const { FEWBIT_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = environment;
  if (FEWBIT_CACHE) return resolve(FEWBIT_CACHE);
  if (platform === "win32") return join(LOCALAPPDATA || join(home(), "AppData", "Local"), "fewbit");
  return join(
    XDG_CACHE_HOME && isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : join(home(), ".cache"),
    "fewbit",
  );
}

function home(): string {
  try {
    return homedir();
  } catch {
    // Neither HOME is set nor has the user a folder, as in a container that runs as any user.
    throw new UserError(
      "there is no home folder to keep downloads in; set FEWBIT_CACHE to a folder",
      "cache",
    );
  }
}

/** Refuses a directory that cannot be written or made, without making it. */
export function checkWritable(directory: string): void {
  let there = directory;
  while (!existsSync(there) && there !== dirname(there)) there = dirname(there);
  if (!statSync(there, { throwIfNoEntry: false })?.isDirectory())
    throw unwritable(directory, { reason: `${there} is not a directory` });
  try {
    accessSync(there, constants.W_OK);
  } catch (error) {
    throw unwritable(directory, whyUnwritten(error));
  }
}

/** Writes a file whole or not at all, in a folder that is made if it is not there. @throws UserError if it cannot. */
export function writeWhole(path: string, bytes: Uint8Array): void {
  try {
    makeDirectories(dirname(path));
    replaceFile(path, bytes);
  } catch (error) {
    throw unwritable(path, whyUnwritten(error));
  }
}

function unwritable(path: string, { reason, remedy }: ReturnType<typeof whyUnwritten>): UserError {
  const choose =
    remedy === undefined ? "choose a folder that you may write to" : `${remedy}, or choose another folder`;
  return new UserError(`cannot write ${path}: ${reason}; ${choose}, with --cache or FEWBIT_CACHE`);
}
