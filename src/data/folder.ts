/**
 * A folder of images by class, as its names tell it: DIR/train/CLASS/FILE and DIR/test/CLASS/FILE (or
 * val for test), or DIR/CLASS/FILE, of which a tenth of each class is held out for test.
 */
import { createHash } from "node:crypto";
import type { Dirent } from "node:fs";
import { readdirSync, statSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { UserError } from "../errors.js";
import { extensions, reasonOf } from "./decode.js";

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
  /** What was left out, in words; undefined if nothing was. */
  readonly ignored: string | undefined;
}

/**
 * Lists a folder's images without opening one.
 *
 * @param known a run's classes: then only test images are listed, and their classes must be among these.
 * @throws UserError for a folder that is none, holds no classes or images, or other classes for test than for training.
 */
export function listImages(directory: string, known?: readonly string[]): ImageFolder {
  if (!isDirectory(directory))
    throw problem(`${directory} is not a directory; give the one that holds the images`);
  const ignored = new Ignored();
  const sets = ["train", "test", "val"].filter((name) => holdsFolders(join(directory, name)));
  const { classNames, train, test } =
    sets.length > 0 ? bySet(directory, sets, ignored, known) : byClass(directory, ignored, known);
  return { classNames, train, test, ignored: ignored.text };
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
    return { classNames: known, train: [], test: labelled(testClasses, known) };
  }
  if (!sets.includes("train")) {
    throw problem(`${directory} has the folder ${testName} but no folder train with folders of classes`);
  }
  const trainClasses = classesOf(inside("train"), ignored);
  checkSame([inside("train"), trainClasses], [inside(testName), testClasses]);
  const classNames = namesOf(directory, trainClasses);
  return { classNames, train: labelled(trainClasses, classNames), test: labelled(testClasses, classNames) };
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
    if (paths.length < 2) {
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
    train: known === undefined ? labelled(train, classNames) : [],
    test: labelled(test, classNames),
  };
}

/**
 * A tenth of a class, at least one image: those whose SHA-256 of "CLASS/FILE" is smallest. So the
 * choice depends on names alone, and a file that is added or removed moves hardly any other.
 */
function heldOut(className: string, paths: readonly string[]): ReadonlySet<string> {
  const digest = (path: string) =>
    createHash("sha256")
      .update(`${className}/${basename(path)}`)
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
  let entries: Dirent[];
  try {
    entries = readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    throw problem(`cannot read ${directory}: ${reasonOf(error as NodeJS.ErrnoException)}`);
  }
  return entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((entry) => {
      const folder = entry.isSymbolicLink()
        ? isDirectoryOrThrow(join(directory, entry.name))
        : entry.isDirectory();
      return { name: entry.name, kind: folder ? "folder" : "file" };
    });
}

function isDirectoryOrThrow(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw problem(`cannot read ${path}, a symbolic link: ${reasonOf(error as NodeJS.ErrnoException)}`);
  }
}

/** Whether a path is one; no path at all, as a text too long for one, is none. */
export function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
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
  return names;
}

function labelled(classes: Classes, classNames: readonly string[]): ImageFile[] {
  return [...classes].flatMap(([name, paths]) => {
    const label = classNames.indexOf(name);
    return paths.map((path) => ({ path, label }));
  });
}

function checkSame([trainPath, train]: [string, Classes], [testPath, test]: [string, Classes]): void {
  for (const [path, classes, otherPath, other] of [
    [trainPath, train, testPath, test],
    [testPath, test, trainPath, train],
  ] as const) {
    const lacking = [...classes.keys()].find((name) => !other.has(name));
    if (lacking !== undefined) {
      throw problem(
        `${path} has the class ${lacking}, but ${otherPath} does not; both need the same classes`,
      );
    }
  }
}

function checkKnown(directory: string, classes: Classes, known: readonly string[]): void {
  const strange = [...classes.keys()].find((name) => !known.includes(name));
  if (strange === undefined) return;
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
