/** What lies in a folder of images: its sets, the folders of their classes, the image files in these, and what is left out. */
import type { Dirent } from "node:fs";
import { readdirSync, statSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { UserError } from "../errors.js";
import { largest, readText } from "../files/read.js";
import { whyUnread } from "../files/reasons.js";
import { isDirectory, nameOf, onDisk } from "./paths.js";
import type { DecodeRules } from "./rules.js";

/** A mistake in how a folder is laid out. */
export const problem = (message: string): UserError => new UserError(message, "dataDirectory");

/** Image files by class, both in the order of their names. */
export type Classes = ReadonlyMap<string, readonly string[]>;

/** What a folder's names are taken for, which a run goes on with. */
export interface Layout {
  /** The endings of image files. */
  readonly extensions: readonly string[];
  /** The set that a folder of a name holds. */
  setOf(name: string): "train" | "test" | "val" | undefined;
  /** Whether a folder beside those of classes is not a class, such as what an archiver or a file server leaves behind. */
  isClutter(name: string): boolean;
  /** Whether the images of a class may lie in a folder `images`, and the classes of a set in a file beside such a folder. */
  readonly mayNest: boolean;
}

const first = [".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff", ".avif"];
const clutter = ["__macosx", "@eadir", "lost+found", "$recycle.bin", "system volume information"];
const setNames = {
  train: ["train", "training"],
  test: ["test", "testing"],
  val: ["val", "valid", "validation"],
};

/** The layout of runs by the rules. */
export const layoutOf = ({ files }: DecodeRules): Layout =>
  files === undefined
    ? {
        extensions: first,
        setOf: (name) => (["train", "test", "val"] as const).find((set) => set === name),
        isClutter: () => false,
        mayNest: false,
      }
    : {
        extensions: [...first, ".jfif", ".jpe", ".bmp", ".ppm", ".pgm", ".pbm", ".pnm"],
        setOf: (name) =>
          (["train", "test", "val"] as const).find((set) => setNames[set].includes(name.toLowerCase())),
        isClutter: (name) => clutter.includes(name.toLowerCase()),
        mayNest: true,
      };

/** Counts what is left out. */
export class Ignored {
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

/** The folders of sets in a directory, by set. @throws UserError for two folders of one set */
export function setsOf(directory: string, layout: Layout): ReadonlyMap<"train" | "test" | "val", string> {
  const sets = new Map<"train" | "test" | "val", string>();
  for (const { name, kind } of entriesOf(directory)) {
    const set = layout.setOf(name);
    if (kind !== "folder" || set === undefined || !holdsFolders(join(directory, name))) continue;
    const other = sets.get(set);
    if (other !== undefined) {
      throw problem(`${directory} has the folders ${other} and ${name}, which both mean one set; merge them`);
    }
    sets.set(set, name);
  }
  return sets;
}

/** The image files of each class in a directory. @throws UserError where there are none */
export function classesOf(directory: string, layout: Layout, ignored: Ignored): Classes {
  const annotated = layout.mayNest ? annotatedClasses(directory, layout, ignored) : undefined;
  if (annotated !== undefined) return annotated;
  const classes = new Map<string, readonly string[]>();
  for (const { name, kind } of entriesOf(directory)) {
    if (kind === "file") ignored.file(name);
    else if (name.startsWith(".") || layout.isClutter(name)) ignored.folders.push(name);
    else classes.set(name, imagesOf(join(directory, name), layout, ignored));
  }
  if (classes.size === 0) {
    throw problem(`${directory} holds no folders; the images of each class belong in a folder of its name`);
  }
  return classes;
}

function imagesOf(directory: string, layout: Layout, ignored: Ignored): string[] {
  const entries = entriesOf(directory);
  const images = entries.filter((entry) => isImage(entry, layout)).map(({ name }) => join(directory, name));
  const nested = entries.find(({ name, kind }) => kind === "folder" && name.toLowerCase() === "images");
  const isNested = layout.mayNest && images.length === 0 && nested !== undefined;
  for (const entry of entries) {
    if (entry.kind === "folder") {
      if (!(isNested && entry === nested)) ignored.folders.push(join(basename(directory), entry.name));
    } else if (!isImage(entry, layout)) ignored.file(entry.name);
  }
  if (isNested) return imagesOf(join(directory, nested.name), { ...layout, mayNest: false }, ignored);
  if (images.length === 0) {
    const endings = layout.extensions.map((extension) => extension.slice(1)).join(", ");
    throw problem(`${directory} holds no images (${endings})`);
  }
  return images;
}

/** Whether an entry of a folder is an image file. */
export const isImage = ({ name, kind }: Entry, { extensions }: Layout): boolean =>
  kind === "file" && !name.startsWith(".") && extensions.includes(extname(name).toLowerCase());

/** Whether a set's images are all in one folder `images`, and nothing says of which classes they are. */
export function isUnlabelled(directory: string, layout: Layout): boolean {
  return layout.mayNest && annotationsIn(directory) === undefined && imagesFolderOf(directory) !== undefined;
}

/** The folder `images`, where it is the only one of a set and has images in it. */
function imagesFolderOf(directory: string): string | undefined {
  const folders = entriesOf(directory).filter(({ name, kind }) => kind === "folder" && !name.startsWith("."));
  const isOne = folders.length === 1 && folders[0].name.toLowerCase() === "images";
  return isOne ? join(directory, folders[0].name) : undefined;
}

const annotationsIn = (directory: string): string | undefined =>
  entriesOf(directory).find(({ name, kind }) => kind === "file" && /_annotations\.txt$/i.test(name))?.name;

/**
 * The classes of a set whose images are in one folder, with a line "FILE CLASS ..." for each in a file of annotations
 * beside it, as Tiny ImageNet's are; undefined for another set.
 */
function annotatedClasses(directory: string, layout: Layout, ignored: Ignored): Classes | undefined {
  const annotations = annotationsIn(directory);
  const folder = imagesFolderOf(directory);
  if (annotations === undefined || folder === undefined) return undefined;
  const file = join(directory, annotations);
  const lines = readText(file, largest.lines).split(/\r?\n/);
  const classOf = new Map(lines.map((line) => line.split(/\s+/)).map(([name, label]) => [name, label]));
  const classes = new Map<string, string[]>();
  for (const path of imagesOf(folder, { ...layout, mayNest: false }, ignored)) {
    const label = classOf.get(basename(path));
    if (label === undefined || label === "") {
      throw problem(
        `${file} does not say the class of ${basename(path)}; add its line, or move the image elsewhere`,
      );
    }
    classes.set(label, [...(classes.get(label) ?? []), path]);
  }
  for (const { name, kind } of entriesOf(directory)) {
    if (kind === "file" && name !== annotations) ignored.file(name);
  }
  return new Map([...classes].sort(([a], [b]) => (a < b ? -1 : 1)));
}

interface Entry {
  readonly name: string;
  readonly kind: "file" | "folder";
}

/** A directory's entries by name; a symbolic link is what it leads to. */
export function entriesOf(directory: string): Entry[] {
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
