/**
 * What a training run needs to go on bit for bit, and the weights of its best epoch, as safetensors
 * files. They hold no times and no machine, so equal runs have equal files.
 */
import { existsSync, readFileSync } from "node:fs";
import type { HostArray } from "../graph/host.js";
import { UserError } from "../errors.js";
import { writeAtomically } from "./files.js";
import type { Sums } from "./metrics.js";
import type { StoredTensor } from "./safetensors.js";
import { decodeTensors, encodeTensors } from "./safetensors.js";

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

const formatVersion = "1";

export function writeCheckpoint(path: string, identity: string, checkpoint: Checkpoint): void {
  const { values, epoch, step, sums, signs } = checkpoint;
  const tensors: Record<string, StoredTensor> = flatten(values);
  for (const [name, data] of Object.entries(signs)) tensors[`signs/${name}`] = { data, shape: [data.length] };
  const metadata = {
    format: "fewbit checkpoint",
    formatVersion,
    identity,
    epoch: String(epoch),
    step: String(step),
    sums: JSON.stringify(sums),
  };
  writeAtomically(path, encodeTensors({ tensors, metadata }));
}

/**
 * Reads a checkpoint of a run with the given identity and arrays like `expected`. Throws `UserError`
 * for a damaged file, and for one of another network, method or optimizer.
 */
export function readCheckpoint(path: string, identity: string, expected: TrainingValues): Checkpoint {
  const { tensors, metadata } = read(path, ["fewbit checkpoint"], identity);
  const signs: Record<string, Uint8Array> = {};
  const rest: Record<string, StoredTensor> = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    if (!name.startsWith("signs/")) rest[name] = tensor;
    else if (tensor.data instanceof Uint8Array) signs[name.slice("signs/".length)] = tensor.data;
  }
  const values = restore(rest, expected, path);
  return { values, ...positionOf(metadata, path), signs };
}

/** Where a checkpoint stands: epochs, steps and sums. */
function positionOf(
  { epoch, step, sums }: Readonly<Record<string, string>>,
  path: string,
): Pick<Checkpoint, "epoch" | "step" | "sums"> {
  const count = (text: string): number => {
    if (!/^\d{1,15}$/.test(text))
      throw new UserError(`${path} is damaged: it does not say where the run stands`);
    return Number(text);
  };
  try {
    return { epoch: count(epoch), step: count(step), sums: JSON.parse(sums) as Sums };
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${path} is damaged: its sums are not JSON`);
  }
}

export function writeWeights(
  path: string,
  identity: string,
  epoch: number,
  { parameters, statistics }: Weights,
): void {
  const metadata = { format: "fewbit weights", formatVersion, identity, epoch: String(epoch) };
  writeAtomically(path, encodeTensors({ tensors: flatten({ parameters, statistics }), metadata }));
}

/**
 * Reads the weights, and their epoch, that `writeWeights` wrote or that are part of a checkpoint.
 * Throws `UserError` as `readCheckpoint` does.
 */
export function readWeights(
  path: string,
  identity: string,
  expected: Weights,
): { weights: Weights; epoch: number } {
  const { tensors, metadata } = read(path, ["fewbit weights", "fewbit checkpoint"], identity);
  const { parameters, statistics } = expected;
  const own = Object.entries(tensors).filter(([name]) => !/^(optimizer|signs)\//.test(name));
  const weights = restore(Object.fromEntries(own), { parameters, statistics }, path);
  return { weights, epoch: Number(metadata.epoch) };
}

function read(path: string, formats: readonly string[], identity: string) {
  if (!existsSync(path)) throw new UserError(`${path} does not exist`);
  const file = decodeTensors(readBytes(path), path);
  const { metadata } = file;
  if (!formats.includes(metadata.format) || metadata.formatVersion !== formatVersion) {
    throw new UserError(`${path} does not hold ${formats.join(" or ")} of version ${formatVersion}`);
  }
  if (metadata.identity !== identity) {
    throw new UserError(`${path} is of ${metadata.identity}; this network is ${identity}`);
  }
  return file;
}

function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UserError(`cannot read ${path}: ${(error as NodeJS.ErrnoException).code}`);
  }
}

/** { a: { b: array } } as { "a/b": array }. */
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
  const describe = ({ data, shape }: StoredTensor) => `${data.constructor.name} [${shape.join(", ")}]`;
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
