/** The data sets by name: what a configuration's `data` may be, and what follows from it. */
import { firstLineOf, UserError } from "../errors.js";
import type { Rules } from "../errors/options.js";
import { callback, count, flag, optional, text } from "../errors/options.js";
import { exportedEntry, refuseShippedName, registryOf } from "../errors/registry.js";
import { settled } from "../machine.js";
import type { PublishedRow } from "../published/index.js";
import { cifar10Sample } from "./cifar10-sample.js";
import { checkDataset, checkSets } from "./check.js";
import { cifar10, downloadCifar10 } from "./cifar10.js";
import type { Dataset, LoadListeners } from "./dataset.js";
import type { ImagesOptions } from "./images.js";
import type { ImagenetOptions } from "./imagenet.js";
import { imagenet } from "./imagenet.js";
import { images } from "./images.js";
import { digits, downloadMnist, mnist } from "./mnist.js";
import { downloadFashionMnist, downloadKmnist, fashionMnist, kmnist } from "./namesakes.js";
import type { RemoteOptions } from "./remote.js";
import type { ImageSet, ImageSource, LeftOut } from "./source.js";

/** What a data set may be loaded with. */
export interface LoadOptions
  extends
    LoadListeners,
    Pick<ImagesOptions, "preparation" | "trainedOn" | "rules" | "memory" | "imageThreads" | "skipDamaged"> {
  /** That of the method, where a data set is prepared as its table or as elsewhere. */
  readonly preset?: string;
  /** Some of the classes: how many of the first, or their folders. */
  readonly classes?: ImagenetOptions["classes"];
  readonly directory?: string;
  readonly mirrors?: readonly string[];
  /** The shape of the network's input, which images in folders become. */
  readonly shape: readonly [height: number, width: number, channels: number];
}

/** A data set that a configuration can name. */
export interface DataSetEntry {
  /** What it is called in a sentence. */
  readonly title: string;
  /** Where its files are: with fewbit, on servers unless in a folder, in a folder alone, or where the user's code has them. */
  readonly files: "shipped" | "downloaded" | "folder" | "code";
  /** What the folder is that it needs. */
  readonly folder?: string;
  /** How it is downloaded before it is asked for: how many files that are, and the network to try it with. */
  readonly download?: {
    readonly files: string;
    readonly network: string;
    load(options: RemoteOptions): ReturnType<typeof downloadMnist>;
  };
  /**
   * The data set of the published table whose rates suit it, and by what all of it is known, if it may be more than a part:
   * the accuracies of runs on that can be compared. It has a checksum; or, where its files may be made smaller or packed,
   * `counts`, so many classes, and images of at least so many pixels a side.
   */
  readonly published?: {
    readonly dataset: PublishedRow["dataset"];
    readonly checksum?: string;
    readonly classes?: number;
    readonly side?: number;
  };
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

/** Loads a data set whose own images decide their shape. */
const fromFiles =
  (load: typeof mnist) =>
  ({ directory, mirrors, onProgress, onWarning }: LoadOptions): Promise<Dataset> =>
    load({ directory, mirrors, onProgress, onWarning });

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
    download: { files: "four", network: "lenet5", load: downloadMnist },
    load: fromFiles(mnist),
  },
  "fashion-mnist": {
    title: "Fashion-MNIST",
    files: "downloaded",
    counts: [60_000, 10_000],
    download: { files: "four", network: "lenet5", load: downloadFashionMnist },
    load: fromFiles(fashionMnist),
  },
  kmnist: {
    title: "KMNIST",
    files: "downloaded",
    counts: [60_000, 10_000],
    download: { files: "four", network: "lenet5", load: downloadKmnist },
    load: fromFiles(kmnist),
  },
  // The published rates do not suit it: 0.01 blows up in the 13 steps that its 1,600 images have where the whole has 390.
  "cifar10-sample": {
    title: "the shipped sample of CIFAR-10",
    files: "shipped",
    defaults: { batchSize: 32 }, // 50 steps per epoch
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
    download: { files: "six", network: "resnet20", load: downloadCifar10 },
    load: fromFiles(cifar10),
  },
  imagenet: {
    title: "ImageNet",
    files: "folder",
    folder: "the folder of ImageNet, with train and val",
    published: { dataset: "ImageNet", classes: 1000, side: 224 },
    counts: [1_281_167, 50_000],
    isFitted: true,
    load: ({ directory = "", mirrors: _, trainedOn: _trainedOn, memory: _memory, ...options }) =>
      imagenet({ directory, ...options }),
  },
  images: {
    title: "the folder of images",
    files: "folder",
    folder: "a folder with a folder of images for each class",
    isFitted: true,
    load: ({ directory = "", mirrors: _, preset: _preset, classes: _classes, ...options }) =>
      images({ directory, ...options }),
  },
} as const satisfies Readonly<Record<string, DataSetEntry>>;

