/** MNIST and the shipped part of it, with the augmentation of the published study. */
import { fileURLToPath } from "node:url";
import { checkOptions } from "../errors/options.js";
import type { ArrayDataset } from "./dataset.js";
import type { IdxSet, MnistOptions, RemoteIdxSet } from "./idx-set.js";
import { downloadIdxSet, idxSet, loadIdxSet } from "./idx-set.js";
import type { LocalFile, RemoteOptions } from "./remote.js";

/** Mean and standard deviation of MNIST's training pixels, and RedBit's augmentation (rotation ±10°, random crop). */
const protocol = {
  title: "MNIST",
  classNames: Array.from({ length: 10 }, (_, digit) => String(digit)),
  mean: [0.1307],
  std: [0.3081],
  augmentation: { rotation: 10, cropPadding: 4 },
} as const satisfies Omit<IdxSet, "name">;

const whole: RemoteIdxSet = {
  ...protocol,
  name: "mnist",
  mirrors: [
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://azureopendatastorage.blob.core.windows.net/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
  ],
  remote: [
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
  ],
};

/** MNIST's 60,000 training and 10,000 test images from the four files of a directory, or else downloaded. */
export async function mnist(options: MnistOptions = {}): Promise<ArrayDataset> {
  return idxSet(whole, "mnist", options);
}

/** MNIST's four files in the cache, downloaded where they are not there. @throws UserError if no mirror has them. */
export function downloadMnist(
  options: RemoteOptions = {},
): Promise<{ directory: string; files: LocalFile[] }> {
  return downloadIdxSet(whole, options);
}

/** The shipped 10,000 training and 2,000 test images of MNIST (see data/digits/README.md). */
export async function digits(options: Readonly<Record<string, never>> = {}): Promise<ArrayDataset> {
  checkOptions("digits", options, {});
  const shipped = (name: string) => fileURLToPath(new URL(`../../data/digits/${name}`, import.meta.url));
  return loadIdxSet({ ...protocol, name: "digits" }, [
    shipped("train-images.idx3.gz"),
    shipped("train-labels.idx1.gz"),
    shipped("test-images.idx3.gz"),
    shipped("test-labels.idx1.gz"),
  ]);
}
