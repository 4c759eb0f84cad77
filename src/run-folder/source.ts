/** Weights that a training starts from: those of a run's best epoch, or of any safetensors file. */
import { statSync } from "node:fs";
import { basename, join } from "node:path";
import { checksumOf } from "../data/dataset.js";
import { checkPath, shown, UserError } from "../errors.js";
import { isObject } from "../errors/options.js";
import { isThere, readBytes } from "../files/read.js";
import { sizeOf } from "../graph/tensor.js";
import type { HostArray } from "../graph/host.js";
import type { Arrays, Weights } from "./checkpoint.js";
import { nonFinite } from "./checkpoint.js";
import { fileNames, readConfig } from "./run.js";
import type { StoredTensor, TensorFile } from "./safetensors.js";
import { decodeTensors } from "./safetensors.js";

/** Arrays to start from, all f32, by the names that they have in a run's files. */
export interface WeightSource {
  /** The path of the run or file, for messages. */
  readonly name: string;
  readonly arrays: Arrays;
  /** SHA-256 of names, shapes and values. */
  readonly checksum: string;
}

/** The endings of files that PyTorch writes as pickles. */
const pickled = /\.(pt|pth|bin|ckpt|pkl|pickle)$/i;

/**
 * Reads the weights of a run's best epoch, or those of a safetensors file with elements of any type, or takes those of a
 * run in memory.
 *
 * @throws UserError for anything else, and for values that are not finite in f32.
 */
export function readSource(from: string | Weights): WeightSource {
  const name = typeof from === "string" ? from : "initialWeights";
  const arrays = typeof from === "string" ? readArrays(from) : arraysOf(from);
  const broken = nonFinite(arrays);
  if (broken !== undefined) {
    throw bad(`${name} holds NaN or numbers that are infinite in f32 in "${broken}"`);
  }
  return { name, arrays, checksum: checksumOfArrays(arrays) };
}

/** The checksums of the sources that were read, by path, with the time and size of the file that each is of. */
const known = new Map<string, { readonly stamp: string; readonly checksum: string }>();

/** The checksum of a source, for which a file that has not changed is read once. @throws UserError as `readSource` does */
export function checksumOfSource(path: string): string {
  const stamp = stampOf(path);
  const before = known.get(path);
  if (before !== undefined && before.stamp === stamp) return before.checksum;
  const { checksum } = readSource(path);
  if (stamp !== undefined) known.set(path, { stamp, checksum });
  return checksum;
}

function stampOf(path: string): string | undefined {
  const file = isFolder(path) ? join(path, fileNames.best) : path;
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined ? undefined : `${found.ino} ${found.size} ${found.mtimeMs}`;
}

const bad = (message: string): UserError => new UserError(message, "initialWeights");

const isFolder = (path: string): boolean => isThere(path) && statSync(path).isDirectory();

function readArrays(path: string): Arrays {
  checkPath("initialWeights", path);
  if (!isThere(path)) throw bad(`${path} does not exist`);
  if (isFolder(path)) return widened(readBest(path));
  if (pickled.test(path)) throw pickle(path);
  return widened(decodeTensors(readBytes(path, Infinity), path));
}

function readBest(directory: string): TensorFile {
  if (!isThere(join(directory, fileNames.config))) {
    throw bad(`${directory} holds no run: there is no ${fileNames.config}`);
  }
  const { recipe } = readConfig(directory);
  const path = join(directory, fileNames.best);
  if (!isThere(path)) {
    throw bad(`${path} is not there: no epoch has ended yet, or the file is lost; resume the run`);
  }
  const file = decodeTensors(readBytes(path, Infinity), path);
  if (file.metadata.recipe !== recipe) {
    throw bad(`${path} is of another run than its folder; put the run's own file back`);
  }
  return file;
}

/** A pickle can run code when it is read, so it is converted where its user trusts it. */
function pickle(path: string): UserError {
  const converted = `${basename(path).replace(pickled, "")}.safetensors`;
  return new UserError(
    `${path} is a Python pickle, which can run code when it is read; convert it with these two lines of Python:`,
    undefined,
    undefined,
    [
      "import torch; from safetensors.torch import save_file",
      `save_file({k: v.clone().contiguous() for k, v in torch.load(${JSON.stringify(path)}, map_location="cpu", weights_only=True).items()}, ${JSON.stringify(converted)})`,
    ],
  );
}

/** A file's tensors in f32; of a checkpoint the weights alone. */
function widened({ tensors, metadata }: TensorFile): Arrays {
  const isBeside = (name: string): boolean =>
    metadata.format === "fewbit checkpoint" && /^(optimizer|signs)\//.test(name);
  return Object.fromEntries(
    Object.entries(tensors)
      .filter(([name]) => !isBeside(name))
      .map(([name, { data, shape }]) => [name, { data: floatsOf(data), shape }]),
  );
}

function floatsOf(data: StoredTensor["data"]): Float32Array {
  if (data instanceof Float32Array) return data;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    const floats = new Float32Array(data.length);
    for (let i = 0; i < data.length; i++) floats[i] = Number(data[i]);
    return floats;
  }
  return Float32Array.from(data);
}

/** The arrays of weights in memory, by the names that they have in files. */
function arraysOf(weights: Weights): Arrays {
  return Object.fromEntries(
    (["parameters", "statistics"] as const).flatMap((kind) => {
      const arrays: unknown = weights[kind];
      if (!isObject(arrays)) throw bad(`initialWeights must have ${kind}, as the weights of a run have`);
      return Object.entries(arrays).map(([name, array]) => {
        const { data, shape } = Object(array) as HostArray;
        if (!(data instanceof Float32Array) || !Array.isArray(shape) || sizeOf(shape) !== data.length) {
          throw bad(
            `initialWeights must hold { data, shape } of a Float32Array that its shape fits for ${name}, got ${shown(array)}`,
          );
        }
        return [`${kind}/${name}`, { data, shape }] as const;
      });
    }),
  );
}

/** SHA-256 of arrays, whatever their order and wherever they come from. */
function checksumOfArrays(arrays: Arrays): string {
  const sorted = Object.entries(arrays).sort(([a], [b]) => (a < b ? -1 : 1));
  return checksumOf(
    Buffer.from(JSON.stringify(sorted.map(([name, { shape }]) => [name, shape]))),
    ...sorted.map(([, { data }]) => data),
  );
}
