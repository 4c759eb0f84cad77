/** LeNet-5's training steps against PyTorch in double: tools/golden/README.md says how the files come about. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { valueAndGradients } from "../compiler/autodiff.js";
import { compile } from "../compiler/compile.js";
import { createState } from "../compiler/state.js";
import type { HostArray, Tensor, View } from "../graph/index.js";
import { evaluate, leaf, sizeOf, softmaxCrossEntropy } from "../graph/index.js";
import { lenet5 } from "../models/lenet5.js";
import type { Tensors } from "../nn/index.js";
import { apply } from "../nn/index.js";
import type { Optimizer } from "../optim/index.js";
import { adam, sgd } from "../optim/index.js";
import type { Method } from "../quantization/index.js";
import { baseline, dorefa } from "../quantization/index.js";
import type { Executor } from "../runtime/executor.js";
import { chooseExecutor } from "../runtime/choose.js";
import { createNativeExecutor, instructionSets } from "../runtime/native.js";
import { createReferenceExecutor } from "../runtime/reference.js";

// --- the files ---------------------------------------------------------------------------------

/** A tensor made by formula. */
interface Spec {
  shape: number[];
  center: number;
  spread: number;
  salts?: number[];
  largest?: boolean;
}
/** What a file holds of a result. `norm`: the largest weight's gradient is apart from `max` and `sum`. */
interface Summary {
  values: number[];
  max: number;
  sum: number;
  norm?: number;
}
type Specs = Record<string, Spec>;
type Summaries = Record<string, Summary>;
interface GoldenStep {
  step: number;
  start: { inputs: Specs; parameters: Specs; statistics: Specs; own: Record<string, Specs> };
  labels: number[];
  evaluationLogits: Summary;
  logits: Summary;
  loss: number;
  gradients: Summaries;
  updated: { statistics: Summaries; parameters: Summaries; own: Record<string, Summaries> };
}
interface GoldenRun {
  method: "baseline" | "dorefa";
  weightBits: number;
  activationBits: number;
  optimizer: { kind: "adam" | "sgd"; lr: number; momentum?: number; weight_decay?: number };
  steps: GoldenStep[];
}

function read(name: string): GoldenRun {
  const file = new URL(`../../tools/golden/data/lenet5-${name}.json.gz`, import.meta.url);
  return JSON.parse(gunzipSync(readFileSync(file)).toString()) as GoldenRun;
}

// --- numbers by formula, as tools/golden/formula.py has them -------------------------------------

const levels = 1024;
const keptElements = 128;

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
  const data = Float32Array.from({ length: sizeOf(shape) }, (_, i) => {
    const u = (2 * (mix(i ^ keys[i % keys.length]) >>> 22) - (levels - 1)) / levels;
    return center + spread * u;
  });
  if (largest) data[data.length >> 1] = spread;
  return { data, shape };
}

const makeAll = (prefix: string, specs: Specs) =>
  mapRecord(specs, (spec, name) => make(`${prefix}/${name}`, spec));

/** The indices of the elements that a file keeps of a tensor. */
function kept(size: number): number[] {
  return Array.from({ length: Math.min(size, keptElements) }, (_, i) => {
    if (size <= keptElements) return i;
    return i === 0 ? size >> 1 : mix(i - 1) % size;
  });
}

/** Images of 4x4 blocks of equal pixels. */
function makeImages(prefix: string, { blocks }: Specs): HostArray {
  const { data, shape } = make(`${prefix}/blocks`, blocks);
  const [count, side] = shape;
  const images = new Float32Array(count * 28 * 28).map((_, i) => {
    const [n, y, x] = [Math.floor(i / 784), Math.floor(i / 28) % 28, i % 28];
    return data[(n * side + (y >> 2)) * side + (x >> 2)];
  });
  return { data: images, shape: [count, 28, 28, 1] };
}

function mapRecord<T, U>(record: Readonly<Record<string, T>>, f: (value: T, key: string) => U) {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value, key)]));
}

// --- comparing -----------------------------------------------------------------------------------

type Values = ArrayLike<number>;

