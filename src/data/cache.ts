/** Where downloaded data is kept, and how a file gets there whole or not at all. */
import { randomBytes } from "node:crypto";
import { accessSync, constants, existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { UserError, whyUnwritten } from "../errors.js";

/**
 * FEWBIT_CACHE, else the folder `fewbit` in the system's for caches: XDG_CACHE_HOME or ~/.cache, on
 * Windows LOCALAPPDATA. A relative XDG_CACHE_HOME does not count, as its specification says.
 */
export function cacheDirectory(
  environment: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  const { FEWBIT_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = environment;
  if (FEWBIT_CACHE) return resolve(FEWBIT_CACHE);
  if (platform === "win32") return join(LOCALAPPDATA || join(homedir(), "AppData", "Local"), "fewbit");
  return join(
    XDG_CACHE_HOME && isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : join(homedir(), ".cache"),
    "fewbit",
  );
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

/**
 * Writes a file so that its name never stands for half of it: under a name of this process's own,
 * flushed, then renamed. Of two processes that write it, the later one's stays.
 */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString("hex")}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, "wx");
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw unwritable(path, whyUnwritten(error));
  }
}

/** Files that processes of long ago left half-written: a file takes minutes at most. */
const staleMilliseconds = 3_600_000;

/** Removes what killed processes left of `writeWhole` in a directory, where that may be done. */
export function removeStale(directory: string): void {
  try {
    for (const name of readdirSync(directory)) {
      const path = join(directory, name);
      if (!/\.\d+-[0-9a-f]{8}\.tmp$/.test(name)) continue;
      if (Date.now() - statSync(path).mtimeMs > staleMilliseconds) rmSync(path);
    }
  } catch {
    // No such directory yet, one that is read alone, or another process was faster.
  }
}

function unwritable(path: string, { reason, remedy }: ReturnType<typeof whyUnwritten>): UserError {
  const choose =
    remedy === undefined ? "choose a folder that you may write to" : `${remedy}, or choose another folder`;
  return new UserError(`cannot write ${path}: ${reason}; ${choose}, with --cache or FEWBIT_CACHE`);
}