/** What the file of a data set exports as its default. */
export interface NewDataSet {
  /** What it is called in a sentence. Default: by its file. */
  readonly title?: string;
  /** Whether its files are in a folder that `--data-dir` names. Default: it takes none. */
  readonly needsFolder?: boolean;
  /** Whether its images become of the size and channels that are asked for, as those of folders do. Default: it has its own. */
  readonly isFitted?: boolean;
  /** Images to train on and to test with, by which a study foretells its time. */
  readonly counts?: readonly [train: number, test: number];
  /** Loads it: `datasets.fromArrays` makes a data set of arrays. */
  load(options: DataSetOptions): Dataset | Promise<Dataset>;
}

/** What the data set of a file is loaded with. */
export interface DataSetOptions extends LoadListeners {
  /** The folder of its files, if it needs one. */
  readonly directory?: string;
  /** The shape that its images must have, if it is fitted. */
  readonly shape?: readonly [height: number, width: number, channels: number];
}

const rules: Rules<NewDataSet> = {
  title: optional(text),
  needsFolder: optional(flag),
  isFitted: optional(flag),
  counts: optional({
    allowed: "two numbers of images, to train on and to test with",
    test: (value) => Array.isArray(value) && value.length === 2 && value.every((part) => count.test(part)),
  }),
  load: callback,
};

/** The data sets by name. */
export const dataRegistry = registryOf<DataSetEntry>("data set", entries, inFile);

/** The data set that a file exports. @throws UserError for anything else */
function inFile(path: string, exported: unknown): DataSetEntry {
  const entry = exportedEntry<NewDataSet>(path, exported, {
    field: "data",
    members: ["title", "load"],
    rules,
  });
  const { title = path, needsFolder = false, isFitted, counts } = entry;
  return {
    title,
    counts,
    files: needsFolder ? "folder" : "code",
    folder: needsFolder ? "the folder with its files" : undefined,
    isFitted: isFitted === true ? true : undefined,
    async load({ directory, shape, onProgress, onWarning }) {
      const options = { directory, onProgress, onWarning, ...(isFitted === true ? { shape } : {}) };
      const what = `load() of ${path}`;
      let data: unknown;
      try {
        data = await settled(Promise.resolve(entry.load(options)));
      } catch (error) {
        throw new UserError(`${what} fails: ${firstLineOf(error)}`, "data");
      }
      checkSets(`${what} must return`, data);
      try {
        checkDataset(data);
      } catch (error) {
        throw new UserError(`${what} must return a data set: ${(error as Error).message}`, "data");
      }
      refuseShippedName(path, data.name, dataRegistry, "data");
      const { train, test } = data;
      return {
        ...data,
        train: guardedSet(`fill() of data.train of ${path}`, train),
        test: guardedSet(`fill() of data.test of ${path}`, test),
      };
    },
  };
}

/** A set of a file's data set: a source's failures are reported with the file's name, but for mistakes that the source reports itself. */
function guardedSet(what: string, set: ImageSet | ImageSource): ImageSet | ImageSource {
  if (!("fill" in set)) return set;
  const fail = (error: unknown): never => {
    throw error instanceof UserError ? error : new UserError(`${what} fails: ${firstLineOf(error)}`);
  };
  const guarded =
    <Given extends readonly unknown[]>(fill: (...given: Given) => LeftOut | Promise<LeftOut>) =>
    (...given: Given): LeftOut | Promise<LeftOut> => {
      try {
        const done = fill(...given);
        return done instanceof Promise ? done.catch(fail) : done;
      } catch (error) {
        return fail(error);
      }
    };
  return {
    count: set.count,
    labels: set.labels,
    varies: set.varies,
    fill: guarded((...given) => set.fill(...given)),
    fillBytes: set.fillBytes && guarded((...given) => set.fillBytes?.(...given)),
  };
}

/** The entry of a name that may be no data set's. */
export const dataSetNamed = (name: unknown): DataSetEntry | undefined => dataRegistry.find(name);

/** The entry of a configuration's data set. */
export function dataSetOf(name: string): DataSetEntry {
  const entry = dataSetNamed(name);
  if (entry === undefined) throw new Error(`there is no data set ${name}`);
  return entry;
}

/** The shipped data set for images of so many channels, which a network trains on where no other is named. */
export const shippedFor = (channels: number): string => (channels === 1 ? "digits" : "cifar10-sample");

/**
 * Refuses files that are taken for a published data set by their names and numbers of images, and are not its own: what
 * is published for that would be taken for theirs. A part of a data set is no mistake, and is not compared.
 *
 * @throws UserError by the checksum, for data that a run begins on.
 */
export function refuseNamesakes(name: string, { train, test, checksum }: Dataset, directory: string): void {
  const { title = name, published, counts, namesakes = [] } = dataSetNamed(name) ?? {};
  const isOriginal = published?.checksum === undefined || published.checksum === checksum;
  if (isOriginal || counts?.[0] !== train.count || counts[1] !== test.count) return;
  const others = namesakes.map((other) => dataSetNamed(other)?.title ?? other).join(" and ");
  const hint =
    others === "" ? "" : `; ${others} have files of these names, and are data ${namesakes.join(" and ")}`;
  throw new UserError(
    `${directory} holds as many images as ${title}, but not ${title}'s own, by their checksum${hint}`,
    "dataDirectory",
  );
}
