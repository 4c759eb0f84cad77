/**
 * Images in WebDataset shards: tar archives of images and their classes. Images are read by their places in the archives,
 * which an index keeps: the one beside shards that fewbit wrote, or one in the cache.
 */
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { largest, openRegularAside, readText } from "../files/read.js";
import type { LoadListeners } from "./dataset.js";
import { problem } from "./layout.js";
import { isFile, nameOf, onDisk } from "./paths.js";
import type { Places, SetName, ShardFile, ShardSets } from "./shard-index.js";
import { indexOf, shardsIn } from "./shard-index.js";
import type { FileList, StoredImage } from "./stored.js";
import { blockBytes, isHeader } from "./tar.js";

/** Names the classes, one per line, in the order of their numbers. */
export const classesFile = "classes.txt";

/** A shard, which is opened when the first of its images is read. */
class Shard {
  private opened: Promise<FileHandle> | undefined;

  constructor(readonly path: string) {}

  /** The contents of a file of the archive. @throws the system's error, or one that says what is damaged. */
  async read(offset: number, bytes: number): Promise<Buffer> {
    const file = await (this.opened ??= this.open());
    const room = Buffer.allocUnsafe(blockBytes + bytes);
    for (let at = 0; at < room.length;) {
      const { bytesRead } = await file.read(room, at, room.length - at, offset - blockBytes + at);
      at += bytesRead;
      if (bytesRead === 0) throw new Error(`the archive ends after ${offset - blockBytes + at} bytes`);
    }
    if (isHeader(room)) return room.subarray(blockBytes);
    throw new Error("the archive is damaged or another there: what is before it is no header of a file");
  }

  private async open(): Promise<FileHandle> {
    const file = await openRegularAside(onDisk(this.path));
    unread.register(this, file);
    return file;
  }
}

/** Closes the file of a shard when nothing can read that any more. */
const unread = new FinalizationRegistry<FileHandle>((file) => void file.close().catch(() => {}));

/** The images of a directory's shards, by class and name, as those of folders are. */
export class Shards implements FileList {
  readonly count: number;
  readonly sizes: Uint32Array;
  readonly labels: Uint32Array;
  private readonly setOfShard: readonly (SetName | undefined)[];
  private readonly opened: readonly Shard[];

  constructor(
    readonly directory: string,
    readonly sets: ShardSets,
    files: readonly ShardFile[],
    private readonly places: Places,
    readonly classNames: readonly string[],
    /** Whether `classNames` are from a file. Otherwise they are numbers. */
    readonly hasNames: boolean,
  ) {
    this.sizes = places.sizes;
    this.labels = places.labels;
    this.count = places.sizes.length;
    this.opened = files.map(({ name }) => new Shard(join(directory, name)));
    this.setOfShard = files.map(({ name }) => [...sets].find(([, names]) => names.includes(name))?.[0]);
  }

  setOf(index: number): SetName | undefined {
    return this.setOfShard[this.places.shards[index]];
  }

  /** The path of an image in its archive. */
  private member(index: number): string {
    const { names, ends } = this.places;
    return nameOf(Buffer.from(names.subarray(index === 0 ? 0 : ends[index - 1], ends[index])));
  }

  name(index: number): string {
    const member = this.member(index);
    return member.slice(member.lastIndexOf("/") + 1);
  }

  image(index: number): StoredImage {
    const shard = this.opened[this.places.shards[index]];
    const offset = this.places.offsets[index] * blockBytes;
    return {
      path: `${shard.path}: ${this.member(index)} at byte ${offset}`,
      member: {
        name: this.name(index),
        bytes: this.sizes[index],
        read: () => shard.read(offset, this.sizes[index]),
      },
    };
  }
}

/**
 * The shards of a directory; undefined for one of other files. Without an index all are read through once.
 *
 * @throws UserError for shards that are damaged, or samples without a class.
 */
export async function openShards(
  directory: string,
  listeners: LoadListeners = {},
): Promise<Shards | undefined> {
  const sets = shardsIn(directory);
  if (sets === undefined) return undefined;
  const { files, unused, places } = await indexOf(directory, sets, listeners);
  if (unused > 0) {
    listeners.onWarning?.(
      `ignored in ${directory}: ${unused} sample${unused === 1 ? "" : "s"} without an image`,
    );
  }
  const most = places.labels.reduce((high, label) => Math.max(high, label), 0);
  const names = namesIn(directory);
  if (names !== undefined && most >= names.length) {
    throw problem(
      `${join(directory, classesFile)} names ${names.length} classes, but an image is of class ${most}; classes are counted from 0, in the order of its lines`,
    );
  }
  const classNames = names ?? Array.from({ length: most + 1 }, (_, label) => String(label));
  return new Shards(directory, sets, files, places, classNames, names !== undefined);
}

/** The names of classes beside shards, if there are any. */
function namesIn(directory: string): readonly string[] | undefined {
  const path = join(directory, classesFile);
  if (!isFile(path)) return undefined;
  const names = readText(path, largest.lines).replace(/\n$/, "").split(/\r?\n/);
  const again = names.find((name, i) => names.indexOf(name) < i);
  if (again === undefined) return names;
  throw problem(`${path} names the class ${again} twice; classes need names of their own`);
}
