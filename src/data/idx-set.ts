/** A data set of four IDX files under MNIST's names: images and labels to train on, and to test with. */
import { basename } from "node:path";
import { UserError } from "../errors.js";
import { checkOptions } from "../errors/options.js";
import type { ArrayDataset } from "./dataset.js";
import { checksumOf, ofDirectory } from "./dataset.js";
import { checkCounts, parseImages, parseLabels } from "./idx.js";
import { Moments } from "./moments.js";
import { findFile, isDirectory } from "./paths.js";
import type { LocalFile, RemoteFile, RemoteOptions } from "./remote.js";
import { remoteFiles, remoteRules } from "./remote.js";
import type { ImageSet } from "./source.js";
import { readUnpacked } from "./unpack.js";

/** The options of `datasets.mnist`, `datasets.fashionMnist` and `datasets.kmnist`. */
export interface MnistOptions extends RemoteOptions {
  /** Holds `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same of `t10k`, gzip or not. */
  readonly directory?: string;
}

/** What such a data set is, beside its files. */
export interface IdxSet extends Pick<ArrayDataset, "name" | "augmentation"> {
  /** What it is called in a sentence. */
  readonly title: string;
  readonly classNames: readonly string[];
  /** The mean of its training pixels; computed where it is left out. */
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
}

/** Such a data set and where its files are: the four, in the order of `filesOf`, and public folders that hold them. */
export interface RemoteIdxSet extends IdxSet {
  readonly remote: readonly RemoteFile[];
  readonly mirrors: readonly string[];
}

const side = 28;

/** The data set from the four files of a directory, or else downloaded. @throws UserError */
export async function idxSet(set: RemoteIdxSet, of: string, given: MnistOptions): Promise<ArrayDataset> {
  checkOptions(of, given, remoteRules);
  const { directory, ...options } = given;
  if (directory === undefined) return assemble(set, (await downloadIdxSet(set, options)).files);
  return ofDirectory(() => readFolder(set, directory));
}

/** The four files in the cache, downloaded where they are not there. @throws UserError if no mirror has them. */
export function downloadIdxSet(
  { name, remote, mirrors }: RemoteIdxSet,
  options: RemoteOptions = {},
): Promise<{ directory: string; files: LocalFile[] }> {
  return remoteFiles(name, remote, mirrors, options);
}

async function readFolder(set: IdxSet, directory: string): Promise<ArrayDataset> {
  const { title } = set;
  if (!isDirectory(directory)) {
    throw new UserError(`${directory} is not a directory; give the one that holds ${title}'s four files`);
  }
  return loadIdxSet(set, [
    locate(directory, title, "train-images", 3),
    locate(directory, title, "train-labels", 1),
    locate(directory, title, "t10k-images", 3),
    locate(directory, title, "t10k-labels", 1),
  ]);
}

/** The data set of four files: training images and labels, test images and labels. @throws UserError */
export async function loadIdxSet(set: IdxSet, paths: readonly string[]): Promise<ArrayDataset> {
  const files = paths.map(async (path) => ({ path, bytes: await readUnpacked(path) }));
  return assemble(set, await Promise.all(files));
}

function assemble(set: IdxSet, files: readonly Pick<LocalFile, "path" | "bytes">[]): ArrayDataset {
  const [trainImages, trainLabels, testImages, testLabels] = files;
  const train = imageSet(set, trainImages, trainLabels);
  const { name, classNames, augmentation, mean, std } = set;
  return {
    name,
    classes: classNames.length,
    shape: [side, side, 1],
    train,
    test: imageSet(set, testImages, testLabels),
    classNames,
    ...(mean === undefined || std === undefined ? momentsOf(train) : { mean, std }),
    augmentation,
    checksum: checksumOf(...files.map(({ bytes }) => bytes)),
  };
}

function momentsOf({ images }: ImageSet & { readonly images: Uint8Array }) {
  const moments = new Moments(1);
  moments.add(images);
  return moments.result;
}

type File = Pick<LocalFile, "path" | "bytes">;

function imageSet(
  { title, classNames }: IdxSet,
  imagesFile: File,
  labelsFile: File,
): ImageSet & { readonly images: Uint8Array } {
  const images = parseImages(imagesFile.bytes, imagesFile.path);
  const labels = parseLabels(labelsFile.bytes, labelsFile.path, classNames.length);
  checkCounts(images, imagesFile.path, labels, labelsFile.path);
  if (images.height !== side || images.width !== side) {
    throw new UserError(
      `${imagesFile.path} has images of ${images.height}x${images.width}; ${title}'s are ${side}x${side}`,
    );
  }
  return { images: images.data, labels, count: images.count };
}

/** `train-images-idx3-ubyte` or `train-images.idx3-ubyte` (how some archives unpack), with .gz or without. */
function locate(directory: string, title: string, name: string, dimensions: 1 | 3): string {
  const names = ["-", "."].flatMap((dot) => {
    const plain = `${name}${dot}idx${dimensions}-ubyte`;
    return [plain, `${plain}.gz`];
  });
  const path = findFile(directory, names);
  if (path === undefined) {
    throw new UserError(
      `${names[0]} or ${basename(names[1])} is not in ${directory}; fetch ${title}'s four files there`,
    );
  }
  return path;
}
