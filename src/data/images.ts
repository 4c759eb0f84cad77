/** A folder of images by class as a data set. */
import { existsSync, realpathSync } from "node:fs";
import { UserError } from "../errors.js";
import type { Rules } from "../errors/options.js";
import { checkOptions, imageShape, objectOf, optional, text } from "../errors/options.js";
import { listenerRules } from "./check.js";
import type { Dataset, LoadListeners } from "./dataset.js";
import { checksumOf } from "./dataset.js";
import { decodeImages } from "./decode.js";
import { doubtsOf } from "./doubts.js";
import type { ImageFile } from "./folder.js";
import { listImages } from "./folder.js";
import type { DecodeRules } from "./rules.js";
import { decodeRules, isRules, rulesOf } from "./rules.js";
import type { ImageSet } from "./source.js";

/** How a network's images were prepared, which all that it is asked about must be too. */
export interface Preparation extends DecodeRules {
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly classNames?: readonly string[];
}

/** The options of `datasets.images`. */
export interface ImagesOptions extends LoadListeners {
  /** Holds train/CLASS and test/CLASS (or val/CLASS), or CLASS alone. */
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
  /** By which rules files become pixels, where a run goes on that has older ones; default those of `preparation`, else of new runs. */
  readonly rules?: DecodeRules;
}

const optionRules: Rules<ImagesOptions> = {
  ...listenerRules,
  directory: text,
  shape: imageShape,
  preparation: optional(objectOf("a run's preparation { mean, std, classNames }")),
  trainedOn: optional(objectOf("an object with directory and checksum")),
  rules: optional({ allowed: 'rules of { resize: "centred", grey: "rec601" }, both or less', test: isRules }),
};

/**
 * Images in folders named by their classes, decoded and resized (see `decode.ts`), with the training
 * images' mean and standard deviation. Augmentation: a crop after padding by an eighth of a side.
 *
 * Without folders for training and test a tenth of each class is held out for test: see `folder.ts`.
 * The checksum is of decoded pixels, labels and class names.
 *
 * @throws UserError for folders that are not laid out so, and for images that cannot be read.
 */
export async function images(options: ImagesOptions): Promise<Dataset> {
  checkOptions("images", options, optionRules);
  const { directory, shape, preparation, onProgress, onWarning } = options;
  const rules = rulesOf(options.rules ?? preparation ?? decodeRules);
  const [height, width, channels] = shape;
  if (channels !== 1 && channels !== 3) {
    throw new UserError(`images have 1 channel (grey) or 3 (red, green, blue), not ${channels}`, "channels");
  }
  const { classNames, train, test, isHeldOut, untested, ignored } = listImages(
    directory,
    preparation?.classNames,
  );
  if (ignored !== undefined) onWarning?.(`ignored in ${directory}: ${ignored}`);
  if (untested.length > 0) onWarning?.(untestedText(directory, untested));
  const isScored = preparation !== undefined;
  // Of the run's own folder the images that it learned from are none to score it by.
  const isOwnPath = isScored && isSameFolder(directory, options.trainedOn?.directory);
  const learned = isOwnPath ? [] : train;
  const files = [...learned, ...test];
  const pixels = await decodeImages(
    files.map(({ path }) => path),
    {
      shape,
      rules,
      onProgress: (done) => onProgress?.({ what: directory, unit: "images", done, total: files.length }),
    },
  );
  const boundary = learned.length * height * width * channels;
  const trainSet = imageSet(learned, pixels.subarray(0, boundary));
  const testSet = imageSet(test, pixels.subarray(boundary));
  const checksum = checksumOf(
    trainSet.images,
    trainSet.labels,
    testSet.images,
    testSet.labels,
    Buffer.from(JSON.stringify(classNames)),
  );
  const all = { name: "images", classes: classNames.length, classNames, shape, rules, checksum };
  const augmentation = { cropPadding: Math.round(Math.min(height, width) / 8) };
  if (!isScored) {
    const moments = momentsOf(trainSet.images, channels, directory);
    const doubts = doubtsOf(trainSet, testSet, channels);
    if (doubts !== undefined) onWarning?.(`in ${directory}: ${doubts}`);
    return { ...all, ...moments, train: trainSet, test: testSet, augmentation };
  }
  const { mean, std } = preparation;
  const nothing = imageSet([], pixels.subarray(0, 0));
  if (isHeldOut && options.trainedOn === undefined) {
    onWarning?.(
      `all ${files.length} images of ${directory} are scored, also those that the network was trained on; trainedOn leaves these out`,
    );
  }
  const isOwn = !isHeldOut || isOwnPath || checksum === options.trainedOn?.checksum;
  const scored = isOwn ? testSet : imageSet(files, pixels);
  return { ...all, mean, std, train: nothing, test: scored, testIsAll: !isOwn, augmentation };
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

function imageSet(files: readonly ImageFile[], bytes: Uint8Array): ImageSet & { images: Uint8Array } {
  return { images: bytes, labels: Int32Array.from(files, ({ label }) => label), count: files.length };
}

/** Mean and standard deviation of the pixels / 255 in each channel, exactly: by counting each of 256 values. */
function momentsOf(pixels: Uint8Array, channels: number, directory: string): Pick<Dataset, "mean" | "std"> {
  const counts = Array.from({ length: channels }, () => new Float64Array(256));
  for (let i = 0; i < pixels.length;) for (const count of counts) count[pixels[i++]]++;
  const total = pixels.length / channels;
  const average = (f: (value: number) => number) => (count: Float64Array) =>
    count.reduce((sum, times, value) => sum + times * f(value), 0) / total;
  const mean = counts.map(average((value) => value));
  const std = counts.map((count, c) => Math.sqrt(average((value) => (value - mean[c]) ** 2)(count)));
  const flat = std.indexOf(0);
  if (flat >= 0) {
    const where = channels === 1 ? "" : ` in ${["red", "green", "blue"][flat]}`;
    throw new UserError(
      `all pixels of the training images in ${directory} have one value${where}; nothing can be learned from that`,
      "dataDirectory",
    );
  }
  return { mean: mean.map((value) => value / 255), std: std.map((value) => value / 255) };
}
