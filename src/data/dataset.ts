/** What a data set is: images and labels, and what is done to them before the network sees them. */
import { createHash } from "node:crypto";
import { UserError } from "../errors.js";
import { pieceBytes } from "../files/read.js";
import type { Augmentation } from "./augment.js";
import type { DecodeRules } from "./rules.js";
import type { ImageSet, ImageSource } from "./source.js";

/** Images to train and test on, and how they are prepared before the network sees them. */
export interface Dataset {
  readonly name: string;
  readonly classes: number;
  /** What the classes are called, in the order of their labels; by default by their labels. */
  readonly classNames?: readonly string[];
  /** Height, width and channels of an image. */
  readonly shape: readonly [height: number, width: number, channels: number];
  readonly train: ImageSet | ImageSource;
  readonly test: ImageSet | ImageSource;
  /** Per channel: the network sees (x - mean) / std. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** The rules by which image files become such pixels. Default: those of runs that begin now. */
  readonly rules?: DecodeRules;
  /** Whether `test` is all images of a folder that tells none apart for test. */
  readonly testIsAll?: boolean;
  /** Files that were left out when it was loaded, because they are damaged. Default: 0. */
  readonly damaged?: number;
  /** Applied to training images only. */
  readonly augmentation?: Augmentation;
  /** SHA-256 over what decides images and labels, so that a run is continued on the data that it started on. */
  readonly checksum: string;
}

/** A data set whose images are in memory. */
export interface ArrayDataset extends Dataset {
  readonly train: ImageSet;
  readonly test: ImageSet;
}

/** How far the loading of a data set is. */
export interface LoadProgress {
  /** The file that is downloaded, or the folder whose images are read. */
  readonly what: string;
  readonly unit: "bytes" | "images";
  readonly done: number;
  /** Undefined while nobody knows. */
  readonly total: number | undefined;
  /** Where a downloaded file came from, once it is there. */
  readonly from?: string;
}

/** What loading tells while it takes its time. */
export interface LoadListeners {
  readonly onProgress?: (progress: LoadProgress) => void;
  readonly onWarning?: (message: string) => void;
}

/** Loads files of a directory that the user named: whatever is wrong with them is that directory's fault. */
export async function ofDirectory<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    throw error instanceof UserError ? new UserError(error.message, "dataDirectory") : error;
  }
}

/** The SHA-256 of arrays' bytes, one after another, in hexadecimal digits. */
export function checksumOf(...parts: readonly ArrayBufferView[]): string {
  const hash = createHash("sha256");
  for (const { buffer, byteOffset, byteLength } of parts) {
    for (let at = 0; at < byteLength; at += pieceBytes) {
      hash.update(new Uint8Array(buffer, byteOffset + at, Math.min(pieceBytes, byteLength - at)));
    }
  }
  return hash.digest("hex");
}
