/**
 * Writing that survives being killed at any moment and a disk that fills up, and that stays where it was sent: a
 * symbolic link in a file's place is replaced or refused, and what it leads to is never written.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { UserError } from "../errors.js";
import { openRegular, pieceBytes } from "./read.js";
import { whyUnwritten } from "./reasons.js";

/** What a file is to hold; parts follow one another. */
type Content = string | Uint8Array | readonly Uint8Array[];

export interface StageOptions {
  /** What the bytes' own file is called meanwhile, but for its ending; by default the file's name. */
  readonly temporary?: string;
  /** What a message tells to do when the disk has room again. */
  readonly then?: string;
}

/**
 * Replaces a file so that a reader, or a machine that lost power, finds the old bytes or the new ones
 * and never a mixture: written beside it, flushed, renamed, and the directory flushed.
 *
 * @throws UserError if it cannot be written; the old file is then as it was, and nothing lies beside it.
 */
export function writeAtomically(path: string, content: Content, options: StageOptions = {}): void {
  stage(path, content, options)();
}

/** Writes the new bytes beside a file; the function that it returns puts them in its place. */
export function stage(
  path: string,
  content: Content,
  { temporary = path, then }: StageOptions = {},
): () => void {
  const replace = orUserError(path, () => stageFile(path, content, temporary), then);
  return () => orUserError(path, replace, then);
}

/**
 * `stage` of bytes that are read elsewhere meanwhile. It writes and flushes on Node's own threads: a slow disk holds up
 * nothing else of the process. What fails where the bytes come from is thrown as it is.
 */
export async function stagePieces(
  path: string,
  pieces: AsyncIterable<Uint8Array>,
  { temporary = path, then }: StageOptions = {},
): Promise<() => void> {
  const staged = temporaryFor(temporary);
  const refuse = (error: unknown): never => {
    throw unwritten(path, error, then);
  };
  const file = await open(staged, "wx", 0o666).catch(refuse);
  try {
    for await (const piece of pieces) await writeAllAside(file, piece).catch(refuse);
    await file.sync().catch(refuse);
  } catch (error) {
    rmSync(staged, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  return () => orUserError(path, () => putInPlace(staged, path), then);
}

/** `writeAtomically` with the system's errors. */
export function replaceFile(path: string, content: Content): void {
  stageFile(path, content, path)();
}

/** A temporary file that was last written so long ago is that of a killed process: one at work writes more often. */
const staleMilliseconds = 3_600_000;

function stageFile(path: string, content: Content, base: string): () => void {
  const temporary = temporaryFor(base);
  createFile(temporary, content);
  return () => putInPlace(temporary, path);
}

/** A name that nobody can foresee, and made by this process alone: nothing can lie in wait there. */
function temporaryFor(base: string): string {
  removeTemporaries(dirname(base), basename(base));
  return `${base}.${randomBytes(6).toString("hex")}.tmp`;
}

function putInPlace(temporary: string, path: string): void {
  try {
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  flushDirectory(dirname(path));
}

/**
 * Removes what killed processes left in a directory when they replaced files there.
 *
 * @param of the name of the only file that counts; what was written in its place as NAME.tmp counts then, too.
 * @param age milliseconds since such a file was last written, at the least.
 */
export function removeTemporaries(directory: string, of?: string, age = staleMilliseconds): void {
  const isTemporary = (entry: string): boolean => {
    const name = /^(.+)\.[\da-f-]{8,}\.tmp$/.exec(entry)?.[1];
    return of === undefined ? name !== undefined : name === of || entry === `${of}.tmp`;
  };
  for (const entry of entriesOf(directory).filter(isTemporary)) {
    const path = join(directory, entry);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined || found.isDirectory() || Date.now() - found.mtimeMs < age) continue;
    rmSync(path, { force: true });
  }
}

function entriesOf(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // which the write itself tells, if it matters
  }
}

/** Writes a file that is not there yet, and flushes it. @throws the system's error; EEXIST if there is anything of that name. */
export function createFile(path: string, content: Content): void {
  const file = openSync(path, "wx", 0o666);
  try {
    writeFlushed(file, content);
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}

/**
 * Appends to a file, which is made if it is not there, and flushes it.
 *
 * @throws UserError if it cannot; the file is then as long as it was.
 */
export function appendFlushed(path: string, content: string | Uint8Array): void {
  orUserError(path, () => appendFile(path, content));
}

/** `appendFlushed` with the system's errors. */
export function appendFile(path: string, content: string | Uint8Array): void {
  const file = openOwn(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT);
  try {
    const { size } = fstatSync(file);
    try {
      writeFlushed(file, content);
    } catch (error) {
      ftruncateSync(file, size);
      throw error;
    }
  } finally {
    closeSync(file);
  }
}

/** Opens a file to change it, not what a link in its place leads to. Windows has no such flag, and few links. */
const openOwn = (path: string, flags: number): number =>
  openRegular(path, flags | (constants.O_NOFOLLOW ?? 0), 0o666);

/** Whether a path is a file by itself: one that shares its bytes with another name is changed where that is, too. */
export function isUnsharedFile(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.isFile() === true && found.nlink === 1;
}

/** Bytes of a file; 0 if there is none. */
export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Cuts a file back to a length that it had. */
export function cutBack(path: string, bytes: number): void {
  if (sizeOf(path) <= bytes) return;
  const file = openOwn(path, constants.O_WRONLY);
  try {
    ftruncateSync(file, bytes);
  } finally {
    closeSync(file);
  }
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

function orUserError<T>(path: string, write: () => T, then?: string): T {
  try {
    return write();
  } catch (error) {
    throw unwritten(path, error, then);
  }
}

/** A full disk, or something in the way, is for the user to mend. */
function unwritten(path: string, error: unknown, then = "resume the run"): UserError {
  const { reason, remedy = "mend that" } = whyUnwritten(error);
  return new UserError(`cannot write ${path}: ${reason}; ${remedy}, then ${then}`, undefined, "unwritten");
}

function writeFlushed(file: number, content: Content): void {
  const parts = Array.isArray(content) ? content : [content as string | Uint8Array];
  for (const part of parts) writeAll(file, typeof part === "string" ? Buffer.from(part) : part);
  fsyncSync(file);
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    at += writeSync(file, bytes, at, Math.min(pieceBytes, bytes.length - at));
  }
}

async function writeAllAside(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += (await file.write(bytes, at, Math.min(pieceBytes, bytes.length - at))).bytesWritten;
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
