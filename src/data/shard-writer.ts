/** Writes the images of a folder as WebDataset shards, which `shards.ts` reads. */
import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { basename, extname, isAbsolute, join, relative, resolve } from "node:path";
import { UserError } from "../errors.js";
import type { Rules } from "../errors/options.js";
import { checkOptions, count, optional, text, whole } from "../errors/options.js";
import { largest, readText } from "../files/read.js";
import { makeDirectories, removeTemporaries, stagePieces, writeAtomically } from "../files/write.js";
import { whyUnwritten } from "../files/reasons.js";
import { defaultImageThreads } from "../machine.js";
import { permutation } from "../random/philox.js";
import { listenerRules } from "./check.js";
import type { LoadListeners } from "./dataset.js";
import { imageBytes } from "./opened.js";
import type { ImageFile } from "./folder.js";
import { listImages, listShards } from "./folder.js";
import { isImagenet, listImagenet } from "./imagenet.js";
import { entriesOf, problem } from "./layout.js";
import { isDirectory, onDisk } from "./paths.js";
import { keyFor } from "./random.js";
import { samplesIn } from "./samples.js";
import { hasIndex, indexBeside, indexFile } from "./shard-index.js";
import { classesFile, openShards } from "./shards.js";
import { jpegQuality, shrunk } from "./shrink.js";
import { allOf } from "./source.js";
import type { LabelledFiles, StoredImage } from "./stored.js";
import { tarEnd, tarWriter } from "./tar.js";
import { Unreadable, refusal } from "./unreadable.js";

/** The options of `writeShards`. */
export interface ShardOptions extends LoadListeners {
  /** Holds images by class, as `datasets.images` and `datasets.imagenet` take them. */
  readonly directory: string;
  /** The folder of the shards. It is made; or it holds the first shards of the same images, which are gone on with. */
  readonly out: string;
  /** What the shorter side of a larger image becomes, in pixels. Default: files are copied. */
  readonly size?: number;
  /** What a shard holds at most, in bytes, unless one image is larger. Default 256 MiB. */
  readonly shardBytes?: number;
}

/** What shards hold. */
export interface WrittenShards {
  readonly directory: string;
  /** The data set that takes them: of ImageNet's classes, "images" does as well. */
  readonly data: "imagenet" | "images";
  readonly classes: number;
  readonly train: number;
  readonly val: number;
  /** Whether they were whole already, so that nothing was written. */
  readonly wereThere: boolean;
}

const optionRules: Rules<ShardOptions> = {
  ...listenerRules,
  directory: text,
  out: text,
  size: optional(whole(16, 4096)),
  shardBytes: optional(count),
};

/** Describes what is written into a folder of shards. */
const descriptionFile = "shards.json";

/**
 * Writes images as WebDataset shards: train-000000.tar, ... and val-000000.tar, ..., with the names of the classes and an
 * index beside them. A shard appears when it is whole. Training images are in a random order, the same at each writing,
 * since other readers take them as they come.
 *
 * @throws UserError for a folder that holds anything else, and for images that cannot be read.
 */
export async function writeShards(options: ShardOptions): Promise<WrittenShards> {
  checkOptions("writeShards", options, optionRules);
  const { directory, out, size, shardBytes = 256 * 2 ** 20, onProgress } = options;
  const way = relative(resolve(directory), resolve(out));
  if (!way.startsWith("..") && !isAbsolute(way)) {
    throw new UserError(`out must be a folder outside of ${directory}, got ${out}`, "out");
  }
  const { classNames, train, test } = await imagesIn(options);
  checkNames(directory, classNames);
  const sets = { train: named(train, classNames), val: named(test, classNames) };
  const description = describe(sets, size, classNames);
  const isWhole = begun(out, description);
  const written = {
    directory: out,
    data: isImagenet(directory) ? ("imagenet" as const) : ("images" as const),
    classes: classNames.length,
    train: sets.train.keys.length,
    val: sets.val.keys.length,
  };
  if (isWhole) {
    removeTemporaries(out, undefined, abandonedMilliseconds);
    return { ...written, wereThere: true };
  }
  try {
    makeDirectories(out);
  } catch (error) {
    throw new UserError(`cannot make ${out}: ${whyUnwritten(error).reason}; choose another folder`, "out");
  }
  removeTemporaries(out, undefined, abandonedMilliseconds);
  const then = { then: "give the command again" };
  writeAtomically(join(out, descriptionFile), description, then);
  writeAtomically(join(out, classesFile), `${classNames.join("\n")}\n`, then);
  const total = written.train + written.val;
  let done = 0;
  const onWritten = (images: number) =>
    onProgress?.({ what: out, unit: "images", done: (done += images), total });
  const order = permutation(written.train, keyFor(0, "order"), 0);
  await writeSet(sets.train, order, { ...options, set: "train", shardBytes, onWritten });
  await writeSet(sets.val, allOf(written.val), { ...options, set: "val", shardBytes, onWritten });
  writeAtomically(join(out, indexFile), await indexBeside(out), then);
  removeTemporaries(out, undefined, abandonedMilliseconds);
  return { ...written, wereThere: false };
}

