/**
 * ImageNet (ILSVRC 2012) from a folder of its files, which nobody may pass on: Deng et al. 2009, "ImageNet: a large-scale
 * hierarchical image database"; Russakovsky et al. 2015, arXiv 1409.0575.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../errors.js";
import type { Rules } from "../errors/options.js";
import { checkOptions, flag, imageShape, objectOf, oneOf, optional, text } from "../errors/options.js";
import type { Augmentation } from "./augment.js";
import { imageThreadsRule, listenerRules } from "./check.js";
import { Damaged } from "./damaged.js";
import type { Dataset, LoadListeners } from "./dataset.js";
import type { Preparation } from "./images.js";
import { groundTruth } from "./imagenet-truth.js";
import { entriesOf, problem } from "./layout.js";
import type { ListingListeners, Manifest } from "./manifest.js";
import { listFiles } from "./manifest.js";
import { isDirectory } from "./paths.js";
import { photoSource } from "./photos.js";
import type { DecodeRules } from "./rules.js";
import { allowedRules, decodeRules, isRules, rulesOf } from "./rules.js";
import type { Shards } from "./shards.js";
import { classesFile, openShards } from "./shards.js";
import type { ImageSource } from "./source.js";
import { allOf } from "./source.js";
import type { FileList, LabelledFiles } from "./stored.js";

/** The options of `datasets.imagenet`. */
export interface ImagenetOptions extends LoadListeners {
  /**
   * Holds `train/<wnid>/*.JPEG`, and the validation images in `val/<wnid>`, or in `val` with the competition's
   * LOC_val_solution.csv or the development kit in the folder. The folder in which the competition's archive was unpacked is taken too. What lacks
   * classes is a data set of those that are there. Or it holds WebDataset shards of them (docs/data.md).
   */
  readonly directory: string;
  /** What every image becomes: height and width, and 1 channel of grey or 3 of colour. */
  readonly shape: readonly [height: number, width: number, channels: number];
  /**
   * "redbit": read as Pillow does, stretched to a frame (256 pixels for 227) of which a random part is shown, and
   * 255 (x - mean). "paper": random resized crops to train on, the middle of the covered frame to score, and
   * (x - mean) / deviation. Default "paper".
   */
  readonly preset?: string;
  /** Some of the classes alone: how many of the first in the order of folders, or their folders. Default: all. */
  readonly classes?: number | readonly string[];
  /** That of a trained network, to score it: then only the validation images are listed, and `train` is empty. */
  readonly preparation?: Preparation;
  /** The rules by which files become pixels, where a run goes on that has older ones. */
  readonly rules?: DecodeRules;
  /** Images that are decoded at a time. Default: the CPUs, at most 8. Results do not depend on it. */
  readonly imageThreads?: number;
  /**
   * Leaves damaged files out of batches, which are smaller by them, with a warning. Default: the first one ends the training.
   */
  readonly skipDamaged?: boolean;
}

const optionRules: Rules<ImagenetOptions> = {
  ...listenerRules,
  directory: text,
  shape: imageShape,
  preset: optional(oneOf("paper", "redbit")),
  classes: optional({
    allowed: "a number of classes from 2, or the folders of two or more",
    test: (value) =>
      (Number.isInteger(value) && (value as number) >= 2) || (Array.isArray(value) && value.length >= 2),
  }),
  preparation: optional(objectOf("a run's preparation { mean, std, classNames }")),
  rules: optional({ allowed: allowedRules, test: isRules }),
  imageThreads: optional(imageThreadsRule),
  skipDamaged: optional(flag),
};

/** Where one may get it. Nothing is downloaded: its terms of use do not allow it. */
const howToGetIt =
  "ImageNet's terms do not allow fewbit to download it; ask for it at image-net.org, or take the archive of the competition imagenet-object-localization-challenge at kaggle.com, unpack it, and give its folder";

const mean = [0.485, 0.456, 0.406];

/** How each preset prepares and augments. */
const presets: Readonly<
  Record<"paper" | "redbit", { rules: DecodeRules; std: readonly number[]; augmentation: Augmentation }>
> = {
  paper: {
    rules: { ...decodeRules, frame: "covered" },
    std: [0.229, 0.224, 0.225],
    augmentation: { resizedCrop: { area: [0.08, 1], ratio: [3 / 4, 4 / 3] }, flip: true },
  },
  redbit: {
    rules: { ...decodeRules, frame: "stretched", reader: "pillow" },
    std: [1 / 255, 1 / 255, 1 / 255],
    augmentation: { flip: true },
  },
};

/**
 * The images of ImageNet's training set to train on and those of its validation set to test with, decoded when a batch asks
 * for them. The checksum is that of names, sizes and classes of all files.
 *
 * @throws UserError for a folder that is not ImageNet's.
 */
