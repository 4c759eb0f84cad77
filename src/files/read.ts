/**
 * Reading what may come from anywhere: regular files alone, of bounded sizes. Opening a pipe would wait for whoever
 * writes to it, and a device such as /dev/zero has no end; so what is opened is looked at before it is read.
 */
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";
import type { Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import { memoryText, UserError } from "../errors.js";
import { usableMemory } from "../machine.js";
import { whyUnread } from "./reasons.js";

/** What one call of Node's takes: 2 GiB and more are refused, whether hashed, read or written. */
export const pieceBytes = 2 ** 30;

const [kibi, mebi, gibi] = [2 ** 10, 2 ** 20, 2 ** 30];

/** The most that is read of a file, in bytes, by what it is. Each is far above what fewbit or its users' tools write. */
export const largest = {
  /** The lock of a run. */
  lock: 64 * kibi,
  /** A configuration, a study, a small file of JSON. */
  json: 4 * mebi,
  /** A file of lines, one or more an epoch. */
  lines: 256 * mebi,
  /** An image, a data set's file or archive. */
  data: 2 * gibi,
} as const;

/** Without these a pipe's opening waits, and a terminal's makes it the process's own. Windows knows neither. */
const waitless = (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/**
 * Opens a regular file. The caller closes it.
 *
 * @param flags as the system's `open` takes them.
 * @throws the system's error; EISDIR for a folder, ENXIO for all else that is no file.
 */
export function openRegular(path: string, flags: number = constants.O_RDONLY, mode?: number): number {
  const file = openSync(path, flags | waitless, mode);
  try {
    checkRegular(fstatSync(file));
    return file;
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

/** `openRegular` to read, while others of the process go on. */
export async function openRegularAside(path: string | Buffer): Promise<FileHandle> {
  const file = await open(path, constants.O_RDONLY | waitless);
  try {
    checkRegular(await file.stat());
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

function checkRegular(found: Stats): void {
  if (found.isFile()) return;
  throw Object.assign(new Error("no regular file"), { code: found.isDirectory() ? "EISDIR" : "ENXIO" });
}

/** The bytes of a regular file. @throws UserError if it cannot be read, or holds more than `most` bytes. */
export function readBytes(path: string, most: number): Buffer {
  try {
    return readFile(path, most);
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** `readBytes` with the system's errors. */
export function readFile(path: string, most: number): Buffer {
  const file = openRegular(path);
  try {
    const bytes = new Growing(fstatSync(file).size, most);
    for (;;) {
      const { buffer, at, length } = bytes.room();
      if (bytes.endsAfter(readSync(file, buffer, at, length, null))) return bytes.whole;
    }
  } finally {
    closeSync(file);
  }
}

/** Reads parts of a regular file, from byte `begin` to before byte `end`. @throws UserError if it cannot be read. */
export function readParts<T>(
  path: string,
  use: (size: number, read: (begin: number, end: number) => Buffer) => T,
): T {
  try {
    const file = openRegular(path);
    try {
      return use(fstatSync(file).size, (begin, end) => {
        const part = allocate(end - begin);
        return part.subarray(0, readSync(file, part, 0, part.length, begin));
      });
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw error instanceof UserError ? error : unreadable(path, error);
  }
}

/** `readFile` while others of the process go on, for many files side by side. */
export async function readFileAside(path: string | Buffer, most: number): Promise<Buffer> {
  const file = await openRegularAside(path);
  try {
    const bytes = new Growing((await file.stat()).size, most);
    for (;;) {
      const { buffer, at, length } = bytes.room();
      if (bytes.endsAfter((await file.read(buffer, at, length, null)).bytesRead)) return bytes.whole;
    }
  } finally {
    await file.close();
  }
}

/** `readBytes` while others of the process go on. */
export const readBytesAside = (path: string, most: number): Promise<Buffer> =>
  readFileAside(path, most).catch((error: unknown) => {
    throw unreadable(path, error);
  });

/** The text of a regular file, without the mark of the byte order that some editors begin files with. */
export function readText(path: string, most: number): string {
  const text = readBytes(path, most).toString("utf8");
  return text.startsWith("\uFEFF") ? text.slice(1) : text;
}

/** Whether there is anything at a path. @throws UserError where that cannot be determined, such as in a folder that may not be read. */
export function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return false;
    throw unreadable(path, error);
  }
}

const unreadable = (path: string, error: unknown): UserError =>
  new UserError(`cannot read ${path}: ${whyUnread(error)}`);

/** The bytes read so far. A file may grow meanwhile, and those of the kernel's own say that they are empty. */
class Growing {
  private buffer: Buffer;
  private length = 0;

  constructor(
    size: number,
    private readonly most: number,
  ) {
    if (size > most) throw tooLarge(size, most);
    this.buffer = allocate(size + 1);
  }

  /** Where the next bytes go. */
  room(): { readonly buffer: Buffer; readonly at: number; readonly length: number } {
    if (this.length === this.buffer.length) {
      const larger = allocate(2 * this.length + 4 * kibi);
      this.buffer.copy(larger);
      this.buffer = larger;
    }
    const length = Math.min(pieceBytes, this.buffer.length - this.length);
    return { buffer: this.buffer, at: this.length, length };
  }

  /** Counts what was read there; says whether the file has ended. */
  endsAfter(count: number): boolean {
    this.length += count;
    if (this.length > this.most) throw tooLarge(this.length, this.most);
    return count === 0;
  }

  get whole(): Buffer {
    return this.buffer.subarray(0, this.length);
  }
}

function allocate(bytes: number): Buffer {
  try {
    if (bytes <= usableMemory()) return Buffer.allocUnsafe(bytes);
  } catch {
    // More than a buffer can have.
  }
  throw new Error(`it holds ${memoryText(bytes)}, more than there is memory`);
}

const tooLarge = (size: number, most: number): Error =>
  new Error(`it holds ${memoryText(size)}, and at most ${memoryText(most)} are read`);
