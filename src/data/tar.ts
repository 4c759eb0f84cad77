/**
 * Tar archives whose files are read by their places, and the blocks of which one is written (POSIX.1-1988, ustar, with
 * the extended headers of pax; those of GNU are read).
 */
import { closeSync, fstatSync, readSync } from "node:fs";
import { openRegular } from "../files/read.js";

/** What headers begin on, and contents are padded to. */
export const blockBytes = 512;

/** A file in an archive. */
export interface Member {
  readonly name: string;
  /** Where its contents begin. */
  readonly offset: number;
  readonly bytes: number;
  /** What it holds, if that was asked for. */
  readonly content?: Buffer;
}

/** Why an archive cannot be read, with the place in it. */
export class TarError extends Error {}

/** The most that is read of a file which says what another is: an extended header, a class. */
const mostContent = 2 ** 20;

/**
 * The files of an archive in their order. Of the archive only headers are read, and what is asked for.
 *
 * @param wants whether the contents of a file of this name are asked for.
 * @throws TarError for an archive that is damaged or cut short, and the system's errors.
 */
export async function membersOf(path: string, wants: (name: string) => boolean): Promise<Member[]> {
  const { Header, Pax } = await import("tar");
  const file = openRegular(path);
  try {
    const { size } = fstatSync(file);
    const read = windowed(file);
    const members: Member[] = [];
    let next: { path?: string; size?: number } = {};
    for (let at = 0; ;) {
      if (at + blockBytes > size) {
        throw new TarError(`it is cut short: it ends after ${size} bytes without the mark of its end`);
      }
      const block = read(at, blockBytes);
      if (block.every((byte) => byte === 0)) return members;
      const header = new Header(block);
      if (!header.cksumValid || header.size === undefined) {
        throw new TarError(`it is damaged: there is no header of a file at byte ${at}`);
      }
      const isExtension = extensions.has(header.type);
      const own = isExtension ? {} : next;
      const member = {
        name: own.path ?? header.path ?? "",
        offset: at + blockBytes,
        bytes: own.size ?? header.size,
      };
      if (member.offset + member.bytes > size) {
        throw new TarError(
          `it is cut short: ${member.name} at byte ${member.offset} has ${member.bytes} bytes, and the archive ends after ${size}`,
        );
      }
      const content = () => {
        if (member.bytes <= mostContent) return Buffer.from(read(member.offset, member.bytes));
        throw new TarError(`${member.name} at byte ${member.offset} has ${member.bytes} bytes, too many`);
      };
      if (header.type === "ExtendedHeader" || header.type === "OldExtendedHeader") {
        next = { ...next, ...Pax.parse(content().toString(), {}) };
      } else if (header.type === "NextFileHasLongPath" || header.type === "OldGnuLongPath") {
        next = { ...next, path: content().toString().replace(/\0.*$/s, "") };
      } else if (!isExtension) {
        next = {};
        if (files.has(header.type))
          members.push(wants(member.name) ? { ...member, content: content() } : member);
      }
      at = member.offset + padded(member.bytes);
    }
  } finally {
    closeSync(file);
  }
}

const files: ReadonlySet<string> = new Set(["File", "OldFile", "ContiguousFile"]);

/** The types of headers that say something about the next file, or about all. */
const extensions: ReadonlySet<string> = new Set([
  "ExtendedHeader",
  "OldExtendedHeader",
  "GlobalExtendedHeader",
  "NextFileHasLongPath",
  "OldGnuLongPath",
  "NextFileHasLongLinkpath",
]);

/** Bytes with what pads them to whole blocks. */
export const padded = (bytes: number): number => Math.ceil(bytes / blockBytes) * blockBytes;

/** Reads parts of a file. Small ones that follow one another, as headers and classes do, are read together. */
function windowed(file: number): (begin: number, length: number) => Buffer {
  const window = Buffer.alloc(8 * blockBytes);
  let [from, end] = [0, 0];
  return (begin, length) => {
    const room = length <= window.length ? window : Buffer.alloc(length);
    if (room === window && begin >= from && begin + length <= end) {
      return window.subarray(begin - from, begin - from + length);
    }
    const read = readSync(file, room, 0, room.length, begin);
    if (read < length) throw new TarError(`it is cut short: it ends after ${begin + read} bytes`);
    if (room === window) [from, end] = [begin, begin + read];
    return room.subarray(0, length);
  };
}

/** Whether a block is a header, by its sum. */
export function isHeader(block: Uint8Array): boolean {
  let sum = 8 * 32; // the sum's own bytes count as spaces
  for (let i = 0; i < blockBytes; i++) if (i < 148 || i >= 156) sum += block[i];
  const digits = Buffer.from(block.subarray(148, 156)).toString("latin1");
  return sum === Number.parseInt(digits.replace(/\0.*$/s, "").trim(), 8);
}

/** What writes files into an archive: header, contents and padding. Equal files give equal bytes, whenever they are written. */
export async function tarWriter(): Promise<(path: string, content: Uint8Array) => Uint8Array[]> {
  const { Header, Pax } = await import("tar");
  return (path, content) => {
    const facts = {
      path,
      mode: 0o644,
      uid: 0,
      gid: 0,
      size: content.length,
      mtime: new Date(0),
      type: "File",
    } as const;
    const block = Buffer.alloc(blockBytes);
    const needsPax = new Header(facts).encode(block);
    return [
      ...(needsPax ? [new Pax({ path }).encode()] : []),
      block,
      content,
      Buffer.alloc(padded(content.length) - content.length),
    ];
  };
}

/** What an archive ends with. */
export const tarEnd: Uint8Array = Buffer.alloc(2 * blockBytes);
