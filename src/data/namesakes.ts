/**
 * Fashion-MNIST and KMNIST: data sets in MNIST's format, whose files have its names and sizes.
 *
 * Sources: H. Xiao et al., "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms", 2017,
 * arXiv:1708.07747; T. Clanuwat et al., "Deep Learning for Classical Japanese Literature", 2018, arXiv:1812.01718. The
 * SHA-256 are those that are published of the packed files.
 */
import type { ArrayDataset } from "./dataset.js";
import type { MnistOptions, RemoteIdxSet } from "./idx-set.js";
import { downloadIdxSet, idxSet } from "./idx-set.js";
import type { LocalFile, RemoteFile, RemoteOptions } from "./remote.js";

/** The four files by the SHA-256 of the packed ones, in the order of MNIST's. */
const files = (...sums: readonly [string, string, string, string]): readonly RemoteFile[] =>
  [
    { name: "train-images-idx3-ubyte.gz", unpackedBytes: 47_040_016 },
    { name: "train-labels-idx1-ubyte.gz", unpackedBytes: 60_008 },
    { name: "t10k-images-idx3-ubyte.gz", unpackedBytes: 7_840_016 },
    { name: "t10k-labels-idx1-ubyte.gz", unpackedBytes: 10_008 },
  ].map((file, i) => ({ ...file, sha256: sums[i], of: "packed" }));

const fashion: RemoteIdxSet = {
  name: "fashion-mnist",
  title: "Fashion-MNIST",
  classNames: [
    ...["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"],
    ...["Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
  ],
  augmentation: { cropPadding: 4, flip: true },
  mirrors: [
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
  ],
  remote: files(
    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
  ),
};

const kuzushiji: RemoteIdxSet = {
  name: "kmnist",
  title: "KMNIST",
  classNames: ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
  augmentation: { rotation: 10, cropPadding: 4 },
  mirrors: [
    "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
  ],
  remote: files(
    "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
    "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
    "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
    "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
  ),
};

/** Fashion-MNIST's 60,000 training and 10,000 test images from the four files of a directory, or else downloaded. */
export async function fashionMnist(options: MnistOptions = {}): Promise<ArrayDataset> {
  return idxSet(fashion, "fashionMnist", options);
}

/** KMNIST's 60,000 training and 10,000 test images from the four files of a directory, or else downloaded. */
export async function kmnist(options: MnistOptions = {}): Promise<ArrayDataset> {
  return idxSet(kuzushiji, "kmnist", options);
}

type Download = (options?: RemoteOptions) => Promise<{ directory: string; files: LocalFile[] }>;

/** Fashion-MNIST's four files in the cache, downloaded where they are not there. @throws UserError if no mirror has them. */
export const downloadFashionMnist: Download = (options) => downloadIdxSet(fashion, options);

/** KMNIST's four files in the cache, downloaded where they are not there. @throws UserError if no mirror has them. */
export const downloadKmnist: Download = (options) => downloadIdxSet(kuzushiji, options);
