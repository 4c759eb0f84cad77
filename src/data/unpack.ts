/** Unpacking gzip, xz and tar, which data sets come in. What is packed tells so by its first bytes, not its name. */
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { UserError } from "../errors.js";
import { largest, readBytesAside } from "../files/read.js";

/** Why bytes do not unpack; `isTooLarge` if they would, to more than was allowed. */
export class UnpackError extends Error {
  constructor(
    message: string,
    readonly isTooLarge = false,
  ) {
    super(message);
  }
}

const mostBytes = 2 ** 30;

const starts = (bytes: Uint8Array, ...magic: readonly number[]) =>
  magic.every((byte, i) => bytes[i] === byte);

/** How bytes are packed; undefined if they are not. */
export function packingOf(bytes: Uint8Array): "gzip" | "xz" | undefined {
  if (starts(bytes, 0x1f, 0x8b)) return "gzip";
  if (starts(bytes, 0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00)) return "xz";
  return undefined;
}

/** Unpacks gzip or xz, and gives back what is neither. @throws UnpackError */
export async function unpack(bytes: Uint8Array, maximumBytes = mostBytes): Promise<Uint8Array> {
  const packing = packingOf(bytes);
  if (packing === undefined) return bytes;
  if (packing === "xz") return unpackXz(bytes, maximumBytes);
  return promisify(gunzip)(bytes, { maxOutputLength: maximumBytes }).catch((error: NodeJS.ErrnoException) => {
    throw error.code === "ERR_BUFFER_TOO_LARGE" ? tooLarge(maximumBytes) : new UnpackError(error.message);
  });
}

const tooLarge = (maximumBytes: number) =>
  new UnpackError(`it unpacks to more than ${maximumBytes} bytes`, true);

async function unpackXz(bytes: Uint8Array, maximumBytes: number): Promise<Uint8Array> {
  const { default: xz } = await import("xz-decompress");
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const part of new xz.XzReadableStream(new Blob([bytes]).stream())) {
      length += part.length;
      if (length > maximumBytes) break;
      parts.push(part);
    }
  } catch {
    // The package's words are the number of an error.
    throw new UnpackError("its contents do not have the checksums that it says, or end too early");
  }
  if (length > maximumBytes) throw tooLarge(maximumBytes);
  return Buffer.concat(parts);
}

/** Reads a file and unpacks it if it is packed. @throws UserError that names it */
export async function readUnpacked(path: string, maximumBytes = mostBytes): Promise<Uint8Array> {
  const bytes = await readBytesAside(path, largest.data);
  return unpack(bytes, maximumBytes).catch((error: unknown) => {
    if (!(error instanceof UnpackError)) throw error;
    const remedy = error.isTooLarge ? "" : "; the file is corrupt or cut short, fetch it again";
    throw new UserError(`cannot unpack ${path} as ${packingOf(bytes)}: ${error.message}${remedy}`);
  });
}

/**
 * Files of a tar archive by their names without folders, of those `wanted`; of two with one name the
 * later one counts, as it does when the archive is unpacked to disk.
 *
 * @throws UnpackError for bytes that are no whole tar archive.
 */
export async function untar(
  bytes: Uint8Array,
  wanted: readonly string[],
): Promise<ReadonlyMap<string, Uint8Array>> {
  const { Parser } = await import("tar");
  const found = new Map<string, Uint8Array>();
  // The parser unpacks what is packed, without a limit.
  if (packingOf(bytes) !== undefined) throw new UnpackError("it is packed twice");
  return new Promise((resolve, reject) => {
    const parser = new Parser({
      strict: true,
      zstd: false,
      onReadEntry(entry) {
        const name = entry.path.slice(entry.path.lastIndexOf("/") + 1);
        if (!wanted.includes(name) || !/^(Old|Contiguous)?File$/.test(entry.type)) return void entry.resume();
        const parts: Uint8Array[] = [];
        entry.on("data", (part) => parts.push(part));
        entry.on("end", () => found.set(name, Buffer.concat(parts)));
      },
    });
    parser.on("error", () => reject(new UnpackError("it is damaged, cut short or none")));
    parser.on("end", () => resolve(found));
    parser.end(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  });
}
