/**
 * The files of a large set of images: names in one buffer with offsets, so that a million take some 30 MB, and kept in
 * the cache, so that a start looks at the folders' times alone.
 */
import { createHash } from "node:crypto";
import { realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { cacheDirectory, writeWhole } from "./cache.js";
import { entriesOf, isImage, layoutOf } from "./layout.js";
import { pack, readPacked } from "./packed.js";
import { bytesOf, nameOf, onDisk } from "./paths.js";
import { decodeRules } from "./rules.js";
import type { FileList, StoredImage } from "./stored.js";

/** The files of a folder, by name. */
interface FolderFiles {
  readonly name: string;
  /** When an entry was last added or removed, in milliseconds. */
  readonly time: number;
  readonly count: number;
}

/** Image files in folders, in the order of folders and names. */
export class Manifest implements FileList {
  readonly count: number;
  /** The first file of each folder, and the number of files. */
  private readonly firsts: Uint32Array;

  /**
   * @param directory holds the folders.
   * @param names of all files, one after another, as bytes.
   * @param ends where each name ends in them.
   * @param sizes of the files in bytes, at most 2^32 - 1.
   */
  constructor(
    readonly directory: string,
    readonly folders: readonly FolderFiles[],
    readonly names: Uint8Array,
    readonly ends: Uint32Array,
    readonly sizes: Uint32Array,
  ) {
    this.firsts = new Uint32Array(folders.length + 1);
    folders.forEach(({ count }, i) => (this.firsts[i + 1] = this.firsts[i] + count));
    this.count = this.firsts[folders.length];
  }

  /** The name of a file in its folder. */
  name(index: number): string {
    const begin = index === 0 ? 0 : this.ends[index - 1];
    return nameOf(Buffer.from(this.names.subarray(begin, this.ends[index])));
  }

  /** The index of a file's folder. */
  folderOf(index: number): number {
    let [low, high] = [0, this.folders.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.firsts[middle] <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  path(index: number): string {
    return join(this.directory, this.folders[this.folderOf(index)].name, this.name(index));
  }

  image(index: number): StoredImage {
    return { path: this.path(index) };
  }

  /** The folder of each file, by index. */
  folderIndices(): Int32Array {
    const indices = new Int32Array(this.count);
    this.folders.forEach((_, i) => indices.fill(i, this.firsts[i], this.firsts[i + 1]));
    return indices;
  }

  /** What a folder holds, to be taken over into another manifest. */
  part(folder: number): {
    readonly names: Uint8Array;
    readonly lengths: Uint32Array;
    readonly sizes: Uint32Array;
  } {
    const [first, end] = [this.firsts[folder], this.firsts[folder + 1]];
    const begin = first === 0 ? 0 : this.ends[first - 1];
    const lengths = new Uint32Array(end - first);
    for (let i = first; i < end; i++) lengths[i - first] = this.ends[i] - (i === 0 ? 0 : this.ends[i - 1]);
    return {
      names: this.names.subarray(begin, end === 0 ? 0 : this.ends[end - 1]),
      lengths,
      sizes: this.sizes.subarray(first, end),
    };
  }
}

/** Functions that a listing calls. */
export interface ListingListeners {
  /** Called after each folder with the number of files so far. */
  readonly onListed?: (files: number) => void;
}

/**
 * Lists the image files of some folders of a directory. A folder whose time is that of an earlier listing is not read again.
 *
 * @param folders in whose order the files stand; "" is the directory itself.
 * @throws UserError for a folder that cannot be read.
 */
export function listFiles(
  directory: string,
  folders: readonly string[],
  listeners: ListingListeners = {},
): Manifest {
  const place = placeOf(directory);
  const known = place === undefined ? undefined : readManifest(place, directory);
  const byName = new Map(known?.folders.map(({ name }, i) => [name, i]));
  const listed: FolderFiles[] = [];
  const parts: ReturnType<Manifest["part"]>[] = [];
  let files = 0;
  let isNew = false; // some folders of a known listing leave it as it is
  for (const name of folders) {
    const path = join(directory, name);
    const time = statSync(onDisk(path)).mtimeMs;
    const at = byName.get(name);
    const isKnown = known !== undefined && at !== undefined && known.folders[at].time === time;
    isNew ||= !isKnown;
    const part = isKnown ? known.part(at) : readFolder(path);
    listed.push({ name, time, count: part.sizes.length });
    parts.push(part);
    files += part.sizes.length;
    listeners.onListed?.(files);
  }
  const manifest = joined(directory, listed, parts);
  if (isNew && place !== undefined) keepManifest(place, manifest);
  return manifest;
}

function readFolder(path: string): ReturnType<Manifest["part"]> {
  const layout = layoutOf(decodeRules);
  const names = entriesOf(path)
    .filter((entry) => isImage(entry, layout))
    .map(({ name }) => name);
  const bytes = names.map(bytesOf);
  return {
    names: Buffer.concat(bytes),
    lengths: Uint32Array.from(bytes, ({ length }) => length),
    sizes: Uint32Array.from(names, (name) => Math.min(statSync(onDisk(join(path, name))).size, 2 ** 32 - 1)),
  };
}

function joined(
  directory: string,
  folders: readonly FolderFiles[],
  parts: readonly ReturnType<Manifest["part"]>[],
): Manifest {
  const count = folders.reduce((sum, folder) => sum + folder.count, 0);
  const [ends, sizes] = [new Uint32Array(count), new Uint32Array(count)];
  let [at, end] = [0, 0];
  for (const part of parts) {
    sizes.set(part.sizes, at);
    for (const length of part.lengths) ends[at++] = end += length;
  }
  const names = new Uint8Array(end);
  let begin = 0;
  for (const part of parts) {
    names.set(part.names, begin);
    begin += part.names.length;
  }
  return new Manifest(directory, folders, names, ends, sizes);
}

// --- the cache -----------------------------------------------------------------------------------

const version = 1;
/** Where what is known of a directory is kept; undefined where there is no cache. */
export function placeOf(directory: string, kind = "manifests"): string | undefined {
  try {
    const digest = createHash("sha256").update(realpathSync(directory)).digest("hex").slice(0, 32);
    return join(cacheDirectory(), kind, digest);
  } catch {
    return undefined;
  }
}

/** Without it a listing takes longer, and is the same. */
function keepManifest(place: string, { folders, sizes, ends, names }: Manifest): void {
  try {
    writeWhole(place, pack({ version, folders, count: sizes.length }, [sizes, ends], names));
  } catch {
    // The next start lists again.
  }
}

/** The manifest of an earlier listing; undefined where there is none, or none that is whole. */
function readManifest(place: string, directory: string): Manifest | undefined {
  try {
    const packed = readPacked(place);
    const { count, folders, ...head } = packed.head as {
      readonly version: number;
      readonly folders: readonly FolderFiles[];
      readonly count: number;
    };
    if (head.version !== version) return undefined;
    return new Manifest(
      directory,
      folders,
      packed.rest(2 * count),
      packed.words(1, count),
      packed.words(0, count),
    );
  } catch {
    return undefined;
  }
}
