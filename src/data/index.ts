/** The data sets that fewbit can train on. */
import { fromArrays } from "./arrays.js";
import { digits, mnist } from "./mnist.js";

export const datasets = { digits, mnist, fromArrays };

export type { Augmentation } from "./augment.js";
export type { ArraysOptions } from "./arrays.js";
export type { Dataset, ImageSet } from "./dataset.js";
export type { MnistOptions } from "./mnist.js";