/** A shard under way is written to more often than that: each image takes less. */
const abandonedMilliseconds = 60_000;

// --- what is written -----------------------------------------------------------------------------

/** The images of a folder, by the reader that takes it. */
async function imagesIn(
  options: ShardOptions,
): Promise<{ classNames: readonly string[]; train: LabelledFiles; test: LabelledFiles }> {
  const { directory, onProgress, onWarning } = options;
  if (isImagenet(directory)) {
    const { wnids, train, test } = await listImagenet({ directory, onProgress, onWarning });
    return { classNames: wnids, train: train ?? test, test };
  }
  const shards = await openShards(directory, options);
  const listed = shards === undefined ? listImages(directory) : listShards(shards);
  if (listed.ignored !== undefined) onWarning?.(`ignored in ${directory}: ${listed.ignored}`);
  return { classNames: listed.classNames, train: asFiles(listed.train), test: asFiles(listed.test) };
}

const asFiles = (files: readonly ImageFile[]): LabelledFiles => ({
  files: {
    count: files.length,
    sizes: files.map(({ path, member }) => member?.bytes ?? statSync(onDisk(path)).size),
    name: (i) => files[i].member?.name ?? basename(files[i].path),
    image: (i) => files[i],
  },
  indices: allOf(files.length),
  labels: Int32Array.from(files, ({ label }) => label),
});

/** @throws UserError for a class whose name cannot be a line of UTF-8. */
function checkNames(directory: string, classNames: readonly string[]): void {
  const odd = classNames.find((name) => /[\p{Cc}\p{Cs}]/u.test(name) || name === "");
  if (odd === undefined) return;
  throw problem(`${directory} has the class ${odd}, whose name is no line of UTF-8; rename its folder`);
}

/** The images of a set, and the names of their samples. */
interface NamedFiles extends LabelledFiles {
  readonly keys: readonly string[];
}

/**
 * Gives each image a name of its own: CLASS/NAME, where a dot within NAME is "_", since a sample's name ends at its first,
 * and so is what is not UTF-8. Of two that are then called the same, one gets a number.
 */
function named(set: LabelledFiles, classNames: readonly string[]): NamedFiles {
  const { files, indices, labels } = set;
  const taken = new Set<string>();
  const keys = Array.from(indices, (index, i) => {
    const name = files.name(index);
    const plain = name.slice(0, name.length - extname(name).length).replace(/[.\p{Cs}]/gu, "_");
    const stem = `${classNames[labels[i]]}/${plain}`;
    let key = stem;
    for (let n = 1; taken.has(key); n++) key = `${stem}_${n}`;
    taken.add(key);
    return key;
  });
  return { ...set, keys };
}

/** What decides the bytes of shards, as text. */
function describe(
  { train, val }: Readonly<Record<"train" | "val", NamedFiles>>,
  size: number | undefined,
  classNames: readonly string[],
): string {
  const hash = createHash("sha256").update(JSON.stringify(classNames));
  for (const { keys, files, indices, labels } of [train, val]) {
    keys.forEach((key, i) => hash.update(`${key}\0${labels[i]}\0${files.sizes[indices[i]]}\n`));
    hash.update("\n");
  }
  const encoding = size === undefined ? {} : { size, quality: jpegQuality };
  const images = { train: train.keys.length, val: val.keys.length, sha256: hash.digest("hex") };
  return `${JSON.stringify({ version: 1, ...encoding, images })}\n`;
}

/**
 * Whether a folder holds all of the shards that are described.
 *
 * @throws UserError for a folder that holds anything else.
 */
