/**
 * What a training run needs to go on bit for bit, and the weights of its best epoch, as safetensors
 * files. They hold no times and no machine, so equal runs have equal files.
 */
import type { StateArray } from "../compiler/state.js";
import type { HostArray } from "../graph/host.js";
import { UserError } from "../errors.js";
import { isObject } from "../errors/options.js";
import { isThere, readBytes } from "../files/read.js";
import { sizeOf, stagePieces } from "../files/write.js";
import type { Sums } from "./metrics.js";
import { noImages } from "./metrics.js";
import type { StoredTensor, TensorFile, TensorSource } from "./safetensors.js";
import { decodeTensors, encodeSources, readTensorHeader, sourceOf, typeOf } from "./safetensors.js";

/** Arrays by name, such as the parameters of a network. */
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

/** What a training has come to, and where. */
export interface Checkpoint<Values = TrainingValues> {
  readonly values: Values;
  /** Epochs completed. */
  readonly epoch: number;
  /** Steps done in the running epoch, and its sums so far. */
  readonly step: number;
  readonly sums: Sums;
  /** The signs of each quantized layer's weights at the last epoch's end, one bit per weight. */
  readonly signs: Readonly<Record<string, Uint8Array>>;
}

type ArraysInPlace = Readonly<Record<string, StateArray>>;

/** A training's values in an executor's memory. */
interface ValuesInPlace {
  readonly parameters: ArraysInPlace;
  readonly statistics: ArraysInPlace;
  readonly optimizer: Readonly<Record<string, ArraysInPlace>>;
}

/** A checkpoint to write, whose values may lie in an executor's memory. */
export type CheckpointToWrite = Checkpoint<TrainingValues | ValuesInPlace>;

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

/** Replaces a checkpoint atomically. */
export async function writeCheckpoint(
  path: string,
  owner: Owner,
  checkpoint: CheckpointToWrite,
): Promise<void> {
  (await stageCheckpoint(path, owner, checkpoint))();
}

/** Writes a checkpoint beside the one that is there; the function that it returns puts it in its place. */
export function stageCheckpoint(
  path: string,
  owner: Owner,
  checkpoint: CheckpointToWrite,
): Promise<() => void> {
  const { values, epoch, step, sums, signs } = checkpoint;
  const tensors = sourcesOf(values);
  for (const [name, data] of Object.entries(signs))
    tensors[`signs/${name}`] = sourceOf({ data, shape: [data.length] });
  const metadata = {
    format: "fewbit checkpoint",
    formatVersion,
    ...owner,
    epoch: String(epoch),
    step: String(step),
    sums: JSON.stringify(sums),
  };
  return stagePieces(path, encodeSources(tensors, metadata));
}

/**
 * Reads a checkpoint of its owner, with arrays like `expected`. Throws `UserError` for a damaged file,
 * and for one of another run, network, method or optimizer.
 */
export function readCheckpoint(path: string, owner: Owner, expected: Expected): Checkpoint {
  const signTensors = mapValues(expected.signs, (data) => ({ data, shape: [data.length] }));
  const all = { ...expected.values, signs: signTensors };
  const { tensors, metadata } = read(path, { formats: ["fewbit checkpoint"], owner, expected: all });
  const { signs, ...values } = restore(tensors, all);
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
    isObject(value) && Object.keys(noImages).every((key) => Number.isFinite(value[key]));
  if (!isSums(sums)) throw new UserError(`${path} is damaged: its sums are not what a run writes`);
  return sums;
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}

/** Writes the weights of an epoch's end atomically. */
export async function writeWeights(
  path: string,
  owner: Owner,
  { epoch, values: { parameters, statistics } }: Pick<CheckpointToWrite, "epoch" | "values">,
): Promise<void> {
  const metadata = { format: "fewbit weights", formatVersion, ...owner, epoch: String(epoch) };
  const pieces = encodeSources(sourcesOf({ parameters, statistics }), metadata);
  (await stagePieces(path, pieces))();
}

/** The weights in a file of their own, or as part of a checkpoint. */
const weightsOf = (owner: Owner, { parameters, statistics }: Weights): Wanted => ({
  formats: ["fewbit weights", "fewbit checkpoint"],
  owner,
  expected: { parameters, statistics },
  beside: /^(optimizer|signs)\//,
});

/**
 * Reads the weights, and their epoch, that `writeWeights` wrote or that are part of a checkpoint.
 * Throws `UserError` as `readCheckpoint` does.
 */
export function readWeights(
  path: string,
  owner: Owner,
  expected: Weights,
): { weights: Weights; epoch: number } {
  const { tensors, metadata } = read(path, weightsOf(owner, expected));
  const { parameters, statistics } = expected;
  return { weights: restore(tensors, { parameters, statistics }), epoch: countOf(metadata.epoch, path) };
}

/** Compares a file's header with the weights expected, as `readWeights` does before it reads the rest. */
export function checkWeights(path: string, owner: Owner, expected: Weights): void {
  checkHeader(path, weightsOf(owner, expected));
}

