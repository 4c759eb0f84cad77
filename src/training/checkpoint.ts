/**
 * What a training run needs to go on bit for bit, and the weights of its best epoch, as safetensors
 * files. They hold no times and no machine, so equal runs have equal files.
 */
import { existsSync } from "node:fs";
import type { HostArray } from "../graph/host.js";
import { UserError } from "../errors.js";
import { readBytes, stage, writeAtomically } from "./files.js";
import type { Sums } from "./metrics.js";
import { noImages } from "./metrics.js";
import type { StoredTensor } from "./safetensors.js";
import { decodeTensors, encodeParts, isRecord, typeOf } from "./safetensors.js";

export type Arrays = Readonly<Record<string, HostArray>>;

/** The weights as they are trained, and batch normalisation's running statistics. */
export interface Weights {
  readonly parameters: Arrays;
  readonly statistics: Arrays;
}

/** Everything that a step replaces. */
export interface TrainingValues extends Weights {
  readonly optimizer: Readonly<Record<string, Arrays>>;
}

export interface Checkpoint {
  readonly values: TrainingValues;
  /** Epochs completed. */
  readonly epoch: number;
  /** Steps done in the running epoch, and its sums so far. */
  readonly step: number;
  readonly sums: Sums;
  /** Of each quantized layer's weights, the signs at the last epoch's end, a bit each. */
  readonly signs: Readonly<Record<string, Uint8Array>>;
}

/** What the arrays of a checkpoint must be like: their names, types and shapes. */
export type Expected = Pick<Checkpoint, "values" | "signs">;

/** Arrays of the same names, types and shapes, without the memory. */
export function withoutData<T extends object>(tree: T): T {
  return mapValues(tree as Record<string, object>, (value) =>
    "data" in value ? { ...value, data: (value as HostArray).data.slice(0, 0) } : withoutData(value),
  ) as T;
}

/** What a file of weights belongs to. */
export interface Owner {
  /** Network and method, in words. */
  readonly identity: string;
  /** `RunConfig.recipe`; runs of the first versions have none. */
  readonly recipe?: string;
}

const formatVersion = "1";

export function writeCheckpoint(path: string, owner: Owner, checkpoint: Checkpoint): void {
  stageCheckpoint(path, owner, checkpoint)();
}

/** Writes a checkpoint beside the one that is there; the function that it returns puts it in its place. */
export function stageCheckpoint(path: string, owner: Owner, checkpoint: Checkpoint): () => void {
  const { values, epoch, step, sums, signs } = checkpoint;
  const tensors: Record<string, StoredTensor> = flatten(values);
  for (const [name, data] of Object.entries(signs)) tensors[`signs/${name}`] = { data, shape: [data.length] };
  const metadata = {
    format: "fewbit checkpoint",
    formatVersion,
    ...owner,
    epoch: String(epoch),
    step: String(step),
    sums: JSON.stringify(sums),
  };
  return stage(path, encodeParts({ tensors, metadata }));
}

/**
 * Reads a checkpoint of its owner, with arrays like `expected`. Throws `UserError` for a damaged file,
 * and for one of another run, network, method or optimizer.
 */
export function readCheckpoint(path: string, owner: Owner, expected: Expected): Checkpoint {
  const { tensors, metadata } = read(path, ["fewbit checkpoint"], owner);
  const signTensors = mapValues(expected.signs, (data) => ({ data, shape: [data.length] }));
  const { signs, ...values } = restore(tensors, { ...expected.values, signs: signTensors }, path);
  return {
    values,
    signs: mapValues(signs, ({ data }) => data),
    epoch: countOf(metadata.epoch, path),
    step: countOf(metadata.step, path),
    sums: sumsOf(metadata.sums, path),
  };
}

/** A number of epochs or steps. */
function countOf(text: string | undefined, path: string): number {
  if (text === undefined || !/^\d{1,15}$/.test(text)) {
    throw new UserError(`${path} is damaged: it does not say where the run stands`);
  }
  return Number(text);
}

