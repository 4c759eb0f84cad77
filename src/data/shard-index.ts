/** Which shards a directory holds, and where the images in them are: read through once, and kept. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { writeWhole } from "./cache.js";
import type { LoadListeners } from "./dataset.js";
import { entriesOf, layoutOf, problem } from "./layout.js";
import { placeOf } from "./manifest.js";
import { pack, readPacked } from "./packed.js";
import { bytesOf, isDirectory, onDisk } from "./paths.js";
import { decodeRules } from "./rules.js";
import { mostClasses, samplesIn } from "./samples.js";
import { blockBytes } from "./tar.js";

/** The index beside shards that fewbit wrote. */
export const indexFile = "fewbit.index";
export type SetName = "train" | "test" | "val";

/** The shards of each set in a directory, as paths in it. */
export type ShardSets = ReadonlyMap<SetName, readonly string[]>;

const layout = layoutOf(decodeRules);
const isTar = ({ name, kind }: { name: string; kind: string }): boolean =>
  kind === "file" && !name.startsWith(".") && /\.tar$/i.test(name);

/**
 * The shards of a directory; undefined for one of other files. The set of a shard is a word of its name, as of
 * train-000000.tar, or the name of its folder.
 *
 * @throws UserError where names do not say which set a shard is of.
 */
export function shardsIn(directory: string): ShardSets | undefined {
  if (!isDirectory(directory)) return undefined;
  const entries = entriesOf(directory);
  const folders = entries.filter(
    ({ name, kind }) => kind === "folder" && !name.startsWith(".") && !layout.isClutter(name),
  );
  const sets = new Map<SetName, string[]>();
  const add = (set: SetName | undefined, path: string) => {
    if (set !== undefined) sets.set(set, [...(sets.get(set) ?? []), path]);
  };
  const tars = entries.filter(isTar).map(({ name }) => name);
  if (folders.length === 0) for (const name of tars) add(setOfName(name), name);
  if (sets.size === 0 && folders.every(({ name }) => layout.setOf(name) !== undefined)) {
    for (const { name } of folders) {
      const inside = entriesOf(join(directory, name));
      if (!inside.some(isTar) || inside.some(({ kind }) => kind === "folder")) return undefined;
      for (const tar of inside.filter(isTar)) add(layout.setOf(name), join(name, tar.name));
    }
  }
  if (sets.size > 0) return sets;
  if (folders.length > 0 || tars.length === 0) return undefined;
  throw problem(
    `the names of the archives in ${directory}, such as ${tars[0]}, do not say what is to be trained on; shards are called train-000000.tar and val-000000.tar, or are in folders train and val`,
  );
}

const setOfName = (name: string): SetName | undefined =>
  name
    .toLowerCase()
    .split(/[^a-z]+/)
    .map((word) => layout.setOf(word))
    .find((set) => set !== undefined);

/** The file of a shard, by which an index knows that it is the one that was listed. */
export interface ShardFile {
  /** The path in the directory. */
  readonly name: string;
  readonly bytes: number;
  /** When it was changed, in milliseconds. Not in the index beside shards, which may be copied. */
  readonly time?: number;
}

/** Where images are in shards, in the order of classes and names. */
export interface Places {
  /** Paths in the archives, one after another, and where each ends. */
  readonly names: Uint8Array;
  readonly ends: Uint32Array;
  readonly sizes: Uint32Array;
  /** In blocks. */
  readonly offsets: Uint32Array;
  readonly shards: Uint32Array;
  readonly labels: Uint32Array;
}

interface Index {
  readonly files: readonly ShardFile[];
  /** Samples without an image. */
  readonly unused: number;
  readonly places: Places;
}

/** The index of shards: the one beside them, or one in the cache, or else a new one. @throws UserError for damaged shards */
export async function indexOf(directory: string, sets: ShardSets, listeners: LoadListeners): Promise<Index> {
  const present = filesOf(directory, sets);
  const place = placeOf(directory, "shards");
  for (const path of [join(directory, indexFile), ...(place === undefined ? [] : [place])]) {
    const known = readIndex(path, present);
    if (known !== undefined) return known;
  }
  const index = await scan(directory, present, listeners);
  if (place !== undefined) {
    try {
      writeWhole(place, packed(index));
    } catch {
      // The next start reads the shards through again.
    }
  }
  return index;
}

