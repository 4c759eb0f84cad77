/**
 * Every function of the library with wrong things in place of right ones: it works, or throws a `UserError` of one
 * line; never an inner `TypeError`. And every object of options with a misspelt key, which is refused by its name.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as fewbit from "./index.js";
import type { NetworkBuilder, Run, Tensor } from "./index.js";
import { loadWasm } from "./runtime/wasm-file.js";
import { base, data, images, tiny } from "./training/tiny.test.fixture.js";

const { quant, optim, datasets, models } = fewbit;
const { executor } = fewbit.chooseExecutor({ executor: "reference" });
const method = quant.dorefa({ weightBits: 2, activationBits: 2 });
const folder = mkdtempSync(join(tmpdir(), "fewbit-wrong-"));
afterAll(() => rmSync(folder, { recursive: true }));

const x = fewbit.leaf("x", [1, 4, 4, 2]);
const rows = fewbit.leaf("rows", [2, 3]);
const w = fewbit.leaf("w", [3, 3, 2, 5]);
const labels = fewbit.leaf("labels", [2], "i32");
const key = fewbit.leaf("key", [2], "i32");
const codes = fewbit.codes(fewbit.round(rows), { lo: 0, hi: 3, step: 1 });
const scalar = fewbit.mean(rows);
const array = { data: Float32Array.of(1, 2), shape: [2] };
const state = fewbit.createState({ a: array }, { executor });
const twice = fewbit.compile(({ a }: { a: Tensor }, _: Record<string, never>) => ({ b: fewbit.add(a, a) }), {
  executor,
});
const rule = { forward: (t: Tensor) => fewbit.sign(t), backward: (g: Tensor) => g };
const entry = { weightBits: [1], activationBits: [32], create: () => quant.twn() };
const pictures = fewbit.leaf("pictures", [1, 6, 6, 1]);
const leavesOf = (of: fewbit.Method) => {
  const { parameters, statistics } = fewbit.describe(tiny, of);
  const leaves = (specs: typeof parameters) =>
    Object.fromEntries(specs.map(({ name, shape }) => [name, fewbit.leaf(name, shape)]));
  return { parameters: leaves(parameters), statistics: leaves(statistics) };
};
const build = (net: NetworkBuilder, t: Tensor) => net.linear("fc", net.flatten(t), { features: 3 });
// Raised from the beginning: it is the checks that are tested.
const training = { ...base, epochs: 1, signal: AbortSignal.abort() };
const own = { executor: "reference" as const };
const from = { train: images(4, 0), test: images(4, 1), shape: [6, 6, 1] as const, classes: 4 };
const program = twice.program(state, {});

let run: Run;
beforeAll(async () => {
  run = await fewbit.train({ ...base, epochs: 1, directory: join(folder, "run") });
});

const unary = ["neg", "abs", "exp", "log", "sqrt", "tanh", "round", "bf16", "square", "reciprocal", "relu"];
const binary = ["add", "sub", "mul", "div", "min", "max", "lt", "le", "eq", "gt", "ge"];
const coders = ["unitCodes", "centredCodes", "signedCodes"];

/** Right arguments of every function that is exported, by its name. */
const right: Readonly<Record<string, () => readonly unknown[]>> = {
  ...Object.fromEntries([...unary, "sigmoid", "sign", "stopGradient"].map((name) => [name, () => [x]])),
  ...Object.fromEntries(binary.map((name) => [name, () => [x, x]])),
  ...Object.fromEntries(coders.map((name) => [name, () => [rows, 2]])),
  ...Object.fromEntries(["sum", "mean", "reduceMax"].map((name) => [name, () => [x, [1], true]])),
  where: () => [x, x, x],
  clip: () => [x, 0, 1],
  codes: () => [x, { lo: 0, hi: 3, step: 1 }],
  coded: () => [codes, 2],
  signCodes: () => [x, "paper"],
  ternaryCodes: () => [x, x],
  isFirst: () => [{ index: 0, count: 1 }],
  isLast: () => [{ index: 0, count: 1 }],
  isTensor: () => [x],
  moments: () => [x, [0]],
  averagePool: () => [x, { size: 2, stride: 1, padding: 1 }],
  maxPool: () => [x, { size: [2, 2], stride: 1, padding: 1 }],
  convolution: () => [x, w, { stride: 1, padding: 1 }],
  matmul: () => [rows, fewbit.transpose(rows)],
  reshape: () => [rows, [3, 2]],
  transpose: () => [rows, [1, 0]],
  broadcastTo: () => [rows, [4, 2, 3]],
  pad: () => [rows, [0, 0], [1, 1]],
  concatenate: () => [[rows, rows], 0],
  slice: () => [rows, [0, 0], [1, 1]],
  constant: () => [1],
  array: () => [Float32Array.of(1, 2), [2]],
  leaf: () => ["x", [1], "f32", "input"],
  iota: () => [[3], 0],
  random: () => [key, [2], 0],
  softmaxCrossEntropy: () => [rows, labels],
  topKCorrect: () => [rows, labels, 1],
  customGradient: () => [rows, [rows], (g: Tensor) => [g]],
  straightThrough: () => [rows, rows],
  gradients: () => [scalar, [rows]],
  evaluate: () => [[fewbit.constant(1)], new Map(), "f32"],
  sizeOf: () => [[2, 3]],
  valueAndGradients: () => [(p: { a: Tensor }) => fewbit.mean(p.a), { a: rows }],
  compile: () => [(s: { a: Tensor }) => ({ b: s.a }), { executor, memoryLimit: 1e9 }],
  createState: () => [{ a: array, b: 1 }, { executor }],
  explain: () => [program],
  verify: () => [program],
  createWasmExecutor: () => [loadWasm().module, 1e9],
  apply: () => [tiny, method, leavesOf(method), pictures, { training: false }],
  describe: () => [tiny, method],
  summarise: () => [tiny, method],
  fitted: () => [tiny, { input: [8, 8, 1], classes: 4 }],
  initialise: () => [[{ name: "a", shape: [2], initial: { kind: "constant", value: 1 } }], 1],
  network: () => ["name", { input: [2, 2, 1], classes: 3 }, build],
  normalFanOut: () => [[2, 2]],
  uniformFanIn: () => [[2, 2]],
  quantizer: () => [rule],
  "models.resnet": () => [20],
  "quant.baseline": () => [{}],
  "quant.qnn": () => [{ weightBits: 2, activationBits: 2, preset: "paper" }],
  "quant.dorefa": () => [{ weightBits: 2, activationBits: 2, gradientBits: 6, preset: "paper" }],
  "quant.xnor": () => [
    { weightBits: 1, activationBits: 1, preset: "paper", reluAfterConvolution: true, inputScale: true },
  ],
  "quant.twn": () => [{ weightBits: 2, preset: "redbit" }],
  "quant.ttq": () => [{ weightBits: 2, preset: "redbit" }],
  "quant.quantizer": () => [rule],
  "quant.createMethod": () => ["qnn", { weightBits: 2, activationBits: 2, preset: "paper" }],
  "quant.registerMethod": () => ["of a test", entry],
  "quant.withLayers": () => [method, { conv2: { weightBits: 8 } }, () => method],
  "optim.adam": () => [{ learningRate: 0.1, betas: [0.9, 0.99], epsilon: 1e-8, weightDecay: 0 }],
  "optim.adamw": () => [{ learningRate: 0.1, betas: [0.9, 0.99], epsilon: 1e-8, weightDecay: 0 }],
  "optim.sgd": () => [{ learningRate: 0.1, momentum: 0.9, weightDecay: 0, nesterov: true }],
  "optim.stepDecay": () => [{ every: 2, factor: 0.1 }],
  "optim.decayAt": () => [{ epochs: [2, 3], factor: 0.1 }],
  "optim.cosine": () => [{ epochs: 3, from: 1, finalRate: 0, by: "step" }],
  "optim.warmup": () => [{ epochs: 3, schedule: fewbit.optim.stepDecay({ every: 2 }), by: "step" }],
  "optim.constant": () => [{}],
  "datasets.digits": () => [{}],
  "datasets.cifar10Sample": () => [{}],
  "datasets.mnist": () => [{ directory: "nowhere", retries: 0, force: false }],
  "datasets.fashionMnist": () => [{ directory: "nowhere", retries: 0, force: false }],
  "datasets.kmnist": () => [{ directory: "nowhere", retries: 0, force: false }],
  "datasets.cifar10": () => [{ directory: "nowhere", retries: 0, force: false }],
  "datasets.images": () => [{ directory: "nowhere", shape: [8, 8, 1], onWarning: () => {} }],
  writeShards: () => [{ directory: "nowhere", out: "shards", size: 64, onWarning: () => {} }],
  "datasets.imagenet": () => [{ directory: "nowhere", shape: [8, 8, 3], preset: "paper", classes: 2 }],
  "datasets.fromArrays": () => [{ ...from, mean: [0], std: [1], name: "a", augmentation: { flip: true } }],
  train: () => [training],
  profileStep: () => [
    { model: tiny, method, data, optimizer: base.optimizer, batchSize: 8, steps: 1, ...own },
  ],
  evaluateTrained: () => [run, data, { batchSize: 8, ...own }],
  evaluateRun: () => [run.directory, { model: tiny, method: base.method, data, which: "last", ...own }],
  predictRun: () => [run.directory, [], { model: tiny, method: base.method, invert: false, ...own }],
  classify: () => [run, data, [0, 1], own],
  classifier: () => [run, own],
  loadRun: () => [run.directory],
  loadWeights: () => [run.directory, "best", tiny, base.method],
  encodeTensors: () => [{ tensors: { a: array }, metadata: {} }],
  decodeTensors: () => [fewbit.encodeTensors({ tensors: {}, metadata: {} }), "name"],
  chooseExecutor: () => [{ executor: "reference", threads: 1 }],
};

