/** The golden files of training steps: their form, the numbers made by formula, and how results are compared. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect } from "vitest";
import type { HostArray } from "../graph/index.js";
import { sizeOf } from "../graph/index.js";
import type { Optimizer } from "../optim/index.js";
import { adam, sgd } from "../optim/index.js";
import type { MethodOptions } from "../quantization/index.js";

/** A tensor made by formula. */
interface Spec {
  shape: number[];
  center: number;
  spread: number;
  salts?: number[];
  largest?: boolean;
}
/** What a file holds of a result. `norm`: the largest weight's gradient is apart from `max` and `sum`. */
export interface Summary {
  values: number[];
  max: number;
  sum: number;
  norm?: number;
}
export type Specs = Record<string, Spec>;
export type Summaries = Record<string, Summary>;
export type Values = ArrayLike<number>;

/** Forward and backward, and an evaluation. */
export interface GoldenPass {
  start: { inputs: Specs; parameters: Specs; statistics: Specs };
  labels: number[];
  /** Latent weights as the pass works with them, where the method changes them between steps. */
  latent: Summaries;
  evaluationLogits: Summary;
  logits: Summary;
  loss: number;
  gradients: Summaries;
  updated: { statistics: Summaries };
}
export interface GoldenStep extends GoldenPass {
  step: number;
  start: GoldenPass["start"] & { own: Record<string, Specs> };
  /** `parameters` as the optimizer leaves them, `latent` as the next step works with them. */
  updated: {
    statistics: Summaries;
    parameters: Summaries;
    own: Record<string, Summaries>;
    latent: Summaries;
  };
}
export interface GoldenRun {
  method: { name: string } & MethodOptions;
  /** Null: the file has no update. */
  optimizer: { kind: "adam" | "sgd" | null; lr: number; momentum?: number; weight_decay?: number };
  steps: GoldenStep[];
}

export const read = (name: string): GoldenRun => readFile(name) as GoldenRun;

export function readFile(name: string): unknown {
  const file = new URL(`../../tools/golden/data/${name}.json.gz`, import.meta.url);
  return JSON.parse(gunzipSync(readFileSync(file)).toString());
}

export function optimizerOf({
  kind,
  lr,
  momentum,
  weight_decay: weightDecay,
}: GoldenRun["optimizer"]): Optimizer {
  const options = { learningRate: lr, weightDecay };
  return kind === "adam" ? adam(options) : sgd({ ...options, momentum });
}

// --- numbers by formula, as tools/golden/formula.py has them -------------------------------------

const levels = 1024;

function fnv1a(label: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(label)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

function mix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

function make(label: string, { shape, center, spread, salts = [0], largest }: Spec): HostArray {
  const keys = salts.map((salt) => mix(fnv1a(label) ^ salt));
  const data = new Float32Array(sizeOf(shape)); // a loop: whole networks have tens of millions of weights
  for (let i = 0; i < data.length; i++) {
    const u = (2 * (mix(i ^ keys[i % keys.length]) >>> 22) - (levels - 1)) / levels;
    data[i] = center + spread * u;
  }
  if (largest) data[data.length >> 1] = spread;
  return { data, shape };
}

export const makeAll = (prefix: string, specs: Specs): Record<string, HostArray> =>
  mapRecord(specs, (spec, name) => make(`${prefix}/${name}`, spec));

/** The indices of the `count` elements that a file keeps of a tensor. */
export function kept(size: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    if (size === count) return i;
    return i === 0 ? size >> 1 : mix(i - 1) % size;
  });
}

/** Images of 4x4 blocks of equal pixels. */
export function makeImages(prefix: string, { blocks }: Specs): HostArray {
  const { data, shape } = make(`${prefix}/blocks`, blocks);
  const [count, side] = shape;
  const images = new Float32Array(count * 28 * 28).map((_, i) => {
    const [n, y, x] = [Math.floor(i / 784), Math.floor(i / 28) % 28, i % 28];
    return data[(n * side + (y >> 2)) * side + (x >> 2)];
  });
  return { data: images, shape: [count, 28, 28, 1] };
}

export const mapRecord = <T, U>(
  record: Readonly<Record<string, T>>,
  f: (value: T, key: string) => U,
): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value, key)]));

// --- comparing -----------------------------------------------------------------------------------

/** Largest element error, and the error of the signed sum by the size that n such errors have together. */
export function expectClose(actual: Values, golden: Summary, bound: number, what: string): void {
  const { values, max, sum, norm } = golden;
  const size = actual.length;
  const errors = kept(size, values.length).map((index, i) => Math.abs(actual[index] - values[i]));
  const limit = bound * max;
  if (norm !== undefined) expect(errors.shift(), `${what}, largest weight`).toBeLessThanOrEqual(bound * norm);
  expect(Math.max(...errors), what).toBeLessThanOrEqual(limit);
  let signed = 0;
  for (let i = 0; i < size; i++) {
    if (norm !== undefined && i === size >> 1) continue;
    signed += mix(i) & 1 ? actual[i] : -actual[i];
  }
  expect(Math.abs(signed - sum), `${what}, signed sum`).toBeLessThanOrEqual(limit * Math.sqrt(size));
}

/** The same of every tensor of a record; the names must be those of the file. */
export function expectAllClose(
  actual: Readonly<Record<string, Values>>,
  golden: Summaries,
  bound: number,
  what: string,
): void {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(golden).sort());
  for (const [name, summary] of Object.entries(golden)) {
    expectClose(actual[name], summary, bound, `${what} ${name}`);
  }
}

/** The same for an array that has only the kept elements. */
export function expectKeptClose(actual: Values, { values, max }: Summary, bound: number, what: string): void {
  const errors = values.map((value, i) => Math.abs(actual[i] - value));
  expect(Math.max(...errors), what).toBeLessThanOrEqual(bound * max);
}
