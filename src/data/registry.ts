/** The data sets by name: what a configuration's `data` may be, and what follows from it. */
import { UserError } from "../errors.js";
import type { PublishedRow } from "../published/index.js";
import { cifar10Sample } from "./cifar10-sample.js";
import { cifar10 } from "./cifar10.js";
import type { Dataset, LoadListeners } from "./dataset.js";
import type { ImagesOptions } from "./images.js";
import { images } from "./images.js";
import { digits, mnist } from "./mnist.js";
import { fashionMnist, kmnist } from "./namesakes.js";

/** What a data set may be loaded with. */
export interface LoadOptions
  extends LoadListeners, Pick<ImagesOptions, "preparation" | "trainedOn" | "rules"> {
  readonly directory?: string;
  readonly mirrors?: readonly string[];
  /** The shape of the network's input, which images in folders become. */
  readonly shape: readonly [height: number, width: number, channels: number];
}

/** A data set that a configuration can name. */
export interface DataSetEntry {
  /** What it is called in a sentence. */
  readonly title: string;
  /** Where its files are: with fewbit, on servers unless in a folder, or in a folder alone. */
  readonly files: "shipped" | "downloaded" | "folder";
  /**
   * The data set of the published table whose rates suit it, and the checksum of all of it, if it is more than a part:
   * the accuracies of runs on data of that checksum can be compared.
   */
  readonly published?: { readonly dataset: PublishedRow["dataset"]; readonly checksum?: string };
  /** Data sets whose files have the same names. */
  readonly namesakes?: readonly string[];
  /** Images to train on and to test with, where that is known without reading any. */
  readonly counts?: readonly [train: number, test: number];
  /** Settings that suit it better than those of all data. */
  readonly defaults?: { readonly batchSize: number };
  /** Its images become of the size and channels that are asked for, and its classes are the network's. */
  readonly isFitted?: true;
  load(options: LoadOptions): Promise<Dataset>;
}

const entries = {
  digits: {
    title: "the shipped digits",
    files: "shipped",
    published: { dataset: "MNIST" },
    load: () => digits(),
  },
  mnist: {
    title: "MNIST",
    files: "downloaded",
    published: {
      dataset: "MNIST",
      checksum: "b2d8f5bf39174ee5ffeefa97e42d673c35432b411bb5d1f74fbbeddae7f1690a",
    },
    namesakes: ["fashion-mnist", "kmnist"],
    counts: [60_000, 10_000],
    load: ({ directory, mirrors, onProgress, onWarning }) =>
      mnist({ directory, mirrors, onProgress, onWarning }),
  },
  "fashion-mnist": {
    title: "Fashion-MNIST",
    files: "downloaded",
    counts: [60_000, 10_000],
    load: ({ directory, mirrors, onProgress, onWarning }) =>
      fashionMnist({ directory, mirrors, onProgress, onWarning }),
  },
  kmnist: {
    title: "KMNIST",
    files: "downloaded",
    counts: [60_000, 10_000],
    load: ({ directory, mirrors, onProgress, onWarning }) =>
      kmnist({ directory, mirrors, onProgress, onWarning }),
  },
  // The published rates do not suit it: 0.01 blows up in the 13 steps that its 1,600 images have where the whole has 390.
  "cifar10-sample": {
    title: "the shipped sample of CIFAR-10",
    files: "shipped",
    defaults: { batchSize: 32 }, // 50 steps an epoch
    load: () => cifar10Sample(),
  },
  cifar10: {
    title: "CIFAR-10",
    files: "downloaded",
    published: {
      dataset: "CIFAR-10",
      checksum: "013ba16d14ecc4829da62bf2af648ca30f600491ecb3e7f329c827db0dd17522",
    },
    counts: [50_000, 10_000],
    load: ({ directory, mirrors, onProgress, onWarning }) =>
      cifar10({ directory, mirrors, onProgress, onWarning }),
  },
  images: {
    title: "the folder of images",
    files: "folder",
    isFitted: true,
    load: ({ directory = "", mirrors: _, ...options }) => images({ directory, ...options }),
  },
} as const satisfies Readonly<Record<string, DataSetEntry>>;

export type DataSetName = keyof typeof entries;
export const dataSetNames = Object.keys(entries) as readonly DataSetName[];

/** The entry of a data set. */
export const dataSetOf = (name: DataSetName): DataSetEntry => entries[name];

/** The entry of a name that may be no data set's. */
export const dataSetNamed = (name: string): DataSetEntry | undefined =>
  Object.hasOwn(entries, name) ? entries[name as DataSetName] : undefined;

/**
 * Refuses files that are taken for a published data set by their names and numbers of images, and are not its own: what
 * is published for that would be taken for theirs. A part of a data set is no mistake, and is not compared.
 *
 * @throws UserError by the checksum, for data that a run begins on.
 */
export function refuseNamesakes(name: string, { train, test, checksum }: Dataset, directory: string): void {
  const { title = name, published, counts, namesakes = [] } = dataSetNamed(name) ?? {};
  const isOwn = published?.checksum === undefined || published.checksum === checksum;
  if (isOwn || counts?.[0] !== train.count || counts[1] !== test.count) return;
  const others = namesakes.map((other) => dataSetNamed(other)?.title ?? other).join(" and ");
  const hint =
    others === "" ? "" : `; ${others} have files of these names, and are data ${namesakes.join(" and ")}`;
  throw new UserError(
    `${directory} holds as many images as ${title}, but not ${title}'s own, by their checksum${hint}`,
    "dataDirectory",
  );
}
