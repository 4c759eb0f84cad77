/**
 * A folder of images by class, as its names tell it: DIR/train/CLASS/FILE and DIR/test/CLASS/FILE (or
 * val for test), or DIR/CLASS/FILE, of which a tenth of each class is held out for test. Other names of these, and other
 * places of the files, are in `layout.ts`.
 */
import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import type { Classes, Layout } from "./layout.js";
import { Ignored, classesOf, entriesOf, isUnlabelled, layoutOf, problem, setsOf } from "./layout.js";
import { bytesOf, isDirectory } from "./paths.js";
import type { DecodeRules } from "./rules.js";
import { decodeRules } from "./rules.js";
import type { SetName } from "./shard-index.js";
import type { Shards } from "./shards.js";
import type { StoredImage } from "./stored.js";

/** An image and the index of its class. */
export interface ImageFile extends StoredImage {
  readonly label: number;
}

export interface ImageFolder {
  /** Sorted by code units. */
  readonly classNames: readonly string[];
  /** By class, then by name. Empty if only test images were asked for. */
  readonly train: readonly ImageFile[];
  readonly test: readonly ImageFile[];
  /** Whether the folder tells no test images from others, so that some of its own were chosen: see `byClass`. */
  readonly isHeldOut: boolean;
  /** Classes that are trained on and have no test images. */
  readonly untested: readonly string[];
  /** The folder of validation images beside one of test images: it has no part in a run. */
  readonly unused: string | undefined;
  /** What was left out, in words; undefined if nothing was. */
  readonly ignored: string | undefined;
}

/**
 * Lists a folder's images without opening one.
 *
 * @param rules say what its names are taken for: see `layout.ts`.
 * @param known the classes of a trained network, among which the folder's must be. Where there are folders train and test,
 *   only the test images are then listed.
 * @throws UserError for a path that is not a folder, or a folder that holds no classes or images, or other classes for
 * test than for training.
 */
export function listImages(
  directory: string,
  rules: DecodeRules = decodeRules,
  known?: readonly string[],
): ImageFolder {
  if (!isDirectory(directory))
    throw problem(`${directory} is not a directory; give the one that holds the images`);
  const ignored = new Ignored();
  const layout = layoutOf(rules);
  const sets = setsOf(directory, layout);
  const place = { directory, layout, ignored };
  const listed = sets.size > 0 ? bySet(place, sets, known) : byClass(place, known);
  return { ...listed, ignored: ignored.text };
}

/**
 * Lists the images of shards as those of folders are listed.
 *
 * @param known the classes of a trained network. Then only the test images are listed.
 * @throws UserError where there are none to train on, or of other classes for test.
 */
export function listShards(shards: Shards, known?: readonly string[]): ImageFolder {
  const { directory, sets, classNames: all } = shards;
  const byClassIn = (set: SetName): ReadonlyMap<string, readonly number[]> => {
    const classes = new Map<string, number[]>();
    for (let i = 0; i < shards.count; i++) {
      if (shards.setOf(i) !== set) continue;
      const name = all[shards.labels[i]];
      const images = classes.get(name);
      if (images === undefined) classes.set(name, [i]);
      else images.push(i);
    }
    return classes;
  };
  const imagesOf = (classes: ReadonlyMap<string, readonly number[]>): ImageFile[] => {
    const labelOf = new Map((known ?? all).map((name, label) => [name, label]));
    return [...classes].flatMap(([name, images]) =>
      images.map((i) => ({ ...shards.image(i), label: labelOf.get(name) ?? 0 })),
    );
  };
  const testName = (["test", "val"] as const).find((set) => sets.has(set));
  if (testName === undefined) {
    throw problem(
      `${directory} has shards to train on, but none to test with, such as val-000000.tar; add some`,
    );
  }
  const rest = { isHeldOut: false, ignored: undefined } as const;
  const testClasses = byClassIn(testName);
  if (known !== undefined) {
    checkKnown(directory, testClasses, known);
    return {
      ...rest,
      classNames: known,
      train: [],
      test: imagesOf(testClasses),
      untested: [],
      unused: undefined,
    };
  }
  const trainClasses = byClassIn("train");
  if (trainClasses.size === 0) {
    throw problem(
      `${directory} has shards to test with, but none to train on, such as train-000000.tar; add some`,
    );
  }
  checkTrained(
    [`the training set in ${directory}`, trainClasses],
    [`the test set in ${directory}`, testClasses],
  );
  namesOf(directory, trainClasses);
  return {
    ...rest,
    classNames: all,
    train: imagesOf(trainClasses),
    test: imagesOf(testClasses),
    untested: all.filter((name) => trainClasses.has(name) && !testClasses.has(name)),
    unused: testName === "test" && sets.has("val") ? "val-*.tar" : undefined,
  };
}

/** A folder, how it is read, and what is left out in it. */
interface Place {
  readonly directory: string;
  readonly layout: Layout;
  readonly ignored: Ignored;
}