/** Not called with anything: classes, and what fetches. */
const apart = ["State", "UserError", "DivergenceError", "fetchWasm"];

const groups = { quant, optim, datasets, models };
const functions = new Map(
  [["", fewbit] as const, ...Object.entries(groups)].flatMap(([group, members]) =>
    Object.entries(members as Record<string, unknown>)
      .filter((pair): pair is [string, (...given: unknown[]) => unknown] => typeof pair[1] === "function")
      .map(([name, f]) => [group === "" ? name : `${group}.${name}`, f] as const),
  ),
);

const wrong: readonly unknown[] = [
  ...[undefined, null, true, -1, 3.5, NaN, 5n, "", "text", "lenet5"],
  ...[[], ["text"], {}, { text: 1 }, new Uint8Array(3), new Map()],
  ...[() => undefined, async () => Promise.resolve(1), Promise.resolve({})],
];

/** Load files, or download them, where there is no wrong option. */
const isLoad = (name: string) =>
  name === "writeShards" || (name.startsWith("datasets.") && name !== "datasets.fromArrays");
const isNothing = (value: unknown) =>
  value === undefined || value instanceof Map || (isOptions(value) && Object.keys(value).length === 0);

/** What a call throws, sooner or later. */
async function thrownBy(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return error;
  }
}