/** Largest element error, and the error of the signed sum by the size that n such errors have together. */
function expectClose(actual: Values, golden: Summary, bound: number, what: string): void {
  const { values, max, sum, norm } = golden;
  const size = actual.length;
  const errors = kept(size).map((index, i) => Math.abs(actual[index] - values[i]));
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

/** The same for an array that has only the kept elements. */
function expectKeptClose(actual: Values, { values, max }: Summary, bound: number, what: string): void {
  const errors = values.map((value, i) => Math.abs(actual[i] - value));
  expect(Math.max(...errors), what).toBeLessThanOrEqual(bound * max);
}

// --- what is compared ----------------------------------------------------------------------------

type Weights = { readonly parameters: Tensors; readonly statistics: Tensors };
type Batch = { readonly images: Tensor; readonly labels: Tensor };

function trainingPass(method: Method, { parameters, statistics }: Weights, { images, labels }: Batch) {
  const { value, auxiliary, gradients } = valueAndGradients((p: Tensors) => {
    const result = apply(lenet5, method, { parameters: p, statistics }, images, { training: true });
    return { value: softmaxCrossEntropy(result.logits, labels), auxiliary: result };
  }, parameters);
  return { loss: value, logits: auxiliary.logits, statistics: auxiliary.statistics, gradients };
}

function evaluationPass(method: Method, weights: Weights, { images }: Pick<Batch, "images">) {
  return { logits: apply(lenet5, method, weights, images, { training: false }).logits };
}

function expectStep(
  golden: GoldenStep,
  result: {
    loss: Values;
    logits: Values;
    evaluationLogits: Values;
    statistics: Record<string, Values>;
    gradients: Record<string, Values>;
  },
  bound: number,
): void {
  expect(Math.abs(result.loss[0] - golden.loss), "loss").toBeLessThanOrEqual(bound * golden.loss);
  expectClose(result.logits, golden.logits, bound, "logits");
  expectClose(result.evaluationLogits, golden.evaluationLogits, bound, "logits in evaluation");
  expect(Object.keys(result.gradients).sort()).toEqual(Object.keys(golden.gradients).sort());
  for (const [name, summary] of Object.entries(golden.gradients)) {
    expectClose(result.gradients[name], summary, bound, `gradient of ${name}`);
  }
  expect(Object.keys(result.statistics).sort()).toEqual(Object.keys(golden.updated.statistics).sort());
  for (const [name, summary] of Object.entries(golden.updated.statistics)) {
    expectClose(result.statistics[name], summary, bound, name);
  }
}

interface Start {
  readonly weights: {
    readonly parameters: Record<string, HostArray>;
    readonly statistics: Record<string, HostArray>;
  };
  readonly batch: { readonly images: HostArray; readonly labels: HostArray };
}

function startOf(prefix: string, { start, labels }: GoldenStep): Start {
  return {
    weights: {
      parameters: makeAll(prefix, start.parameters),
      statistics: makeAll(prefix, start.statistics),
    },
    batch: {
      images: makeImages(prefix, start.inputs),
      labels: { data: Int32Array.from(labels), shape: [labels.length] },
    },
  };
}

const data = (record: Readonly<Record<string, { data: Values }>>) => mapRecord(record, (value) => value.data);

/** The graph, op by op, in double: agreement here is agreement about what is computed. */
function runGraph(method: Method, { weights, batch }: Start) {
  const bindings = new Map<Tensor, View>();
  const bound = ({ data, shape }: HostArray, name: string): Tensor => {
    const tensor = leaf(name, shape, data instanceof Int32Array ? "i32" : "f32");
    bindings.set(tensor, { data: data instanceof Int32Array ? data : Float64Array.from(data), shape });
    return tensor;
  };
  const tensors = {
    parameters: mapRecord(weights.parameters, bound),
    statistics: mapRecord(weights.statistics, bound),
  };
  const inputs = { images: bound(batch.images, "images"), labels: bound(batch.labels, "labels") };
  const { loss, logits, statistics, gradients } = trainingPass(method, tensors, inputs);
  const { logits: evaluationLogits } = evaluationPass(method, tensors, inputs);
  const outputs = [loss, logits, evaluationLogits, ...Object.values(statistics), ...Object.values(gradients)];
  const values = evaluate(outputs, bindings, "f64").map((view) => view.data);
  const next = () => values.shift()!;
  return {
    loss: next(),
    logits: next(),
    evaluationLogits: next(),
    statistics: mapRecord(statistics, next),
    gradients: mapRecord(gradients, next),
  };
}

/** The compiled programs in f32. */
async function runCompiled(method: Method, executor: Executor, { weights, batch }: Start) {
  const train = compile((state: Weights, inputs: Batch) => trainingPass(method, state, inputs), { executor });
  const score = compile(
    (state: Weights, inputs: Pick<Batch, "images">) => evaluationPass(method, state, inputs),
    { executor },
  );
  const state = createState<Weights>(weights, { executor });
  const trained = await train(state, batch);
  const scored = await score(state, { images: batch.images });
  return {
    loss: trained.loss.data,
    logits: trained.logits.data,
    evaluationLogits: scored.logits.data,
    statistics: data(trained.statistics),
    gradients: data(trained.gradients),
  };
}

function optimizerOf({ kind, lr, momentum, weight_decay: weightDecay }: GoldenRun["optimizer"]): Optimizer {
  const options = { learningRate: lr, weightDecay };
  return kind === "adam" ? adam(options) : sgd({ ...options, momentum });
}

/** The update of the kept elements, with the golden gradient, in double and as f32. */
function expectUpdate(prefix: string, golden: GoldenStep, optimizer: Optimizer): void {
  const pick = ({ data }: HostArray) => Float64Array.from(kept(data.length), (i) => data[i]);
  const parameters = mapRecord(makeAll(prefix, golden.start.parameters), pick);
  const own = mapRecord(golden.start.own, (specs, slot) =>
    mapRecord(makeAll(`${prefix}/${slot}`, specs), pick),
  );
  const bindings = new Map<Tensor, View>();
  const bound = (values: Values, name: string): Tensor => {
    const shape = [values.length];
    const tensor = leaf(name, shape);
    bindings.set(tensor, { data: Float64Array.from(values), shape });
    return tensor;
  };
  const scalars = mapRecord(optimizer.scalars(golden.step, optimizer.learningRate), (value, name) => {
    const tensor = leaf(name, []);
    bindings.set(tensor, { data: Float64Array.of(value), shape: [] });
    return tensor;
  });
  const gradients = mapRecord(golden.gradients, ({ values }, name) => bound(values, `gradient ${name}`));
  const updated = optimizer.update(
    mapRecord(parameters, bound),
    gradients,
    mapRecord(own, (values, slot) => mapRecord(values, (v, name) => bound(v, `${slot} ${name}`))),
    scalars,
  );
  const results = { parameters: updated.parameters, ...updated.own };
  const expected: Record<string, Summaries> = {
    parameters: golden.updated.parameters,
    ...golden.updated.own,
  };
  expect(Object.keys(results).sort()).toEqual(Object.keys(expected).sort());
  for (const [slot, summaries] of Object.entries(expected)) {
    const names = Object.keys(summaries);
    const outputs = names.map((name) => results[slot as keyof typeof results][name]);
    for (const [precision, limit] of [
      ["f64", 1e-12],
      ["f32", 1e-5],
    ] as const) {
      evaluate(outputs, bindings, precision).forEach(({ data }, i) => {
        expectKeptClose(data, summaries[names[i]], limit, `${slot} ${names[i]} in ${precision}`);
      });
    }
  }
}

describe.each(["baseline", "dorefa-1-2", "dorefa-2-2", "dorefa-8-8"])("LeNet-5, %s", (name) => {
  const run = read(name);
  const { weightBits, activationBits } = run;
  const method = run.method === "baseline" ? baseline() : dorefa({ weightBits, activationBits });
  const steps = run.steps.map((golden) => {
    const prefix = `${name}/${golden.step}`;
    return { step: golden.step, golden, prefix, start: startOf(prefix, golden) };
  });

  it.each(steps)("step $step: the graph in double is PyTorch's", ({ golden, start }) => {
    expectStep(golden, runGraph(method, start), 1e-10);
  });

  it.each(steps)("step $step: the reference executor", async ({ golden, start }) => {
    expectStep(golden, await runCompiled(method, createReferenceExecutor(), start), 1e-5);
  });

  for (const instructionSet of instructionSets()) {
    it.each(steps)(`step $step: the native executor, ${instructionSet}`, async ({ golden, start }) => {
      const executor = createNativeExecutor({ threads: 2, instructionSet });
      expectStep(golden, await runCompiled(method, executor, start), 1e-5);
    });
  }

  it.each(steps)("step $step: the WebAssembly executor", async ({ golden, start }) => {
    const { executor } = chooseExecutor({ executor: "wasm" });
    expectStep(golden, await runCompiled(method, executor, start), 1e-5);
  });

  it.each(steps)("step $step: the update", ({ golden, prefix }) => {
    expectUpdate(prefix, golden, optimizerOf(run.optimizer));
  });
});