function bySet(
  { directory, layout, ignored }: Place,
  sets: ReturnType<typeof setsOf>,
  known: readonly string[] | undefined,
): Omit<ImageFolder, "ignored"> {
  const inside = (name: string) => join(directory, name);
  const trainName = sets.get("train");
  const candidates = [sets.get("test"), sets.get("val")].filter((name) => name !== undefined);
  const testName = candidates.find((name) => !isUnlabelled(inside(name), layout));
  const isSpare = testName !== undefined && testName !== sets.get("val") && sets.has("val");
  if (testName === undefined) {
    const [unlabelled] = candidates;
    throw problem(
      unlabelled === undefined
        ? `${directory} has the folder ${trainName} but neither test nor val; add one, or give ${inside(trainName ?? "")} to hold a tenth out`
        : `${inside(unlabelled)} does not say of which classes its images are; put those of each class in a folder of its name`,
    );
  }
  for (const { name, kind } of entriesOf(directory)) {
    if (kind === "file") ignored.file(name);
    else if (name !== trainName && name !== testName) ignored.folders.push(name);
  }
  const testClasses = classesOf(inside(testName), layout, ignored);
  const unused = isSpare ? sets.get("val") : undefined;
  if (known !== undefined) {
    checkKnown(inside(testName), testClasses, known);
    const test = labelled(testClasses, known);
    return { classNames: known, train: [], test, isHeldOut: false, untested: [], unused };
  }
  if (trainName === undefined) {
    throw problem(`${directory} has the folder ${testName} but no folder train with folders of classes`);
  }
  const trainClasses = classesOf(inside(trainName), layout, ignored);
  checkTrained([inside(trainName), trainClasses], [inside(testName), testClasses]);
  const classNames = namesOf(directory, trainClasses);
  return {
    classNames,
    train: labelled(trainClasses, classNames),
    test: labelled(testClasses, classNames),
    isHeldOut: false,
    untested: classNames.filter((name) => !testClasses.has(name)),
    unused,
  };
}

function byClass(
  { directory, layout, ignored }: Place,
  known: readonly string[] | undefined,
): Omit<ImageFolder, "ignored"> {
  const classes = classesOf(directory, layout, ignored);
  if (known !== undefined) checkKnown(directory, classes, known);
  const classNames = known ?? namesOf(directory, classes);
  const train = new Map<string, string[]>();
  const test = new Map<string, string[]>();
  for (const [name, paths] of classes) {
    // A folder that was trained on has two and more of each; another may have one to score.
    if (paths.length < 2 && known === undefined) {
      throw problem(
        `${join(directory, name)} holds one image; two are needed, since one is held out for test`,
      );
    }
    const held = heldOut(name, paths);
    train.set(
      name,
      paths.filter((path) => !held.has(path)),
    );
    test.set(
      name,
      paths.filter((path) => held.has(path)),
    );
  }
  return {
    classNames,
    train: labelled(train, classNames),
    test: labelled(test, classNames),
    isHeldOut: true,
    untested: [],
    unused: undefined,
  };
}

/**
 * A tenth of a class, at least one image: those whose SHA-256 of "CLASS/FILE" is smallest. So the
 * choice depends on names alone, and a file that is added or removed moves hardly any other.
 */
function heldOut(className: string, paths: readonly string[]): ReadonlySet<string> {
  const digest = (path: string) =>
    createHash("sha256")
      .update(bytesOf(`${className}/${basename(path)}`))
      .digest("hex");
  const byDigest = paths.map((path) => [digest(path), path] as const).sort(([a], [b]) => (a < b ? -1 : 1));
  const count = Math.max(1, Math.round(paths.length / 10));
  return new Set(byDigest.slice(0, count).map(([, path]) => path));
}

/** What there is of each class, by its name. */
type ByName = ReadonlyMap<string, unknown>;

function namesOf(directory: string, classes: ByName): readonly string[] {
  const names = [...classes.keys()];
  if (names.length < 2) {
    throw problem(`${directory} holds one class only, ${names[0]}; at least two are needed`);
  }
  const [alike] = names.flatMap((name) => sameLetters(name, names) ?? []);
  if (alike !== undefined) {
    throw problem(
      `${directory} has the classes ${names
        .filter((name) => name.normalize() === alike.normalize())
        .map(spelt)
        .join(" and ")}, which read alike, but are written in different characters; rename or merge them`,
    );
  }
  return names;
}

function labelled(classes: Classes, classNames: readonly string[]): ImageFile[] {
  return [...classes].flatMap(([name, paths]) => {
    const label = classNames.indexOf(name);
    return paths.map((path) => ({ path, label }));
  });
}

/** Refuses a class that has test images and none to train on. */
function checkTrained([trainPath, train]: [string, ByName], [testPath, test]: [string, ByName]): void {
  const strange = [...test.keys()].find((name) => !train.has(name));
  if (strange === undefined) return;
  const alike = sameLetters(strange, [...train.keys()]);
  throw problem(
    alike === undefined
      ? `${testPath} has the class ${strange}, but ${trainPath} does not; a network can only learn classes of its training images`
      : `${testPath} has the class ${spelt(strange)}, but ${trainPath} has ${spelt(alike)}: they read alike, but are written in different characters; rename one of them`,
  );
}

/** The name that is another in a different Unicode normal form, as "é" and "e" with an accent are. */
function sameLetters(name: string, names: readonly string[]): string | undefined {
  return names.find((other) => other !== name && other.normalize() === name.normalize());
}

/** A name and the code points of what is not ASCII in it, with the letter before. */
function spelt(name: string): string {
  const points = [...name.matchAll(/.?[^\0-\x7f]+/gsu)].flatMap(([part]) =>
    Array.from(
      part,
      (character) => `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`,
    ),
  );
  return `${name} (${points.join(" ")})`;
}

function checkKnown(directory: string, classes: ByName, known: readonly string[]): void {
  const strange = [...classes.keys()].find((name) => !known.includes(name));
  if (strange === undefined) return;
  const alike = sameLetters(strange, known);
  if (alike !== undefined) {
    throw problem(
      `${directory} has the class ${spelt(strange)}, and the network knows ${spelt(alike)}: they read alike, but are written in different characters; rename the folder`,
    );
  }
  const some = known.length > 10 ? `${known.slice(0, 10).join(", ")}, ...` : known.join(", ");
  throw problem(
    `${directory} has the class ${strange}, which the network was not trained on; it knows ${some}`,
  );
}
