/** A data set of one's own, from typed arrays. */
import { UserError } from "../errors.js";
import type { Rule, Rules } from "../errors/options.js";
import {
  checkKnown,
  checkOptions,
  imageShape,
  largestExtent,
  objectOf,
  optional,
  text,
  whole,
} from "../errors/options.js";
import type { Augmentation } from "./augment.js";
import { checkAugmentation, checkTypes } from "./check.js";
import type { ArrayDataset } from "./dataset.js";
import type { ImageSet } from "./source.js";
import { checksumOf } from "./dataset.js";

/** A data set of one's own as `datasets.fromArrays` takes it. */
export interface ArraysOptions {
  readonly name?: string;
  /** Images [count, height, width, channels] in row-major order; bytes 0..255 are divided by 255. Labels 0..classes-1. */
  readonly train: Omit<ImageSet, "count">;
  readonly test: Omit<ImageSet, "count">;
  readonly shape: readonly [height: number, width: number, channels: number];
  readonly classes: number;
  /** Per channel, of the values in 0..1 (or of the floats as given); by default 0 and 1. */
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  readonly augmentation?: Augmentation;
}

const arraysRule = objectOf("an object with images and labels");
const perChannelRule: Rule = { allowed: "an array of numbers, one per channel", test: Array.isArray };
const rules: Rules<ArraysOptions> = {
  name: optional(text),
  train: arraysRule,
  test: arraysRule,
  shape: imageShape,
  classes: whole(2, largestExtent),
  mean: optional(perChannelRule),
  std: optional(perChannelRule),
  augmentation: optional(objectOf("an object, such as { flip: true }")),
};

/** Checks the arrays and makes them a data set; they are not copied. Throws `UserError`. */
export function fromArrays(options: ArraysOptions): ArrayDataset {
  checkOptions("fromArrays", options, rules);
  const { name = "arrays", shape, classes, augmentation } = options;
  const channels = shape[2];
  const mean = perChannel("mean", options.mean ?? Array<number>(channels).fill(0), channels);
  const std = perChannel("std", options.std ?? Array<number>(channels).fill(1), channels);
  const flat = std.findIndex((value) => !(value > 0 && Number.isFinite(Math.fround(1 / value))));
  if (flat >= 0)
    throw new UserError(
      `std must be above 0 in each channel, and not so small that 1/std overflows, got ${std[flat]} in channel ${flat}`,
    );
  checkAugmentation(augmentation);
  const train = imageSet("train", options.train, shape, classes);
  const test = imageSet("test", options.test, shape, classes);
  const checksum = checksumOf(train.images, train.labels, test.images, test.labels);
  return { name, classes, shape, train, test, mean, std, augmentation, checksum };
}

function imageSet(
  name: string,
  given: Omit<ImageSet, "count">,
  shape: readonly number[],
  classes: number,
): ImageSet {
  checkKnown(name, Object.keys(given), ["images", "labels"]);
  checkTypes(name, given);
  const { images, labels } = given;
  const count = labels.length;
  const expected = count * shape[0] * shape[1] * shape[2];
  if (count === 0) throw new UserError(`${name}.labels is empty; give at least one image`);
  if (images.length !== expected) {
    throw new UserError(
      `${name}.images has ${images.length} values; ${count} labels and images of ${shape.join("x")} need ${expected}`,
    );
  }
  const badLabel = labels.findIndex((label) => label < 0 || label >= classes);
  if (badLabel >= 0) {
    throw new UserError(
      `${name}.labels has ${labels[badLabel]} at position ${badLabel}; labels are 0 to ${classes - 1}`,
    );
  }
  const badValue = images instanceof Float32Array ? images.findIndex((value) => !Number.isFinite(value)) : -1;
  if (badValue >= 0) {
    throw new UserError(
      `${name}.images has ${images[badValue]} at position ${badValue}; values must be finite`,
    );
  }
  return { images, labels, count };
}

function perChannel(name: string, values: readonly number[], channels: number): readonly number[] {
  if (values.length !== channels || !values.every(Number.isFinite)) {
    throw new UserError(
      `${name} must have one finite number per channel (${channels}), got [${values.join(", ")}]`,
    );
  }
  return values;
}