/** The shards of some sets, as they are now. */
const filesOf = (directory: string, sets: ShardSets): (ShardFile & { readonly time: number })[] =>
  [...sets.values()].flat().map((name) => {
    const { size, mtimeMs } = statSync(onDisk(join(directory, name)));
    return { name, bytes: size, time: mtimeMs };
  });

/** The index of shards that are whole, to be written beside them. */
export async function indexBeside(directory: string): Promise<Buffer> {
  const files = filesOf(directory, shardsIn(directory) ?? new Map<SetName, string[]>());
  return packed(
    await scan(
      directory,
      files.map(({ name, bytes }) => ({ name, bytes })),
      {},
    ),
  );
}

/** Whether an index is beside the shards that are in a directory. */
export function hasIndex(directory: string): boolean {
  const sets = shardsIn(directory);
  return sets !== undefined && readIndex(join(directory, indexFile), filesOf(directory, sets)) !== undefined;
}

const version = 1;

function packed({ files, unused, places }: Index): Buffer {
  const { names, ends, sizes, offsets, shards, labels } = places;
  return pack({ version, files, unused, count: sizes.length }, [ends, sizes, offsets, shards, labels], names);
}

/** An index of the shards that are present; undefined where there is none, or one of others. */
function readIndex(path: string, present: readonly ShardFile[]): Index | undefined {
  try {
    const stored = readPacked(path);
    const head = stored.head as { readonly version: number; readonly count: number } & Pick<
      Index,
      "files" | "unused"
    >;
    const { files, unused, count } = head;
    const isPresent =
      files.length === present.length &&
      files.every(({ name, bytes, time }, i) => {
        const other = present[i];
        return name === other.name && bytes === other.bytes && (time ?? other.time) === other.time;
      });
    if (head.version !== version || !isPresent || !Number.isInteger(count) || count < 0) return undefined;
    const [ends, sizes, offsets, shards, labels] = [0, 1, 2, 3, 4].map((at) => stored.words(at, count));
    const names = stored.rest(5 * count);
    // It may be anyone's: what it says of a shard must be in that.
    const isSound = ends.every(
      (end, i) =>
        end >= (ends[i - 1] ?? 0) &&
        end <= names.length &&
        labels[i] < mostClasses &&
        offsets[i] > 0 &&
        offsets[i] * blockBytes + sizes[i] <= (files[shards[i]]?.bytes ?? 0),
    );
    return isSound ? { files, unused, places: { names, ends, sizes, offsets, shards, labels } } : undefined;
  } catch {
    return undefined;
  }
}

/** An image and its class, as a scan finds them. */
interface Found {
  readonly name: string;
  readonly bytes: number;
  readonly offset: number;
  readonly shard: number;
  readonly label: number;
}

async function scan(
  directory: string,
  files: readonly ShardFile[],
  { onProgress }: LoadListeners,
): Promise<Index> {
  const found: Found[] = [];
  let unused = 0;
  for (const [shard, { name }] of files.entries()) {
    const samples = await samplesIn(join(directory, name));
    for (const { image, label } of samples) {
      if (image === undefined) unused++;
      else found.push({ ...image, label, shard });
    }
    onProgress?.({ what: directory, unit: "images", done: found.length, total: undefined });
  }
  found.sort(
    (a, b) =>
      a.label - b.label ||
      (a.name < b.name ? -1 : a.name > b.name ? 1 : a.shard - b.shard || a.offset - b.offset),
  );
  const words = (of: (one: Found) => number) => Uint32Array.from(found, of);
  const names = found.map(({ name }) => bytesOf(name));
  let end = 0;
  return {
    files,
    unused,
    places: {
      names: Buffer.concat(names),
      ends: Uint32Array.from(names, ({ length }) => (end += length)),
      sizes: words(({ bytes }) => bytes),
      offsets: words(({ offset }) => offset / blockBytes),
      shards: words(({ shard }) => shard),
      labels: words(({ label }) => label),
    },
  };
}