export async function imagenet(options: ImagenetOptions): Promise<Dataset> {
  checkOptions("imagenet", options, optionRules);
  const { shape, preparation, imageThreads } = options;
  if (shape[2] !== 3) {
    throw new UserError(`ImageNet's images have 3 channels (red, green, blue), not ${shape[2]}`, "channels");
  }
  const { augmentation, std, ...preset } = presets[options.preset === "redbit" ? "redbit" : "paper"];
  const rules = rulesOf(options.rules ?? preparation ?? preset.rules);
  const { wnids, train, test } = await listImagenet(options);
  const crops = augmentation.resizedCrop === undefined ? "frames" : "photographs";
  const damaged = options.skipDamaged === true ? new Damaged(options.onWarning) : undefined;
  const source = (set: LabelledFiles): ImageSource =>
    photoSource(set, { shape, rules, crops, imageThreads, damaged });
  const hash = createHash("sha256");
  for (const set of [train, test]) addFiles(hash, set, wnids);
  return {
    name: "imagenet",
    classes: wnids.length,
    classNames: wnids.map(nameOf),
    shape,
    rules,
    mean: preparation?.mean ?? mean,
    std: preparation?.std ?? std,
    train: source(train ?? noFile(test)),
    test: source(test),
    augmentation,
    checksum: hash.digest("hex"),
  };
}

/** ImageNet's files. */
interface ListedImagenet {
  /** The WordNet ids of the classes, in the order of their labels. */
  readonly wnids: readonly string[];
  /** Undefined where a network is scored that was trained. */
  readonly train: LabelledFiles | undefined;
  readonly test: LabelledFiles;
}

/** Lists the files of a folder or of shards. */
export async function listImagenet(options: Omit<ImagenetOptions, "shape">): Promise<ListedImagenet> {
  const { directory, preparation, classes } = options;
  const shards = await openShards(directory, options);
  const known = preparation?.classNames?.map(wnidOf);
  if (shards !== undefined) return fromShards(shards, known, options);
  const root = rootOf(directory);
  const folders = someOf(classFolders(root.train), classes, root.train);
  const wnids = known ?? folders;
  const listeners = listenersOf(options);
  const train = preparation === undefined ? everyFile(listFiles(root.train, folders, listeners)) : undefined;
  return { wnids, train, test: listValidation(root, wnids, listeners) };
}

/** Whether a folder is laid out as ImageNet's, with classes named by WordNet ids alone. */
export function isImagenet(directory: string): boolean {
  const { train, val } = placesOf(directory);
  if (!isDirectory(train) || !isDirectory(val)) return false;
  const folders = entriesOf(train).filter(({ name, kind }) => kind === "folder" && !name.startsWith("."));
  return folders.length > 0 && folders.length === wnidFolders(train).length;
}

/** The sets of shards. Classes without a list of names are ImageNet's own in the order of their ids, as is usual. */
function fromShards(
  shards: Shards,
  known: readonly string[] | undefined,
  { directory, classes }: Pick<ImagenetOptions, "directory" | "classes">,
): ListedImagenet {
  const all = shards.hasNames ? shards.classNames.map(wnidOf) : [...table().keys()];
  if (shards.classNames.length > all.length) {
    throw problem(
      `the images of ${directory} are of ${shards.classNames.length} classes, and ImageNet has ${all.length}; a file ${classesFile} beside the shards names others, one per line`,
    );
  }
  const testName = shards.sets.has("val") ? "val" : "test";
  const wnids = known ?? someOf(all.slice(0, shards.classNames.length), classes, directory);
  const labelOf = new Map(wnids.map((wnid, label) => [wnid, label]));
  const set = (name: "train" | "val" | "test"): LabelledFiles =>
    chosen(
      shards,
      (file) => (shards.setOf(file) === name ? labelOf.get(all[shards.labels[file]]) : undefined),
      directory,
    );
  return { wnids, train: known === undefined ? set("train") : undefined, test: set(testName) };
}

/** All files of a manifest whose folders are the classes. */
const everyFile = (manifest: Manifest): LabelledFiles => ({
  files: manifest,
  indices: allOf(manifest.count),
  labels: manifest.folderIndices(),
});
const noFile = ({ files }: LabelledFiles): LabelledFiles => ({
  files,
  indices: new Uint32Array(0),
  labels: new Int32Array(0),
});

/** Reports a listing's progress every 10,000 files. */
function listenersOf({
  directory,
  onProgress,
}: Pick<ImagenetOptions, "directory" | "onProgress">): ListingListeners {
  let before = 0;
  return {
    onListed(files) {
      if (files < before) before = 0;
      if (files - before < 10_000) return;
      before = files;
      onProgress?.({ what: directory, unit: "images", done: files, total: undefined });
    },
  };
}