function begun(out: string, description: string): boolean {
  if (!existsSync(out)) return false;
  if (!isDirectory(out)) throw new UserError(`${out} is not a folder; choose another`, "out");
  const names = entriesOf(out).map(({ name }) => name);
  if (names.length === 0) return false;
  const ours = /^((train|val)-\d{6}\.tar|shards\.json|classes\.txt|fewbit\.index)(\.[\da-f]+\.tmp)?$/;
  const other = names.find((name) => !ours.test(name));
  if (other !== undefined) {
    throw new UserError(`${out} holds other files, such as ${other}; choose a new folder`, "out");
  }
  const path = join(out, descriptionFile);
  const isAlone = names.every((name) => name.startsWith(descriptionFile));
  if (isAlone && !existsSync(path)) return false;
  if (!existsSync(path) || readText(path, largest.json) !== description) {
    throw new UserError(
      `${out} holds shards of other images, or of another size; choose a new folder`,
      "out",
    );
  }
  return hasIndex(out);
}

// --- writing -------------------------------------------------------------------------------------

interface SetOptions extends Pick<ShardOptions, "out" | "size"> {
  readonly set: "train" | "val";
  readonly shardBytes: number;
  readonly onWritten: (count: number) => void;
}

/** Writes the shards of a set that are not there. Its images come in the given order. */
async function writeSet(
  { files, indices, labels, keys }: NamedFiles,
  order: Uint32Array,
  { set, out, size, shardBytes, onWritten }: SetOptions,
): Promise<void> {
  let shard = 0;
  const next = () => join(out, `${set}-${String(shard).padStart(6, "0")}.tar`);
  let first = 0;
  for (; existsSync(next()); shard++) {
    const expected = (i: number) => ({ key: keys[order[first + i]], label: labels[order[first + i]] });
    const there = await checkShard(next(), expected);
    first += there;
    onWritten(there);
  }
  const member = await tarWriter();
  const samples = ahead(order.length - first, async (i) => {
    const at = order[first + i];
    const own = extname(files.name(indices[at]));
    const { bytes, ending = own } = await contents(files.image(indices[at]), size);
    return [
      ...member(`${keys[at]}${ending}`, bytes),
      ...member(`${keys[at]}.cls`, Buffer.from(String(labels[at]))),
    ];
  });
  let sample = await samples.next();
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    for (let bytes = 0; sample.done !== true; sample = await samples.next()) {
      const length = sample.value.reduce((sum, part) => sum + part.length, 0);
      if (bytes > 0 && bytes + length > shardBytes) break;
      yield* sample.value;
      bytes += length;
      onWritten(1);
    }
    yield tarEnd;
  };
  for (; sample.done !== true; shard++) {
    const place = await stagePieces(next(), pieces(), { then: "give the command again" });
    place();
  }
}

/** How many images a shard holds. @throws UserError unless they are those that are expected */
async function checkShard(
  path: string,
  expected: (i: number) => { readonly key: string | undefined; readonly label: number },
): Promise<number> {
  const samples = await samplesIn(path);
  const isOurs = samples.every(({ key, label }, i) => {
    const own = expected(i);
    return own.key === key && own.label === label;
  });
  if (isOurs) return samples.length;
  throw new UserError(
    `${path} holds other images than are to be written; remove it, or choose a new folder`,
    "out",
  );
}

/** What a shard holds of an image, and its ending if it is another than the file's. @throws Unreadable */
async function contents(
  image: StoredImage,
  size: number | undefined,
): Promise<{ readonly bytes: Buffer; readonly ending?: string }> {
  const bytes = await imageBytes(image);
  const smaller = size === undefined ? undefined : await shrunk(image, bytes, size);
  return smaller === undefined ? { bytes } : { bytes: smaller, ending: ".jpg" };
}

/**
 * What `make` gives for 0 to most - 1, in that order, while the next are being made.
 *
 * @throws UserError that names the images that cannot be read, of those under way.
 */
async function* ahead<T>(most: number, make: (i: number) => Promise<T>): AsyncGenerator<T, undefined> {
  const underWay: Promise<T>[] = [];
  for (let next = 0, i = 0; i < most; i++) {
    for (; next < most && underWay.length < 2 * (defaultImageThreads() + 1); next++) {
      const made = make(next);
      made.catch(() => {}); // it fails when it is its turn
      underWay.push(made);
    }
    const [first] = underWay;
    try {
      yield await first;
    } catch (error) {
      const settled = await Promise.allSettled(underWay);
      const reasons = settled.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
      const bad = reasons.filter((reason) => reason instanceof Unreadable);
      throw bad.length > 0 ? refusal(bad) : error;
    }
    void underWay.shift();
  }
  return undefined;
}
