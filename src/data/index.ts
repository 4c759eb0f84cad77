/** The data sets that fewbit can train on. */
import { fromArrays } from "./arrays.js";
import { cifar10Sample } from "./cifar10-sample.js";
import { cifar10 } from "./cifar10.js";
import { imagenet } from "./imagenet.js";
import { images } from "./images.js";
import { digits, mnist } from "./mnist.js";
import { fashionMnist, kmnist } from "./namesakes.js";

/** The data sets: shipped, downloaded, from folders of images, and from arrays of one's own. */
export const datasets = {
  digits,
  mnist,
  fashionMnist,
  kmnist,
  cifar10,
  cifar10Sample,
  imagenet,
  images,
  fromArrays,
};

export { dataRegistry, dataSetNamed, dataSetOf, refuseNamesakes, shippedFor } from "./registry.js";
export type { DataSetEntry, DataSetOptions, NewDataSet } from "./registry.js";
export { decodeImages } from "./decode.js";
export { writeShards } from "./shard-writer.js";
export type { ShardOptions, WrittenShards } from "./shard-writer.js";
export { isMirror } from "./download.js";
export type { Augmentation, Placement } from "./augment.js";
export type { ColorJitter } from "./jitter.js";
export type { ArraysOptions } from "./arrays.js";
export type { Cifar10Options } from "./cifar10.js";
export type { ArrayDataset, Dataset, LoadListeners, LoadProgress } from "./dataset.js";
export type { ImageSet, ImageSource, LeftOut, Placer } from "./source.js";
export type { Destination } from "./writer.js";
export type { ImagenetOptions } from "./imagenet.js";
export type { ImagesOptions, Preparation } from "./images.js";
export type { DecodeRules } from "./rules.js";
export type { MnistOptions } from "./idx-set.js";
export type { DownloadOptions, Transfer } from "./download.js";
export type { RemoteOptions } from "./remote.js";
