/** MNIST and the shipped part of it: four IDX files each, and the augmentation of the published study. */
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../errors.js";
import { checkOptions } from "../errors/options.js";
import type { ArrayDataset } from "./dataset.js";
import type { ImageSet } from "./source.js";
import { checksumOf, ofDirectory } from "./dataset.js";
import { checkCounts, parseImages, parseLabels } from "./idx.js";
import { findFile, isDirectory } from "./paths.js";
import type { LocalFile, RemoteFile, RemoteOptions } from "./remote.js";
import { remoteFiles, remoteRules } from "./remote.js";
import { readUnpacked } from "./unpack.js";

const classes = 10;
const side = 28;

/** Mean and standard deviation of MNIST's training pixels, and RedBit's augmentation (rotation ±10°, random crop). */
const protocol = {
  classNames: Array.from({ length: classes }, (_, digit) => String(digit)),
  mean: [0.1307],
  std: [0.3081],
  augmentation: { rotation: 10, cropPadding: 4 },
} as const;

/** The options of `datasets.mnist`. */
export interface MnistOptions extends RemoteOptions {
  /** Holds `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same of `t10k`, gzip or not. */
  readonly directory?: string;
}

/** MNIST's 60,000 training and 10,000 test images from the four files of a directory, or else downloaded. */
export async function mnist(given: MnistOptions = {}): Promise<ArrayDataset> {
  checkOptions("mnist", given, remoteRules);
  const { directory, ...options } = given;
  if (directory === undefined) return assemble("mnist", (await downloadMnist(options)).files);
  return ofDirectory(() => readFolder(directory));
}

async function readFolder(directory: string): Promise<ArrayDataset> {
  if (!isDirectory(directory)) {
    throw new UserError(`${directory} is not a directory; give the one that holds MNIST's four files`);
  }
  return load("mnist", [
    locate(directory, "train-images", 3),
    locate(directory, "train-labels", 1),
    locate(directory, "t10k-images", 3),
    locate(directory, "t10k-labels", 1),
  ]);
}

/** The shipped 10,000 training and 2,000 test images of MNIST (see data/digits/README.md). */
export async function digits(options: Readonly<Record<string, never>> = {}): Promise<ArrayDataset> {
  checkOptions("digits", options, {});
  const shipped = (name: string) => fileURLToPath(new URL(`../../data/digits/${name}`, import.meta.url));
  return load("digits", [
    shipped("train-images.idx3.gz"),
    shipped("train-labels.idx1.gz"),
    shipped("test-images.idx3.gz"),
    shipped("test-labels.idx1.gz"),
  ]);
}

/** Public folders that hold the four files under their own names. */
const mirrors = [
  "https://storage.googleapis.com/cvdf-datasets/mnist/",
  "https://ossci-datasets.s3.amazonaws.com/mnist/",
  "https://azureopendatastorage.blob.core.windows.net/mnist/",
  "https://raw.githubusercontent.com/fgnt/mnist/master/",
];

const remote: readonly RemoteFile[] = [
  {
    name: "train-images-idx3-ubyte.gz",
    unpackedBytes: 47_040_016,
    sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
  },
  {
    name: "train-labels-idx1-ubyte.gz",
    unpackedBytes: 60_008,
    sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
  },
  {
    name: "t10k-images-idx3-ubyte.gz",
    unpackedBytes: 7_840_016,
    sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
  },
  {
    name: "t10k-labels-idx1-ubyte.gz",
    unpackedBytes: 10_008,
    sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
  },
];

/** MNIST's four files in the cache, downloaded where they are not there. @throws UserError if no mirror has them. */
export function downloadMnist(
  options: RemoteOptions = {},
): Promise<{ directory: string; files: LocalFile[] }> {
  return remoteFiles("mnist", remote, mirrors, options);
}

async function load(name: string, paths: readonly string[]): Promise<ArrayDataset> {
  const files = paths.map(async (path) => ({ path, bytes: await readUnpacked(path) }));
  return assemble(name, await Promise.all(files));
}

/** A data set of unpacked files: training images and labels, test images and labels. */
function assemble(name: string, files: readonly Pick<LocalFile, "path" | "bytes">[]): ArrayDataset {
  const [trainImages, trainLabels, testImages, testLabels] = files;
  return {
    name,
    classes,
    shape: [side, side, 1],
    train: imageSet(trainImages.bytes, trainImages.path, trainLabels.bytes, trainLabels.path),
    test: imageSet(testImages.bytes, testImages.path, testLabels.bytes, testLabels.path),
    ...protocol,
    checksum: checksumOf(...files.map(({ bytes }) => bytes)),
  };
}

function imageSet(
  imageBytes: Uint8Array,
  imagesFile: string,
  labelBytes: Uint8Array,
  labelsFile: string,
): ImageSet {
  const images = parseImages(imageBytes, imagesFile);
  const labels = parseLabels(labelBytes, labelsFile, classes);
  checkCounts(images, imagesFile, labels, labelsFile);
  if (images.height !== side || images.width !== side) {
    throw new UserError(
      `${imagesFile} has images of ${images.height}x${images.width}; MNIST's are ${side}x${side}`,
    );
  }
  return { images: images.data, labels, count: images.count };
}

/** `train-images-idx3-ubyte` or `train-images.idx3-ubyte` (how some archives unpack), with .gz or without. */
function locate(directory: string, name: string, dimensions: 1 | 3): string {
  const names = ["-", "."].flatMap((dot) => {
    const plain = `${name}${dot}idx${dimensions}-ubyte`;
    return [plain, `${plain}.gz`];
  });
  const path = findFile(directory, names);
  if (path === undefined) {
    throw new UserError(
      `${names[0]} or ${basename(names[1])} is not in ${directory}; fetch MNIST's four files there`,
    );
  }
  return path;
}
