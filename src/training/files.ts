/** Writing that survives being killed at any moment and a disk that fills up. */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { pieceBytes } from "../data/dataset.js";
import { UserError, whyUnwritten } from "../errors.js";

/**
 * Replaces a file so that a reader, or a machine that lost power, finds the old bytes or the new ones
 * and never a mixture: written beside it, flushed, renamed, and the directory flushed.
 *
 * @throws UserError if it cannot be written; the old file is then as it was, and nothing lies beside it.
 */
export function writeAtomically(path: string, content: Content, options: StageOptions = {}): void {
  stage(path, content, options)();
}

/** What a file is to hold; parts follow one another. */
type Content = string | Uint8Array | readonly Uint8Array[];

export interface StageOptions {
  /** Where the bytes lie meanwhile. */
  readonly temporary?: string;
  /** What a message tells to do when the disk has room again. */
  readonly then?: string;
}

/** Writes the new bytes beside a file; the function that it returns puts them in its place. */
export function stage(
  path: string,
  content: Content,
  { temporary = `${path}.tmp`, then }: StageOptions = {},
): () => void {
  orUserError(path, () => writeFlushed(temporary, content, "w"), then);
  const replace = (): void => {
    try {
      renameSync(temporary, path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
    flushDirectory(dirname(path));
  };
  return () => orUserError(path, replace, then);
}

/** Appends to a file and flushes it. @throws UserError if it cannot; the file is then as long as it was. */
export function appendFlushed(path: string, content: string | Uint8Array): void {
  orUserError(path, () => writeFlushed(path, content, "a"));
}

/** Bytes of a file; 0 if there is none. */
export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Cuts a file back to a length that it had. */
export function cutBack(path: string, bytes: number): void {
  if (sizeOf(path) > bytes) truncateSync(path, bytes);
}

/** Removes a file that may not be there. @throws UserError for a directory in its place. */
export function removeFile(path: string): void {
  orUserError(path, () => rmSync(path, { force: true }));
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
    const found = statSync(path);
    // Reading a pipe would wait for whoever writes there.
    if (!found.isFile())
      throw Object.assign(new Error(), { code: found.isDirectory() ? "EISDIR" : "it is not a file" });
    return readPieces(path, found.size);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError(`cannot read ${path}: ${code}`);
  }
}

/** The first `size` bytes of a file, or all there are; `readFileSync` refuses a file of 2 GiB. */
function readPieces(path: string, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  const file = openSync(path, "r");
  try {
    for (let at = 0; at < size;) {
      const count = readSync(file, bytes, at, Math.min(pieceBytes, size - at), at);
      if (count === 0) return bytes.subarray(0, at);
      at += count;
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}

/** A full disk, or something in the way, is for the user to mend. */
function orUserError(path: string, write: () => void, then = "resume the run"): void {
  try {
    write();
  } catch (error) {
    const { reason, remedy = "mend that" } = whyUnwritten(error);
    throw new UserError(`cannot write ${path}: ${reason}; ${remedy}, then ${then}`, undefined, "unwritten");
  }
}

/** Writes a new file ("w") or more of an old one ("a"); where that fails, no part of it stays. */
function writeFlushed(path: string, content: Content, flags: "w" | "a"): void {
  const parts = Array.isArray(content) ? content : [content as string | Uint8Array];
  const file = openSync(path, flags);
  try {
    const { size } = fstatSync(file);
    try {
      for (const part of parts) writeAll(file, typeof part === "string" ? Buffer.from(part) : part);
      fsyncSync(file);
    } catch (error) {
      if (flags === "w") rmSync(path, { force: true });
      else ftruncateSync(file, size);
      throw error;
    }
  } finally {
    closeSync(file);
  }
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    at += writeSync(file, bytes, at, Math.min(pieceBytes, bytes.length - at));
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
