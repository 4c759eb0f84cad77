/** MNIST and the shipped part of it: four IDX files each, and the augmentation of the published study. */
import { existsSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../errors.js";
import type { Dataset, ImageSet } from "./dataset.js";
import { checksumOf } from "./dataset.js";
import { checkCounts, parseImages, parseLabels, readMaybeGzip } from "./idx.js";

const classes = 10;
const side = 28;

/** Mean and standard deviation of MNIST's training pixels, and RedBit's augmentation (rotation ±10°, random crop). */
const protocol = {
  mean: [0.1307],
  std: [0.3081],
  augmentation: { rotation: 10, cropPadding: 4 },
} as const;

export interface MnistOptions {
  /** Holds `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same of `t10k`, gzip or not. */
  readonly directory: string;
}

/** MNIST's 60,000 training and 10,000 test images from the four canonical files. */
export async function mnist({ directory }: MnistOptions): Promise<Dataset> {
  if (!isDirectory(directory)) {
    throw new UserError(
      `${directory} is not a directory; give the one that holds MNIST's four files`,
      "dataDirectory",
    );
  }
  return load("mnist", {
    trainImages: locate(directory, "train-images", 3),
    trainLabels: locate(directory, "train-labels", 1),
    testImages: locate(directory, "t10k-images", 3),
    testLabels: locate(directory, "t10k-labels", 1),
  });
}

/** Whether a path is one; no path at all, as a text too long for one, is none. */
function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** The shipped 10,000 training and 2,000 test images of MNIST (see data/digits/README.md). */
export async function digits(): Promise<Dataset> {
  const shipped = (name: string) => fileURLToPath(new URL(`../../data/digits/${name}`, import.meta.url));
  return load("digits", {
    trainImages: shipped("train-images.idx3.gz"),
    trainLabels: shipped("train-labels.idx1.gz"),
    testImages: shipped("test-images.idx3.gz"),
    testLabels: shipped("test-labels.idx1.gz"),
  });
}

type Files = Readonly<Record<"trainImages" | "trainLabels" | "testImages" | "testLabels", string>>;

async function load(name: string, files: Files): Promise<Dataset> {
  const [trainImages, trainLabels, testImages, testLabels] = await Promise.all([
    readMaybeGzip(files.trainImages),
    readMaybeGzip(files.trainLabels),
    readMaybeGzip(files.testImages),
    readMaybeGzip(files.testLabels),
  ]);
  return {
    name,
    classes,
    shape: [side, side, 1],
    train: imageSet(trainImages, files.trainImages, trainLabels, files.trainLabels),
    test: imageSet(testImages, files.testImages, testLabels, files.testLabels),
    ...protocol,
    checksum: checksumOf(trainImages, trainLabels, testImages, testLabels),
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
  const path = names
    .map((candidate) => join(directory, candidate))
    .find((candidate) => existsSync(candidate));
  if (path === undefined) {
    throw new UserError(
      `${names[0]} or ${basename(names[1])} is not in ${directory}; fetch MNIST's four files there`,
      "dataDirectory",
    );
  }
  return path;
}