/** Names, sizes and classes, which decide a run. */
function addFiles(
  hash: ReturnType<typeof createHash>,
  set: LabelledFiles | undefined,
  wnids: readonly string[],
): void {
  for (let i = 0; set !== undefined && i < set.indices.length; i++) {
    const file = set.indices[i];
    hash.update(`${set.files.name(file)}\0${set.files.sizes[file]}\0${wnids[set.labels[i]]}\n`);
  }
  hash.update("\n");
}

// --- the folder ----------------------------------------------------------------------------------

interface Root {
  readonly train: string;
  readonly val: string;
  /** Folders in which the file of the validation images' classes may be. */
  readonly places: readonly string[];
}

function placesOf(directory: string): Root {
  const inner = join(directory, "ILSVRC", "Data", "CLS-LOC");
  const root = isDirectory(inner) ? inner : directory;
  const [train, val] = [join(root, "train"), join(root, "val")];
  return { train, val, places: [...new Set([directory, root, val, join(root, "..", "..", "..")])] };
}

function rootOf(directory: string): Root {
  if (!isDirectory(directory)) throw problem(`${directory} is not a directory; ${howToGetIt}`);
  const root = placesOf(directory);
  const missing = [root.train, root.val].find((path) => !isDirectory(path));
  if (missing !== undefined) {
    throw problem(`${directory} has no folder ${basename(missing)}, as ImageNet's has; ${howToGetIt}`);
  }
  return root;
}

/** The folders that have a WordNet id for a name. */
const wnidFolders = (directory: string): readonly string[] =>
  entriesOf(directory)
    .filter(({ name, kind }) => kind === "folder" && /^n\d{8}$/.test(name))
    .map(({ name }) => name);

/** The folders of classes. @throws UserError where there are none */
function classFolders(directory: string): readonly string[] {
  const names = wnidFolders(directory);
  if (names.length === 0) {
    throw problem(`${directory} holds no folders of ImageNet's classes, such as n01440764; ${howToGetIt}`);
  }
  return names;
}

/** The classes that are asked for, in the order of folders. @throws UserError for unknown ones */
function someOf(
  folders: readonly string[],
  classes: ImagenetOptions["classes"],
  directory: string,
): readonly string[] {
  if (classes === undefined) return folders;
  if (typeof classes === "number") {
    if (classes <= folders.length) return folders.slice(0, classes);
    throw new UserError(
      `classes must be at most the ${folders.length} that ${directory} has, got ${classes}`,
      "classes",
    );
  }
  const missing = classes.find((name) => !folders.includes(name));
  if (missing !== undefined) {
    throw new UserError(`classes has "${missing}", but ${directory} has no such folder`, "classes");
  }
  return folders.filter((name) => classes.includes(name));
}

/** The validation images of some classes. */
function listValidation(
  { val, places }: Root,
  wnids: readonly string[],
  listeners: ListingListeners,
): LabelledFiles {
  const classOf = new Map(wnids.map((wnid, label) => [wnid, label]));
  const folders = wnidFolders(val);
  if (folders.length > 0) {
    const manifest = listFiles(val, folders, listeners);
    return chosen(manifest, (file) => classOf.get(folders[manifest.folderOf(file)]), val);
  }
  const { file, classes: truth } = groundTruth(val, places);
  const manifest = listFiles(val, [""], listeners);
  return chosen(
    manifest,
    (index) => {
      const name = manifest.name(index);
      const wnid = truth.get(name.slice(0, name.lastIndexOf(".")));
      if (wnid === undefined) {
        throw problem(`${file} does not say the class of ${name}; add its line, or move the image elsewhere`);
      }
      return classOf.get(wnid);
    },
    val,
  );
}

/** The files of a list that have a label. */
function chosen(
  files: FileList,
  labelOf: (file: number) => number | undefined,
  directory: string,
): LabelledFiles {
  const [indices, labels]: [number[], number[]] = [[], []];
  for (let file = 0; file < files.count; file++) {
    const label = labelOf(file);
    if (label === undefined) continue;
    indices.push(file);
    labels.push(label);
  }
  if (indices.length === 0) throw problem(`${directory} holds no images of the classes that are trained`);
  return { files, indices: Uint32Array.from(indices), labels: Int32Array.from(labels) };
}

// --- names ---------------------------------------------------------------------------------------

const shipped = (name: string) => fileURLToPath(new URL(`../../data/imagenet/${name}`, import.meta.url));
let names: ReadonlyMap<string, string> | undefined;

/** The name of each class by its WordNet id, from the shipped table. */
function table(): ReadonlyMap<string, string> {
  if (names !== undefined) return names;
  const lines = readFileSync(shipped("classes.txt"), "utf8").trimEnd().split("\n");
  names = new Map(lines.map((line) => [line.slice(0, 9), line.slice(10)]));
  return names;
}

const nameOf = (wnid: string): string => table().get(wnid) ?? wnid;

/** The WordNet id of a class by its name. */
function wnidOf(name: string): string {
  for (const [wnid, known] of table()) if (known === name) return wnid;
  return name;
}
