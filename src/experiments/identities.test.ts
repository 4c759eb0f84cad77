/**
 * Identities that an earlier version gave: studies find their runs by them, and runs their weights. They were made before
 * settings and the parts of recipes stood in tables, on the ten images below.
 */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { datasets } from "../data/index.js";
import type { Dataset } from "../data/index.js";
import type { RunOptions } from "../training/config.js";
import { fittedTo, parseRunOptions, resolveNetwork, settingsOf } from "../training/config.js";
import { hashOfRecipe, recipeOf, revisionOf } from "../run-folder/index.js";
import { identityHash } from "./study.js";

interface Known {
  readonly configuration: Record<string, unknown>;
  /** The identity of the planned run, as a study names its folder. */
  readonly study: string;
  /** The identity of the recipe, as `config.json` and the files of weights have it. */
  readonly recipe: string;
}

const known = JSON.parse(readFileSync(new URL("identities.json", import.meta.url), "utf8")) as Known[];

/** Ten images of the shape that a network takes, with the augmentation that a data set has. */
function dataOf({ data: name, augment }: RunOptions, shape: Dataset["shape"]): Dataset {
  const images = Uint8Array.from({ length: 10 * shape[0] * shape[1] * shape[2] }, (_, i) => (i * 31) % 256);
  const set = { images, labels: Uint8Array.from({ length: 10 }, (_, i) => i) };
  const augmentations: Readonly<Record<string, Dataset["augmentation"]>> = {
    digits: { rotation: 10 },
    mnist: { rotation: 10 },
    "fashion-mnist": undefined,
    kmnist: undefined,
    cifar10: { cropPadding: 4, flip: true },
    "cifar10-sample": undefined,
    images: undefined,
  };
  const augmentation = augment ? augmentations[name] : undefined;
  const data = datasets.fromArrays({ name, shape, classes: 10, train: set, test: set });
  return augmentation === undefined ? data : { ...data, augmentation };
}

test.each(known)("of $configuration", ({ configuration, study, recipe }) => {
  const options = parseRunOptions({ ...configuration }, () => "here");
  const { model: named, method } = resolveNetwork(options);
  const data = dataOf(options, named.input);
  const model = fittedTo(data, named);
  const ingredients = { ...settingsOf(options), model, method, data } as Parameters<typeof recipeOf>[0];
  // The rules of decoding that runs started with then.
  const rules = { resize: "centred", grey: "rec601" } as const;
  const made = recipeOf(ingredients, rules, revisionOf(ingredients));
  expect([identityHash(options), hashOfRecipe(made)]).toEqual([study, recipe]);
});

test("where and with what a run is done is no part of it", () => {
  const { configuration } = known[0];
  const options = parseRunOptions({ ...configuration }, () => "here");
  expect(identityHash({ ...options, threads: 2, dataDir: "elsewhere", out: "there" })).toBe(known[0].study);
});
