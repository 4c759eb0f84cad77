/**
 * Paths whose names need not be UTF-8, which file systems allow. A byte that is not UTF-8 stands in a
 * name as the surrogate U+DC00 + byte, alone, as in Python (PEP 383): such a name is a text like any other,
 * and becomes the bytes again where a file is opened.
 */
import { statSync } from "node:fs";
import { join } from "node:path";

/** With the flag u such a surrogate is not half of a pair. */
const alone = /[\udc80-\udcff]/u;

/** A name as a directory's listing gives it. */
export function nameOf(bytes: Buffer): string {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const decoded = (from: number, to: number): string | undefined => {
    try {
      return decoder.decode(bytes.subarray(from, to));
    } catch {
      return undefined;
    }
  };
  const whole = decoded(0, bytes.length);
  if (whole !== undefined) return whole;
  let name = "";
  for (let at = 0; at < bytes.length;) {
    const length = [1, 2, 3, 4].find((n) => at + n <= bytes.length && decoded(at, at + n) !== undefined) ?? 0;
    name += length > 0 ? decoded(at, at + length) : String.fromCharCode(0xdc00 + bytes[at]);
    at += Math.max(1, length);
  }
  return name;
}

/** The bytes of a name or path. */
export function bytesOf(name: string): Buffer {
  const parts = name.split(new RegExp(`(${alone.source})`, "u"));
  return Buffer.concat(
    parts.map((part, i) => (i % 2 === 0 ? Buffer.from(part) : Buffer.of(part.charCodeAt(0) - 0xdc00))),
  );
}

/** What the functions of `node:fs` open a path by. */
export const onDisk = (path: string): string | Buffer => (alone.test(path) ? bytesOf(path) : path);

/** Whether a path is a directory; false for a text that cannot be a path, such as one that is too long. */
export function isDirectory(path: string): boolean {
  try {
    return statSync(onDisk(path)).isDirectory();
  } catch {
    return false;
  }
}

/** Whether a path is that of a regular file, and not of a folder or a pipe. */
export function isFile(path: string): boolean {
  try {
    return statSync(onDisk(path)).isFile();
  } catch {
    return false;
  }
}

/** The first file of some names in a directory; where one is a folder, as some archives unpack, the file of that name in it. */
export function findFile(directory: string, names: readonly string[]): string | undefined {
  return names.flatMap((name) => [join(directory, name), join(directory, name, name)]).find(isFile);
}