function sumsOf(text: string | undefined, path: string): Sums {
  let sums: unknown;
  try {
    sums = JSON.parse(text ?? "");
  } catch {
    throw new UserError(`${path} is damaged: its sums are not JSON`);
  }
  const isSums = (value: unknown): value is Sums =>
    isRecord(value) && Object.keys(noImages).every((key) => Number.isFinite(value[key]));
  if (!isSums(sums)) throw new UserError(`${path} is damaged: its sums are not what a run writes`);
  return sums;
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}

export function writeWeights(
  path: string,
  owner: Owner,
  epoch: number,
  { parameters, statistics }: Weights,
): void {
  const metadata = { format: "fewbit weights", formatVersion, ...owner, epoch: String(epoch) };
  writeAtomically(path, encodeParts({ tensors: flatten({ parameters, statistics }), metadata }));
}

/**
 * Reads the weights, and their epoch, that `writeWeights` wrote or that are part of a checkpoint.
 * Throws `UserError` as `readCheckpoint` does.
 */
export function readWeights(
  path: string,
  owner: Owner,
  expected: Weights,
): { weights: Weights; epoch: number } {
  const { tensors, metadata } = read(path, ["fewbit weights", "fewbit checkpoint"], owner);
  const { parameters, statistics } = expected;
  const own = Object.entries(tensors).filter(([name]) => !/^(optimizer|signs)\//.test(name));
  const weights = restore(Object.fromEntries(own), { parameters, statistics }, path);
  return { weights, epoch: countOf(metadata.epoch, path) };
}

function read(path: string, formats: readonly string[], owner: Owner) {
  if (!existsSync(path)) throw new UserError(`${path} does not exist`);
  const file = decodeTensors(readBytes(path), path);
  const { metadata } = file;
  if (!formats.includes(metadata.format) || metadata.formatVersion !== formatVersion) {
    throw new UserError(`${path} does not hold ${formats.join(" or ")} of version ${formatVersion}`);
  }
  if (metadata.identity !== owner.identity) {
    throw new UserError(`${path} is of ${metadata.identity}; this network is ${owner.identity}`);
  }
  if (metadata.recipe !== owner.recipe) {
    throw new UserError(`${path} is of another run of the same network; put this run's own file back`);
  }
  return file;
}

/** The name of an array that holds NaN or an infinity, if one does. */
export function nonFinite(values: object): string | undefined {
  return Object.entries(flatten(values)).find(([, { data }]) => !data.every(Number.isFinite))?.[0];
}

/** { a: { b: array } } as { "a/b": array }: arrays by the names that they have in the files. */
function flatten(tree: object): Record<string, HostArray> {
  const flat: Record<string, HostArray> = {};
  const visit = (value: object, path: string): void => {
    if ("data" in value) flat[path] = value as HostArray;
    else
      for (const [key, child] of Object.entries(value))
        visit(child as object, path === "" ? key : `${path}/${key}`);
  };
  visit(tree, "");
  return flat;
}

/** The stored arrays in the structure of `expected`, which has the same names, types and shapes. */
function restore<T extends object>(
  stored: Readonly<Record<string, StoredTensor>>,
  expected: T,
  path: string,
): T {
  const describe = ({ data, shape }: StoredTensor) => `${typeOf(data)} [${shape.join(", ")}]`;
  const names = new Set(Object.keys(stored));
  const visit = (value: object, name: string): unknown => {
    if ("data" in value) {
      const wanted = describe(value as HostArray);
      const found = Object.hasOwn(stored, name) ? describe(stored[name]) : "nothing";
      if (found !== wanted) {
        throw new UserError(
          `${path} is of another network: for ${name} it has ${found}, this one needs ${wanted}`,
        );
      }
      names.delete(name);
      return stored[name];
    }
    return Object.fromEntries(
      Object.entries(value).map(([key, child]) => [
        key,
        visit(child as object, name === "" ? key : `${name}/${key}`),
      ]),
    );
  };
  const result = visit(expected, "") as T;
  for (const name of names)
    throw new UserError(`${path} is of another network: it has ${name}, which this one lacks`);
  return result;
}