function expectClear(error: unknown): void {
  if (error === undefined) return;
  expect(error).toBeInstanceOf(fewbit.UserError);
  expect((error as Error).message).toMatch(/^[^\n]{10,}$/);
}

/** Whether a value is an object of options, whose parts are checked too. */
const isOptions = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" &&
  value !== null &&
  Object.getPrototypeOf(value) === Object.prototype &&
  !("op" in value);

test("the table has every function that is exported", () => {
  const known = [...Object.keys(right), ...apart].sort();
  expect(known).toEqual([...functions.keys()].sort());
});

describe("wrong arguments", () => {
  test.each(Object.keys(right))("%s", async (name) => {
    const f = functions.get(name)!;
    const given = right[name]();
    if (!isLoad(name)) expect(await thrownBy(() => f(...given))).toBeUndefined();
    for (const [i, value] of given.entries()) {
      for (const other of wrong) {
        if (isLoad(name) && isNothing(other)) continue;
        expectClear(await thrownBy(() => f(...given.with(i, other))));
        // What `verify` says of a Program by hand is for whoever writes compilers.
        if (!isOptions(value) || (value as unknown) === program) continue;
        for (const option of Object.keys(value)) {
          expectClear(await thrownBy(() => f(...given.with(i, { ...value, [option]: other }))));
        }
      }
    }
  });
});

/** The functions with options, and where among the arguments these are. */
const withOptions: readonly (readonly [string, number])[] = [
  ...["qnn", "dorefa", "xnor", "twn", "ttq", "quantizer"].map((name) => [`quant.${name}`, 0] as const),
  ...["adam", "adamw", "sgd", "stepDecay", "decayAt", "cosine", "warmup"].map(
    (name) => [`optim.${name}`, 0] as const,
  ),
  ...["mnist", "cifar10", "images", "fromArrays"].map((name) => [`datasets.${name}`, 0] as const),
  ...["train", "profileStep", "chooseExecutor"].map((name) => [name, 0] as const),
  ...["quant.createMethod", "quant.registerMethod", "network", "codes"].map((name) => [name, 1] as const),
  ...["evaluateRun", "averagePool", "maxPool", "compile", "createState"].map((name) => [name, 1] as const),
  ...["predictRun", "evaluateTrained", "convolution"].map((name) => [name, 2] as const),
  ["classify", 3],
  ["apply", 4],
];

test.each(withOptions)("%s refuses a misspelt option and names the right one", async (name, i) => {
  const given = right[name]();
  for (const option of Object.keys(given[i] as object)) {
    const misspelt = option.length > 3 ? option.slice(0, -1) : `${option}e`;
    const error = await thrownBy(() =>
      functions.get(name)!(...given.with(i, { ...(given[i] as object), [misspelt]: 1 })),
    );
    expectClear(error);
    expect(String(error)).toMatch(new RegExp(`has no option "${misspelt}"; .*did you mean ${option}\\?$`));
  }
});

test.each([
  ["baseline", () => quant.baseline({ weightBits: 8 } as never)],
  ["constant", () => optim.constant({ rate: 8 } as never)],
  ["digits", () => datasets.digits({ directory: "mnist" } as never)],
])("%s, which has no options, refuses any", async (name, call) => {
  expect(String(await thrownBy(call))).toMatch(
    new RegExp(`^UserError: ${name} has no option "\\w+"; it has none$`),
  );
});
