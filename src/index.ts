/**
 * fewbit: train neural networks of 1 to 8 bits, and compare the published quantization methods.
 *
 * `train` does the whole of it. Below that stand networks (`network`, `models`), methods (`quant`),
 * optimizers (`optim`) and data (`datasets`), and below these the engine: functions on tensors
 * (`add`, `convolution`, ...), `valueAndGradients`, `compile`.
 */
export * from "./web.js";
export { datasets, writeShards } from "./data/index.js";
export type {
  ArrayDataset,
  ArraysOptions,
  Augmentation,
  Cifar10Options,
  ColorJitter,
  DataSetOptions,
  Dataset,
  DecodeRules,
  Destination,
  DownloadOptions,
  ImageSet,
  ImageSource,
  ImagenetOptions,
  ImagesOptions,
  LeftOut,
  LoadListeners,
  LoadProgress,
  MnistOptions,
  NewDataSet,
  Placement,
  Placer,
  Preparation,
  RemoteOptions,
  ShardOptions,
  Transfer,
  WrittenShards,
} from "./data/index.js";
export * from "./training/index.js";
export { profileStep } from "./training/profile.js";
export type { Profile, ProfileOptions, ProfileRow } from "./training/profile.js";
export { chooseExecutor } from "./runtime/choose.js";
export type { ExecutorChoice, ExecutorOptions } from "./runtime/choose.js";
