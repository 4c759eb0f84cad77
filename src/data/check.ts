/** What users hand in as data: rules, and the check that a data set is one. */
import { shown, UserError } from "../errors.js";
import type { Rule, Rules } from "../errors/options.js";
import {
  callback,
  checkedBy,
  checkOptions,
  checkValue,
  count,
  flag,
  imageShape,
  isObject,
  largestExtent,
  notNegative,
  objectOf,
  oneOf,
  optional,
  text,
  whole,
} from "../errors/options.js";
import { mostImageThreads, poolThreads } from "../machine.js";
import type { Augmentation } from "./augment.js";
import type { Dataset, LoadListeners } from "./dataset.js";
import type { ImageSet, ImageSource } from "./source.js";

/** Whoever listens to a load. */
export const listenerRules: Rules<LoadListeners> = {
  onProgress: optional(callback),
  onWarning: optional(callback),
};

/** How many images are decoded at a time: no more than the process has threads for. */
export const imageThreadsRule: Rule = checkedBy((value) => {
  const threads = Math.min(mostImageThreads, poolThreads());
  const { allowed, test } = whole(1, threads);
  const why =
    threads < mostImageThreads
      ? ", the threads of Node's pool in this process; the environment variable UV_THREADPOOL_SIZE sets how many before it starts"
      : "";
  checkValue("imageThreads", value, { allowed: `${allowed}${why}`, test });
});

const isRange = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 2 && value[0] > 0 && value[0] <= value[1];

const augmentationRules: Rules<Augmentation> = {
  rotation: optional({
    allowed: "from 0 to 180 degrees",
    test: (value) => notNegative.test(value) && (value as number) <= 180,
  }),
  cropPadding: optional({
    allowed: "an integer of 0 or more pixels",
    test: whole(0, largestExtent).test,
  }),
  padding: optional(oneOf("zeros", "reflection")),
  resizedCrop: optional({
    allowed: "{ area: [least, most], ratio: [least, most] }, positive numbers, areas of at most 1",
    test: (value) =>
      isObject(value) && isRange(value.area) && isRange(value.ratio) && (value.area as number[])[1] <= 1,
  }),
  flip: optional(flag),
  colorJitter: optional({
    allowed: "a number above 0, at most 1",
    test: (value) => typeof value === "number" && value > 0 && value <= 1,
  }),
};

/** @throws UserError for an unknown augmentation. */
export function checkAugmentation(augmentation: unknown): void {
  if (augmentation === undefined) return;
  checkOptions("augmentation", augmentation, augmentationRules, "augmentation.");
  const { resizedCrop, rotation, cropPadding, padding } = augmentation as Augmentation;
  if (resizedCrop === undefined) return;
  for (const [key, value] of Object.entries({ rotation, cropPadding, padding })) {
    if (value !== undefined) {
      throw new UserError(
        `augmentation.${key} has no effect with augmentation.resizedCrop; leave one of them out`,
      );
    }
  }
}

const numbers: Rule = {
  allowed: "an array of numbers, one per channel",
  test: (value) => Array.isArray(value) && value.every((item) => Number.isFinite(item)),
};
const setRule = objectOf("an image set { images, labels, count } or a source { count, labels, fill }", {
  count: "number",
});

/** Whether a value has the sets of a data set. @throws UserError, which begins with `must`, if it has not. */
export function checkSets(must: string, data: unknown): asserts data is Record<"train" | "test", unknown> {
  if (isObject(data) && "train" in data && "test" in data) return;
  const allowed = "a data set, such as await datasets.digits() gives";
  throw new UserError(`${must} ${allowed}, got ${shown(data)}`, "data");
}

/** @throws UserError for what is no data set, such as the Promise of one. */
export function checkDataset(data: unknown): asserts data is Dataset {
  checkSets("data must be", data);
  const { name, classes, shape, mean, std, checksum, augmentation } = data as Partial<Dataset>;
  checkValue("name", name, text, "data.");
  checkValue("classes", classes, count, "data.");
  checkValue("shape", shape, imageShape, "data.");
  checkValue("mean", mean, numbers, "data.");
  checkValue("std", std, numbers, "data.");
  checkValue("checksum", checksum, text, "data.");
  checkAugmentation(augmentation);
  if (augmentation?.colorJitter !== undefined) checkJitter(data as unknown as Dataset);
  for (const key of ["train", "test"] as const) {
    checkValue(key, data[key], setRule, "data.");
    const set = data[key] as Partial<ImageSet & ImageSource>;
    if (set.fill === undefined) checkTypes(`data.${key}`, set);
    else {
      checkValue("fill", set.fill, callback, `data.${key}.`);
      checkLabels(`data.${key}`, set);
      if (set.labels?.length !== set.count) {
        throw new UserError(
          `data.${key} has ${set.labels?.length} labels for ${set.count} images; give one per image`,
        );
      }
    }
  }
}

/** @throws UserError for images whose colours cannot be changed. */
function checkJitter({ shape: [, , channels], train }: Pick<Dataset, "shape" | "train">): void {
  if (channels !== 1 && channels !== 3) {
    throw new UserError(
      `data.augmentation.colorJitter is for images of 1 channel (grey) or 3 (red, green, blue), and these have ${channels}`,
    );
  }
  if ("images" in train && train.images instanceof Float32Array) {
    throw new UserError(
      "data.augmentation.colorJitter is for images of bytes, and data.train.images are a Float32Array",
    );
  }
}

/** @throws UserError for arrays that are of no type that images or labels have. */
export function checkTypes(name: string, { images, labels }: Partial<ImageSet>): void {
  if (!(images instanceof Uint8Array || images instanceof Float32Array)) {
    throw new UserError(`${name}.images must be a Uint8Array or a Float32Array, got ${shown(images)}`);
  }
  checkLabels(name, { labels });
}

function checkLabels(name: string, { labels }: Partial<Pick<ImageSet, "labels">>): void {
  if (!(labels instanceof Uint8Array || labels instanceof Int32Array)) {
    throw new UserError(`${name}.labels must be a Uint8Array or an Int32Array, got ${shown(labels)}`);
  }
}
