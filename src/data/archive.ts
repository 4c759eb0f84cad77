/** The files of a packed tar archive: from the archive, or from the cache, into which it is downloaded and unpacked. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../errors.js";
import { largest, readBytesAside } from "../files/read.js";
import { checkWritable, writeWhole } from "./cache.js";
import { checksumOf } from "./dataset.js";
import { Unfit, download } from "./download.js";
import type { LocalFile, RemoteOptions } from "./remote.js";
import { asUnfit, cacheFor, looksLikePage } from "./remote.js";
import { UnpackError, readUnpacked, unpack, untar } from "./unpack.js";

/** A file of an archive by its name without folders, and its contents. */
export interface ArchiveFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface RemoteArchive {
  readonly name: string;
  readonly files: readonly ArchiveFile[];
}

/** What an archive may hold beside the files. */
const spareBytes = 2 ** 20;

/**
 * The files of an archive in CACHE/SET, which is downloaded and unpacked there where they are not there
 * or not whole. What counts is what each file holds: archives that are packed anew have other bytes.
 *
 * @throws UserError if no mirror has it, or the cache cannot be written.
 */
export async function archiveFiles(
  set: string,
  { name, files }: RemoteArchive,
  mirrors: readonly string[],
  options: RemoteOptions = {},
): Promise<{ directory: string; files: LocalFile[] }> {
  const { force = false, onProgress, onWarning, ...rest } = options;
  const { directory, from } = cacheFor(set, mirrors, options);
  const place = (file: ArchiveFile) => join(directory, file.name);
  if (!force && files.every((file) => existsSync(place(file)))) {
    const cached: LocalFile[] = [];
    for (const file of files) {
      const bytes = await readBytesAside(place(file), largest.data);
      if (checksumOf(bytes) !== file.sha256) {
        onWarning?.(`${place(file)} does not count and is downloaded again: it is damaged`);
        break;
      }
      cached.push({ path: place(file), bytes, from: undefined });
    }
    if (cached.length === files.length) return { directory, files: cached };
  }
  checkWritable(directory);
  const total = files.reduce((sum, { bytes }) => sum + bytes, spareBytes);
  let sentBytes = 0;
  const { result, url } = await download(
    name,
    (sent) => {
      sentBytes = sent.length;
      return contents(sent, files, total);
    },
    {
      maximumBytes: total,
      ...rest,
      mirrors: from,
      onProgress: ({ bytes: done, total }) => onProgress?.({ what: name, unit: "bytes", done, total }),
    },
  );
  for (const [i, file] of files.entries()) writeWhole(place(file), result[i]);
  onProgress?.({ what: name, unit: "bytes", done: sentBytes, total: sentBytes, from: url });
  return { directory, files: files.map((file, i) => ({ path: place(file), bytes: result[i], from: url })) };
}

/** The files of an archive that a server sent. @throws Unfit unless each is what it should be */
async function contents(
  sent: Uint8Array,
  files: readonly ArchiveFile[],
  maximumBytes: number,
): Promise<Uint8Array[]> {
  if (looksLikePage(sent)) throw new Unfit("it is a web page", false);
  try {
    const names = files.map(({ name }) => name);
    const found = await untar(await unpack(sent, maximumBytes), names);
    return files.map(({ name, sha256 }) => {
      const bytes = found.get(name);
      if (bytes === undefined) throw new Unfit(`it does not hold ${name}`, false);
      if (checksumOf(bytes) === sha256) return bytes;
      throw new Unfit(
        `its ${name} is another file: ${bytes.length} bytes with SHA-256 ${checksumOf(bytes)}`,
        false,
      );
    });
  } catch (error) {
    throw asUnfit(error);
  }
}

/** Files of an archive on disk, in the order of their names. @throws UserError that names it if one is not in it */
export async function readArchive(
  path: string,
  names: readonly string[],
): Promise<{ path: string; bytes: Uint8Array }[]> {
  const found = await readUnpacked(path)
    .then((bytes) => untar(bytes, names))
    .catch((error: unknown) => {
      if (!(error instanceof UnpackError)) throw error;
      throw new UserError(`${path} is not a sound tar archive: ${error.message}; fetch it again`);
    });
  return names.map((name) => {
    const bytes = found.get(name);
    if (bytes === undefined) {
      throw new UserError(`${path} does not hold ${name}; it is another archive`);
    }
    return { path: `${name} in ${path}`, bytes };
  });
}
