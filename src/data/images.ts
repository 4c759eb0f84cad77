/** A folder of images by class as a data set. */
import { createHash } from "node:crypto";
import { existsSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { memoryText, UserError } from "../errors.js";
import type { Rules } from "../errors/options.js";
import { checkOptions, flag, imageShape, objectOf, optional, text } from "../errors/options.js";
import { imageThreadsRule, listenerRules } from "./check.js";
import { Damaged } from "./damaged.js";
import type { Dataset, LoadListeners } from "./dataset.js";
import { allocateImages, decodeEach } from "./decode.js";
import { Doubts } from "./doubts.js";
import { fileSource } from "./files.js";
import type { ImageFile } from "./folder.js";
import { listImages, listShards } from "./folder.js";
import { Moments } from "./moments.js";
import type { DecodeRules } from "./rules.js";
import { allowedRules, decodeRules, isRules, rulesOf } from "./rules.js";
import { openShards } from "./shards.js";
import type { ImageSet, ImageSource } from "./source.js";

/** How a network's images were prepared, which all that it is asked about must be too. */
export interface Preparation extends DecodeRules {
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly classNames?: readonly string[];
}

/** The options of `datasets.images`. */
export interface ImagesOptions extends LoadListeners {
  /** Holds train/CLASS and test/CLASS (or val/CLASS), CLASS alone, or WebDataset shards (docs/data.md). */
  readonly directory: string;
  /** What every image becomes: height and width, and 1 channel of grey or 3 of colour. */
  readonly shape: readonly [height: number, width: number, channels: number];
  /** That of a trained network, to score it: then only what is scored is read, and `train` is empty. */
  readonly preparation?: Preparation;
  /**
   * What such a network was trained on: its checksum, and the folder where it was. Of a folder without test
   * images of its own, only those that were held out of the training are scored if it is the one trained on.
   * Of any other such folder, or if this is left out, all images are scored.
   */
  readonly trainedOn?: { readonly directory?: string; readonly checksum: string };
  /** The rules by which files become pixels, where a run goes on that has older ones. Default: those of `preparation`, else of new runs. */
  readonly rules?: DecodeRules;
  /**
   * Bytes that the images may take in memory, one byte per value. Those of a larger folder are decoded again whenever they are
   * asked for, which gives the same bits and takes longer. Default 128 MiB.
   */
  readonly memory?: number;
  /** Images that are decoded at a time. Default: the CPUs, at most 8. Results do not depend on it. */
  readonly imageThreads?: number;
  /** Leaves files out that cannot be read as images, with a warning. Default: they are refused. */
  readonly skipDamaged?: boolean;
}

/** What a folder's images may take in memory by default. */
export const imageMemory = 128 * 2 ** 20;

const optionRules: Rules<ImagesOptions> = {
  ...listenerRules,
  directory: text,
  shape: imageShape,
  preparation: optional(objectOf("a run's preparation { mean, std, classNames }")),
  trainedOn: optional(objectOf("an object with directory and checksum")),
  rules: optional({ allowed: allowedRules, test: isRules }),
  memory: optional({
    allowed: "a number of bytes, 0 or more",
    test: (value) => typeof value === "number" && value >= 0,
  }),
  imageThreads: optional(imageThreadsRule),
  skipDamaged: optional(flag),
};

/**
 * Images in folders named by their classes, decoded and resized (see `decode.ts`), with the training
 * images' mean and standard deviation. Augmentation: a crop after padding by an eighth of a side.
 *
 * Without folders for training and test a tenth of each class is held out for test: see `folder.ts`. All files are
 * decoded once, so that a bad one is reported before anything is trained. The checksum is of decoded pixels, labels and
 * class names, whether images are then in memory or not.
 *
 * @throws UserError for folders that are not laid out so, and for images that cannot be read.
 */
export async function images(options: ImagesOptions): Promise<Dataset> {
  checkOptions("images", options, optionRules);
  const { directory, shape, preparation, onWarning } = options;
  const rules = rulesOf(options.rules ?? preparation ?? decodeRules);
  const [height, width, channels] = shape;
  if (channels !== 1 && channels !== 3) {
    throw new UserError(`images have 1 channel (grey) or 3 (red, green, blue), not ${channels}`, "channels");
  }
  const known = preparation?.classNames;
  const shards = await openShards(directory, options);
  const listed = shards === undefined ? listImages(directory, rules, known) : listShards(shards, known);
  const { classNames, train, test, isHeldOut, untested, unused, ignored } = listed;
  if (ignored !== undefined) onWarning?.(`ignored in ${directory}: ${ignored}`);
  if (unused !== undefined && preparation === undefined) {
    onWarning?.(
      `the images in ${join(directory, unused)} are not used, since there are test images; to choose the best epoch on other images than these, hold some out with validation`,
    );
  }
  if (untested.length > 0) onWarning?.(untestedText(directory, untested));
  const isScored = preparation !== undefined;
  // Of the run's own folder the images that it learned from are none to score it by.
  const isOwnPath = isScored && isSameFolder(directory, options.trainedOn?.directory);
  const learned = isOwnPath ? [] : train;
  const read = await readAll({ learned, test, classNames }, { ...options, rules });
  const { checksum, damaged, sets } = read;
  const all = { name: "images", classes: classNames.length, classNames, shape, rules, checksum, damaged };
  const augmentation = { cropPadding: Math.round(Math.min(height, width) / 8) };
  if (!isScored) {
    const moments = read.moments.result;
    checkDeviation(moments.std, directory);
    const doubts = read.doubts.text;
    if (doubts !== undefined) onWarning?.(`in ${directory}: ${doubts}`);
    return { ...all, ...moments, train: sets.learned, test: sets.test, augmentation };
  }
  const { mean, std } = preparation;
  if (isHeldOut && options.trainedOn === undefined) {
    onWarning?.(
      `all ${sets.all.count} images of ${directory} are scored, also those that the network was trained on; trainedOn leaves these out`,
    );
  }
  const hasOwnTestSet = !isHeldOut || isOwnPath || checksum === options.trainedOn?.checksum;
  const scored = hasOwnTestSet ? sets.test : sets.all;
  return {
    ...all,
    mean,
    std,
    train: sets.none,
    test: scored,
    testIsAll: !hasOwnTestSet,
    augmentation,
  };
}

/** The files of a folder that are read. */
interface Listed {
  readonly learned: readonly ImageFile[];
  readonly test: readonly ImageFile[];
  readonly classNames: readonly string[];
}

/** What one look at each file gives. */
interface Read {
  readonly checksum: string;
  /** The mean and deviation of the images to train on. */
  readonly moments: Moments;
  readonly doubts: Doubts;
  /** Files that were left out; undefined for none. */
  readonly damaged: number | undefined;
  /** The images to train on, those to test with, both, and none. */
  readonly sets: Readonly<Record<"learned" | "test" | "all" | "none", ImageSet | ImageSource>>;
}

/** Decodes all files once, and keeps their images where they may be in memory. @throws UserError for bad files that are not to be left out */
async function readAll(
  { learned, test, classNames }: Listed,
  {
    directory,
    shape,
    rules = decodeRules,
    memory = imageMemory,
    imageThreads,
    skipDamaged,
    onProgress,
    onWarning,
  }: ImagesOptions,
): Promise<Read> {
  const files = [...learned, ...test];
  const size = shape[0] * shape[1] * shape[2];
  const isKept = files.length * size <= memory;
  if (!isKept) {
    onWarning?.(
      `the ${files.length.toLocaleString("en-US")} images of ${directory} take ${memoryText(files.length * size)}, more than ${memoryText(memory)}: they are decoded again whenever they are needed`,
    );
  }
  const kept = isKept ? allocateImages(files.length, shape) : undefined;
  const [moments, doubts] = [new Moments(shape[2]), new Doubts(shape[2])];
  const hash = createHash("sha256");
  const labelsOf = (some: readonly ImageFile[]) => Int32Array.from(some, ({ label }) => label);
  const damaged = skipDamaged === true ? new Damaged(onWarning) : undefined;
  /** The files that are images, and how many of them are to train on. */
  const sound: ImageFile[] = [];
  let trained: number | undefined;
  const endTraining = (): void => {
    if (trained !== undefined) return;
    trained = sound.length;
    hash.update(labelsOf(sound));
  };
  // Images, labels, images, labels, names.
  await decodeEach(
    files,
    {
      shape,
      rules,
      imageThreads,
      onDamaged: damaged && ((file) => damaged.add(file)),
      onProgress: (done) => onProgress?.({ what: directory, unit: "images", done, total: files.length }),
    },
    (pixels, index) => {
      const isLearned = index < learned.length;
      if (!isLearned) endTraining();
      hash.update(pixels);
      if (isLearned) moments.add(pixels);
      doubts.add(pixels, isLearned ? "train" : "test");
      kept?.set(pixels, sound.length * size);
      sound.push(files[index]);
    },
  );
  endTraining();
  hash.update(labelsOf(sound.slice(trained))).update(JSON.stringify(classNames));
  if (damaged !== undefined) checkLeft({ learned, test, classNames }, sound, directory);
  const setOf = (begin = 0, end = sound.length) => {
    const some = sound.slice(begin, end);
    return kept === undefined
      ? fileSource(some, { shape, rules, imageThreads })
      : { images: kept.subarray(begin * size, end * size), labels: labelsOf(some), count: some.length };
  };
  return {
    checksum: hash.digest("hex"),
    moments,
    doubts,
    damaged: damaged?.count || undefined,
    sets: { learned: setOf(0, trained), test: setOf(trained), all: setOf(), none: setOf(0, 0) },
  };
}

/** @throws UserError where damaged files leave a class without images to train on, or no image to test with. */
function checkLeft(
  { learned, test, classNames }: Listed,
  sound: readonly ImageFile[],
  directory: string,
): void {
  const left = new Set(sound);
  for (const label of new Set(learned.map((file) => file.label))) {
    if (!learned.some((file) => file.label === label && left.has(file))) {
      throw new UserError(
        `all training images of ${classNames[label]} in ${directory} are damaged; replace some, or move its folders elsewhere`,
        "dataDirectory",
      );
    }
  }
  if (test.length > 0 && !test.some((file) => left.has(file))) {
    throw new UserError(`all test images in ${directory} are damaged; replace some`, "dataDirectory");
  }
}

/** Whether two paths lead to one folder. */
function isSameFolder(path: string, other: string | undefined): boolean {
  if (other === undefined || !existsSync(other)) return false;
  return realpathSync(path) === realpathSync(other);
}

function untestedText(directory: string, [first, ...more]: readonly string[]): string {
  const others = more.length === 0 ? "" : ` and ${more.length} more`;
  return `${directory} has no test images of ${first}${others}: what is learned of that is not measured`;
}

/** @throws UserError where the training images have one value in a channel. */
function checkDeviation(std: readonly number[], directory: string): void {
  const flat = std.indexOf(0);
  if (flat < 0) return;
  const where = std.length === 1 ? "" : ` in ${["red", "green", "blue"][flat]}`;
  throw new UserError(
    `all pixels of the training images in ${directory} have one value${where}; nothing can be learned from that`,
    "dataDirectory",
  );
}