/** What a file of tensors must be. */
interface Wanted {
  readonly formats: readonly string[];
  readonly owner: Owner;
  /** Arrays of the same names, types and shapes. */
  readonly expected: object;
  /** Names that may be there, too. */
  readonly beside?: RegExp;
}

function read(path: string, wanted: Wanted): TensorFile {
  checkHeader(path, wanted);
  return decode(path);
}

const decode = (path: string): TensorFile => decodeTensors(readBytes(path, Infinity), path);

/**
 * Compares a file's header with what is wanted, before memory is taken for its tensors. A damaged file that seems to be
 * of another network is reported as damaged, unless it is large.
 */
function checkHeader(path: string, { formats, owner, expected, beside }: Wanted): void {
  if (!isThere(path)) throw new UserError(`${path} does not exist`);
  const { tensors, metadata } = readTensorHeader(path);
  try {
    if (!formats.includes(metadata.format) || metadata.formatVersion !== formatVersion) {
      throw new UserError(`${path} does not hold ${formats.join(" or ")} of version ${formatVersion}`);
    }
    if (metadata.identity !== owner.identity) {
      throw new UserError(`${path} is of ${metadata.identity}; this network is ${owner.identity}`);
    }
    if (metadata.recipe !== owner.recipe) {
      throw new UserError(`${path} is of another run of the same network; put this run's own file back`);
    }
    const own = tensors.filter(({ name }) => beside?.test(name) !== true);
    compare(
      new Map(own.map(({ name, type, shape }) => [name, described(type, shape)])),
      flatten(expected),
      path,
    );
  } catch (error) {
    if (sizeOf(path) <= notLarge) decode(path);
    throw error;
  }
}

const notLarge = 2 ** 28;

const described = (type: string, shape: readonly number[]) => `${type} [${shape.join(", ")}]`;

/** @throws UserError unless a file has tensors of just the names, types and shapes that are expected. */
function compare(
  stored: ReadonlyMap<string, string>,
  expected: Readonly<Record<string, HostArray>>,
  path: string,
): void {
  for (const [name, { data, shape }] of Object.entries(expected)) {
    const wanted = described(typeOf(data), shape);
    const found = stored.get(name) ?? "nothing";
    if (found === wanted) continue;
    throw new UserError(
      `${path} is of another network: for ${name} it has ${found}, this one needs ${wanted}`,
    );
  }
  const strange = [...stored.keys()].find((name) => !Object.hasOwn(expected, name));
  if (strange !== undefined)
    throw new UserError(`${path} is of another network: it has ${strange}, which this one lacks`);
}

/** The name of an array that holds NaN or an infinity, if one does. */
export function nonFinite(values: object): string | undefined {
  return Object.entries(flatten(values)).find(([, { data }]) => !areFinite(data))?.[0];
}

/** `nonFinite` of arrays in an executor's memory. */
export async function nonFiniteIn(arrays: object): Promise<string | undefined> {
  for (const [name, { pieces }] of Object.entries(flatten<StateArray>(arrays))) {
    for await (const piece of pieces()) if (!areFinite(piece)) return name;
  }
  return undefined;
}

/** Whether no value is NaN or infinite. A plain loop takes a twelfth of the time of `every`, which needs 8 s for what VGG-16 trains. */
function areFinite(values: HostArray["data"]): boolean {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return false;
  return true;
}

/** What arrays are written from, by the names that they have in the files. */
function sourcesOf(values: object): Record<string, TensorSource> {
  const flat = flatten<HostArray | StateArray>(values);
  const source = (array: HostArray | StateArray): TensorSource =>
    "data" in array ? sourceOf(array) : { ...array, type: array.dtype === "i32" ? "I32" : "F32" };
  return mapValues(flat, source);
}

/** { a: { b: array } } as { "a/b": array }: arrays by the names that they have in the files. */
function flatten<Leaf extends HostArray | StateArray = HostArray>(tree: object): Record<string, Leaf> {
  const flat: Record<string, Leaf> = {};
  const visit = (value: object, path: string): void => {
    if ("data" in value || typeof (value as Partial<StateArray>).pieces === "function")
      flat[path] = value as Leaf;
    else
      for (const [key, child] of Object.entries(value))
        visit(child as object, path === "" ? key : `${path}/${key}`);
  };
  visit(tree, "");
  return flat;
}

/** The stored arrays in the structure of `expected`. */
function restore<T extends object>(
  stored: Readonly<Record<string, StoredTensor>>,
  expected: T,
  name = "",
): T {
  if ("data" in expected) return stored[name] as unknown as T;
  const pathOf = (key: string): string => (name === "" ? key : `${name}/${key}`);
  const entries = Object.entries(expected) as [string, object][];
  return Object.fromEntries(entries.map(([key, child]) => [key, restore(stored, child, pathOf(key))])) as T;
}
