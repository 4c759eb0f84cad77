/** Writing that survives being killed at any moment, and the lock of a run's directory. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { UserError } from "../errors.js";

/**
 * Replaces a file so that a reader, or a machine that lost power, finds the old bytes or the new ones
 * and never a mixture: written beside it, flushed, renamed, and the directory flushed.
 */
export function writeAtomically(path: string, content: string | Uint8Array): void {
  const temporary = `${path}.tmp`;
  orUserError(path, () => {
    writeFlushed(temporary, content, "w");
    renameSync(temporary, path);
    flushDirectory(dirname(path));
  });
}

/** Appends text to a file and flushes it. */
export function appendFlushed(path: string, text: string): void {
  orUserError(path, () => writeFlushed(path, text, "a"));
}

/** @throws UserError if the file cannot be read. */
export function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError(`cannot read ${path}: ${code}`);
  }
}

/** A full disk, or something in the way, is for the user to mend. */
function orUserError(path: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UserError(`cannot write ${path}: ${code ?? message}; mend that, then resume the run`);
  }
}

function writeFlushed(path: string, content: string | Uint8Array, flags: "w" | "a"): void {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  const file = openSync(path, flags);
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function flushDirectory(path: string): void {
  if (process.platform === "win32") return; // directories cannot be opened there
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

const lockName = "lock";

/** A file of this name in a run's directory asks the training there to save and to end. */
export const stopName = "stop";

/** Whether a living process of this machine trains in a directory. */
export function isInUse(directory: string): boolean {
  let owner: string | undefined;
  try {
    owner = readIfThere(join(directory, lockName));
  } catch {
    return false; // something that is no lock
  }
  return owner !== undefined && owner !== "" && owner === describeProcess(Number.parseInt(owner, 10));
}

/**
 * Takes a directory for this process until the returned function is called. The lock is a file with
 * the owner's process id and start time; one left behind by a process that is gone is taken over.
 * Throws `UserError` while its owner lives.
 */
export function lockDirectory(directory: string): () => void {
  const path = join(directory, lockName);
  const mine = describeProcess(process.pid);
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      const file = openSync(path, "wx");
      writeSync(file, mine);
      closeSync(file);
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const owner = readIfThere(path);
    if (owner === undefined) continue; // released this moment
    const id = Number.parseInt(owner, 10);
    if (owner !== "" && owner === describeProcess(id)) {
      throw new UserError(
        `${directory} is in use by process ${id}, which trains there; wait for it or choose another directory`,
        "directory",
        "inUse",
      );
    }
    removeStale(path, owner);
  }
  throw new UserError(`${path} cannot be taken; remove it if no training is at work there`, "directory");
}

/** Removes a lock unless another process has replaced it meanwhile: renamed first, since a rename has one winner. */
function removeStale(path: string, content: string): void {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    return; // another process was faster
  }
  if (readIfThere(aside) === content) rmSync(aside, { force: true });
  else renameSync(aside, path);
}

/**
 * The process id, and where the system tells it, when that process started (ids are used again, above
 * all in containers). Empty for a process that does not exist.
 */
function describeProcess(id: number): string {
  if (!Number.isInteger(id) || id <= 0) return "";
  try {
    process.kill(id, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return "";
  }
  // Field 22 of /proc/ID/stat; the second, in parentheses, may hold spaces.
  const stat = readIfThere(`/proc/${id}/stat`);
  const started = stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  return started === undefined ? `${id}` : `${id} ${started}`;
}

/** A file's text; undefined if there is none (or, under /proc, if the process has just ended). */
function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}
