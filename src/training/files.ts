/** Writing that survives being killed at any moment. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
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

/** One level at a time: the recursive form of mkdir never returns where the kernel answers ENOENT, as in /proc. */
export function makeDirectories(path: string): void {
  if (existsSync(path)) return;
  makeDirectories(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error; // another process was faster
  }
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
