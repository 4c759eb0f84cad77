/**
 * A folder of images by class, as its names tell it: DIR/train/CLASS/FILE and DIR/test/CLASS/FILE (or
 * val for test), or DIR/CLASS/FILE, of which a tenth of each class is held out for test.
 */
import { createHash } from "node:crypto";
import type { Dirent } from "node:fs";
import { readdirSync, statSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { UserError } from "../errors.js";
import { whyUnread } from "../files/reasons.js";
import { extensions } from "./decode.js";
import { bytesOf, isDirectory, nameOf, onDisk } from "./paths.js";

/** An image file and the index of its class. */
export interface ImageFile {
  readonly path: string;
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
  /** What was left out, in words; undefined if nothing was. */
  readonly ignored: string | undefined;
}

/**
 * Lists a folder's images without opening one.
 *
 * @param known the classes of a trained network, among which the folder's must be. Where there are folders train and test,
 *   only the test images are then listed.
 * @throws UserError for a folder that is none, holds no classes or images, or other classes for test than for training.
 */
export function listImages(directory: string, known?: readonly string[]): ImageFolder {
  if (!isDirectory(directory))
    throw problem(`${directory} is not a directory; give the one that holds the images`);
  const ignored = new Ignored();
  const sets = ["train", "test", "val"].filter((name) => holdsFolders(join(directory, name)));
  const listed =
    sets.length > 0 ? bySet(directory, sets, ignored, known) : byClass(directory, ignored, known);
  return { ...listed, ignored: ignored.text };
}

type Classes = ReadonlyMap<string, readonly string[]>;

function bySet(
  directory: string,
  sets: readonly string[],
  ignored: Ignored,
  known: readonly string[] | undefined,
): Omit<ImageFolder, "ignored"> {
  const inside = (name: string) => join(directory, name);
  const testName = ["test", "val"].find((name) => sets.includes(name));
  if (testName === undefined) {
    throw problem(
      `${directory} has the folder train but neither test nor val; add one, or give ${inside("train")} to hold a tenth out`,
    );
  }
  for (const { name, kind } of entriesOf(directory)) {
    if (kind === "file") ignored.file(name);
    else if (name !== "train" && name !== testName) ignored.folders.push(name);
  }
  const testClasses = classesOf(inside(testName), ignored);
  if (known !== undefined) {
    checkKnown(inside(testName), testClasses, known);
    const test = labelled(testClasses, known);
    return { classNames: known, train: [], test, isHeldOut: false, untested: [] };
  }
  if (!sets.includes("train")) {
    throw problem(`${directory} has the folder ${testName} but no folder train with folders of classes`);
  }
  const trainClasses = classesOf(inside("train"), ignored);
  checkTrained([inside("train"), trainClasses], [inside(testName), testClasses]);
  const classNames = namesOf(directory, trainClasses);
  return {
    classNames,
    train: labelled(trainClasses, classNames),
    test: labelled(testClasses, classNames),
    isHeldOut: false,
    untested: classNames.filter((name) => !testClasses.has(name)),
  };
}

function byClass(
  directory: string,
  ignored: Ignored,
  known: readonly string[] | undefined,
): Omit<ImageFolder, "ignored"> {
  const classes = classesOf(directory, ignored);
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

/** The image files of each folder in a directory. */
function classesOf(directory: string, ignored: Ignored): Classes {
  const classes = new Map<string, readonly string[]>();
  for (const { name, kind } of entriesOf(directory)) {
    if (kind === "file") ignored.file(name);
    else if (name.startsWith(".")) ignored.folders.push(name);
    else classes.set(name, imagesOf(join(directory, name), ignored));
  }
  if (classes.size === 0) {
    throw problem(`${directory} holds no folders; the images of each class belong in a folder of its name`);
  }
  return classes;
}

function imagesOf(directory: string, ignored: Ignored): string[] {
  const images: string[] = [];
  for (const { name, kind } of entriesOf(directory)) {
    if (kind === "folder") ignored.folders.push(join(basename(directory), name));
    else if (name.startsWith(".") || !extensions.includes(extname(name).toLowerCase())) ignored.file(name);
    else images.push(join(directory, name));
  }
  if (images.length === 0) {
    throw problem(
      `${directory} holds no images (${extensions.map((extension) => extension.slice(1)).join(", ")})`,
    );
  }
  return images;
}

/** A directory's entries by name; a symbolic link is what it leads to. */
function entriesOf(directory: string): { name: string; kind: "file" | "folder" }[] {
  let entries: { name: string; entry: Dirent<Buffer> }[];
  try {
    const listed = readdirSync(onDisk(directory), { withFileTypes: true, encoding: "buffer" });
    entries = listed.map((entry) => ({ name: nameOf(entry.name), entry }));
  } catch (error) {
    throw problem(`cannot read ${directory}: ${whyUnread(error)}`);
  }
  return entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, entry }) => {
      const folder = entry.isSymbolicLink() ? isDirectoryOrThrow(join(directory, name)) : entry.isDirectory();
      return { name, kind: folder ? "folder" : "file" };
    });
}

function isDirectoryOrThrow(path: string): boolean {
  try {
    return statSync(onDisk(path)).isDirectory();
  } catch (error) {
    throw problem(`cannot read ${path}, a symbolic link: ${whyUnread(error)}`);
  }
}

/** Whether it is a directory with directories in it: one of images alone is a class, whatever its name. */
function holdsFolders(path: string): boolean {
  return isDirectory(path) && entriesOf(path).some(({ kind }) => kind === "folder");
}

function namesOf(directory: string, classes: Classes): readonly string[] {
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
function checkTrained([trainPath, train]: [string, Classes], [testPath, test]: [string, Classes]): void {
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

function checkKnown(directory: string, classes: Classes, known: readonly string[]): void {
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

/** Counts what is left out. */
class Ignored {
  readonly folders: string[] = [];
  private readonly files = new Map<string, number>();

  file(name: string): void {
    const extension = extname(name).toLowerCase() || "no extension";
    this.files.set(extension, (this.files.get(extension) ?? 0) + 1);
  }

  get text(): string | undefined {
    const parts: string[] = [];
    const files = [...this.files.values()].reduce((sum, count) => sum + count, 0);
    const byExtension = [...this.files].map(([extension, count]) => `${count} of ${extension}`).join(", ");
    if (files > 0) parts.push(`${files} file${files === 1 ? "" : "s"} (${byExtension})`);
    const [first, ...more] = this.folders;
    if (first !== undefined)
      parts.push(`the folder ${first}${more.length === 0 ? "" : ` and ${more.length} more`}`);
    return parts.length === 0 ? undefined : parts.join(" and ");
  }
}

const problem = (message: string) => new UserError(message, "dataDirectory");
