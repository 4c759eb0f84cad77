import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { published } from "../published/index.js";
import { encodeTensors } from "../run-folder/index.js";
import { identityHash, publishedRows, reproduction, runsOf, tables } from "./index.js";
import type { UnloadedCode } from "./index.js";

const named = (study: unknown): string[] =>
  runsOf(study, "study.json").runs.map(({ name }) => name.slice(0, -7));

/** The lines of the error. */
function problemsOf(study: unknown, unloaded?: UnloadedCode): string[] {
  try {
    runsOf(study, "study.json", unloaded);
  } catch (error) {
    return (error as Error).message.split("\n  ");
  }
  return [];
}

test("a grid is the product of its lists, without what is excluded and without repetitions", () => {
  const study = {
    defaults: { model: "lenet5" },
    grids: [{ method: ["qnn", "dorefa"], bits: ["1/1", "2/4"], seed: [1, 2] }],
    runs: [{ method: "dorefa", weightBits: 2, activationBits: 4, seed: 2 }, { method: "twn" }],
    exclude: [
      { method: "qnn", seed: [2, 3] },
      { bits: "1/1", seed: 2 },
    ],
  };
  expect(named(study)).toEqual([
    "lenet5-qnn-w1a1-adam-0.01-s1",
    "lenet5-qnn-w2a4-adam-0.001-s1",
    "lenet5-dorefa-w1a1-sgd-0.1-s1",
    "lenet5-dorefa-w2a4-adam-0.001-s1",
    "lenet5-dorefa-w2a4-adam-0.001-s2",
    "lenet5-twn-w2a32-sgd-0.1-s1",
  ]);
});

test("a run's identity is that of all that decides its result, and of nothing else", () => {
  const one = (more: object) =>
    runsOf({ runs: [{ model: "lenet5", method: "qnn", bits: "1/1", ...more }] }, "study.json").runs[0];
  const plain = one({});
  // What is left open and its default are the same.
  for (const same of [
    { dataDir: "elsewhere", data: "digits" },
    { threads: 1 },
    { log: ["tensorboard"] },
    { epochs: 20, optimizer: "adam" },
  ]) {
    if (!("dataDir" in same)) expect(one(same).identity).toBe(plain.identity);
  }
  expect(identityHash({ ...plain.options, dataDir: "elsewhere", threads: 3 })).toBe(plain.identity);
  const others = [
    { seed: 2 },
    { epochs: 21 },
    { learningRate: 0.5 },
    { gradients: "bf16" },
    { preset: "redbit" },
  ];
  const identities = others.map((more) => one(more).identity);
  expect(new Set([plain.identity, ...identities]).size).toBe(others.length + 1);
});

test("an identity stays what it was, so that studies go on with their runs", () => {
  const identities = [
    { model: "lenet5", method: "dorefa", bits: "2/2" },
    { model: "resnet", depth: 20, method: "twn" },
  ].map((run) => runsOf({ runs: [run] }, "study.json").runs[0].identity);
  expect(identities).toEqual(["860a07b983ea6103", "81b04332b950a5ac"]);
});

test("what a run is logged as is one value of a grid", () => {
  const grids = [{ model: ["lenet5"], seed: [1, 2], log: ["tensorboard"] }];
  const { runs } = runsOf({ grids }, "study.json");
  expect(runs.map(({ options }) => options.log)).toEqual([["tensorboard"], ["tensorboard"]]);
});

test("all problems of a study are reported at once", () => {
  expect(
    problemsOf({
      grids: [{ modle: "lenet5", method: [] }],
      runs: [{ model: "lenet5", out: "here" }],
    }),
  ).toEqual([
    "3 mistakes; nothing has been started:",
    "method must list one value or more, got [] (from study.json, grids[0])",
    expect.stringMatching(
      /^unknown key "modle" \(from study.json, grids\[0\]\); allowed are model, .*; did you mean model\?$/,
    ),
    expect.stringMatching(/^unknown key "out" \(from study.json, runs\[0\]\); allowed are model, /),
  ]);
  expect(problemsOf({ runs: [{ model: "lenet6" }, { model: "lenet5", method: "dorefa" }] })).toEqual([
    "2 mistakes; nothing has been started:",
    expect.stringMatching(
      /^model must be one of .*, got "lenet6"; did you mean lenet5\? \(from study.json, runs\[0\]\)$/,
    ),
    expect.stringMatching(/^weightBits is needed for method dorefa; .* \(from study.json, runs\[1\]\)$/),
  ]);
});

test("files that could not be loaded are reported once, with what else is wrong in their runs and in others", () => {
  const unloaded = new Map([["method ./gone.mjs", "cannot load the method ./gone.mjs (from study.json)"]]);
  const study = {
    defaults: { model: "lenet5" },
    grids: [{ method: ["./gone.mjs"], seed: [1, -2] }],
    runs: [{ epochs: 0 }, { method: "./other.mjs" }],
  };
  expect(problemsOf(study, unloaded)).toEqual([
    "4 mistakes; nothing has been started:",
    "cannot load the method ./gone.mjs (from study.json)",
    expect.stringMatching(/^seed must be .* got -2 \(from study.json, grids\[0\]\)$/),
    expect.stringMatching(/^epochs must be .* got 0 \(from study.json, runs\[0\]\)$/),
    expect.stringMatching(/^method must be one of .* got "\.\/other\.mjs" \(from study.json, runs\[1\]\)$/),
  ]);
});

test("what has an effect on some runs of an entry is allowed there", () => {
  const images = { model: "lenet5", data: "images", dataDir: "pets" };
  const { runs } = runsOf(
    {
      defaults: { imageSize: 32 },
      grids: [{ model: "lenet5", data: ["digits", "images"], dataDir: "pets", channels: 3 }],
      runs: [images, { model: "lenet5" }],
    },
    "study.json",
  );
  expect(runs).toHaveLength(4);
});

test("mistakes in bits are reported with the others, each once", () => {
  expect(
    problemsOf({
      defaults: { model: "lenet5", method: "qnn" },
      grids: [{ bits: ["2", "2/2"], seed: [1, 2] }],
      runs: [{ bits: "1/1", seed: -1 }, { bits: "0/1" }],
      exclude: [{ bits: "x" }],
    }),
  ).toEqual([
    "4 mistakes; nothing has been started:",
    'bits must be WEIGHTS/ACTIVATIONS, such as "2/4" or "w2a4", got "2" (from study.json, grids[0])',
    'bits must be WEIGHTS/ACTIVATIONS, such as "2/4" or "w2a4", got "x" (from study.json, exclude[0])',
    expect.stringMatching(/^seed must be .* got -1 \(from study.json, runs\[0\]\)$/),
    expect.stringMatching(/^weightBits must be .* got 0.*\(from study.json, runs\[1\]\)$/),
  ]);
});

test("a grid that is beyond all reason is refused before it is made", () => {
  const list = Array.from({ length: 400 }, (_, i) => i + 1);
  expect(problemsOf({ grids: [{ model: "lenet5", seed: list, epochs: list }] })).toEqual([
    "a grid must have at most 100000 runs, got 160000 (from study.json, grids[0])",
  ]);
});

test.each([
  [{}, /^study.json has no runs; give grids or runs, such as /],
  [{ gridz: [] }, /^unknown key "gridz" \(from study.json\); allowed are name, .*; did you mean grids\?$/],
  [[], /^a study must be an object of name, defaults, grids, runs, exclude: .* \(from study.json\)$/],
  [
    { runs: [{ model: "lenet5", bits: "2" }] },
    /^bits must be WEIGHTS\/ACTIVATIONS, such as "2\/4" or "w2a4", got "2" \(from study.json, runs\[0\]\)$/,
  ],
  [
    { runs: [{ model: "lenet5", bits: "2/2", weightBits: 1 }] },
    /^bits "2\/2" and weightBits or activationBits exclude each other/,
  ],
  [
    { grids: [{ model: "lenet5", imageSize: [28, 64] }] },
    /^imageSize has no effect without data imagenet or images \(from .*, grids\[0\]\)$/,
  ],
  [{ runs: [{ model: "lenet5", channels: 3 }] }, /^channels has no effect .*runs\[0\]\)$/],
  [{ defaults: { channels: 3 }, runs: [{ model: "lenet5" }] }, /^channels has no effect .*, defaults\)$/],
  [{ runs: [{ model: "lenet5" }], exclude: [{ seed: 9 }] }, /^exclude \{"seed":9\} leaves nothing out/],
  [{ runs: [{ model: "lenet5" }], exclude: [{ model: "lenet5" }] }, /^exclude leaves no run of study.json$/],
])("%j is refused", (study, message) => {
  expect(problemsOf(study)).toEqual([expect.stringMatching(message)]);
});

test("a published table's rows run with their optimizer, rate and schedule", () => {
  expect(tables).toEqual([
    "mnist",
    "mnist/lenet5",
    "cifar10",
    "cifar10/resnet20",
    "cifar10/resnet50",
    "cifar10/vgg16",
    "imagenet",
    "imagenet/alexnet",
    "imagenet/resnet18",
    "imagenet/vgg16",
  ]);
  const dataDir = "imagenet";
  const rowsOfImageNet = reproduction({ table: "imagenet", dataDir });
  expect(rowsOfImageNet).toHaveLength(published.filter(({ dataset }) => dataset === "ImageNet").length);
  for (const { options } of rowsOfImageNet) {
    expect(options).toMatchObject({ epochs: 100, decayEvery: 30, preset: "redbit", data: "imagenet" });
  }
  expect(rowsOfImageNet.map(({ options }) => options.batchSize)).toEqual(
    published.filter(({ dataset }) => dataset === "ImageNet").map(({ batchSize }) => batchSize ?? 128),
  );
  const runs = reproduction({ table: "mnist" });
  expect(runs).toHaveLength(24);
  const rows = published.filter(({ dataset }) => dataset === "MNIST");
  expect(runs.map(({ options }) => [options.optimizer, options.learningRate, options.weightDecay])).toEqual(
    rows.map((row) => [row.optimizer, row.learningRate, row.weightDecay]),
  );
  for (const { options } of runs) {
    expect(options).toMatchObject({
      epochs: 100,
      decayEvery: 20,
      decayFactor: 0.1,
      preset: "redbit",
      data: "mnist",
    });
  }
  const cell = { table: "cifar10/resnet20", method: "dorefa", bits: "w1a2", epochs: 20, seeds: 3 };
  expect(
    reproduction(cell).map(({ options: { epochs, decayEvery, seed } }) => [epochs, decayEvery, seed]),
  ).toEqual([
    [20, 6, 1],
    [20, 6, 2],
    [20, 6, 3],
  ]);
  expect(new Set(reproduction({ table: "cifar10", seeds: 2 }).map(({ name }) => name)).size).toBe(
    2 * publishedRows({ table: "cifar10" }).length,
  );
});

test.each([
  [{ table: "mnits" }, /^the table must be one of mnist, .*, got "mnits"$/],
  [{ table: "mnist", method: "bwn" }, /^method must be one of baseline, .*, got "bwn" \(from --method\)$/],
  [
    { table: "mnist", method: "ttq", bits: "w1a1" },
    /^bits must be one of 2\/32, got "w1a1" \(from --bits\)$/,
  ],
])("%j is refused", (options, message) => {
  expect(() => reproduction(options)).toThrow(message);
});

test("weights to start from count by their values, wherever they lie", () => {
  const folder = mkdtempSync(join(tmpdir(), "fewbit-study-init-"));
  try {
    const identityWith = (name: string, value: number): string => {
      const initFrom = join(folder, name);
      const tensors = { x: { data: Float32Array.of(value), shape: [1] } };
      writeFileSync(`${initFrom}.new`, encodeTensors({ tensors, metadata: {} }));
      renameSync(`${initFrom}.new`, initFrom);
      return runsOf({ runs: [{ model: "lenet5", initFrom }] }, "study").runs[0].identity;
    };
    const first = identityWith("a", 1);
    expect(identityWith("b", 1)).toBe(first);
    expect(identityWith("a", 2)).not.toBe(first);
    rmSync(join(folder, "a"));
    expect(() => runsOf({ runs: [{ model: "lenet5", initFrom: join(folder, "a") }] }, "study")).toThrow(
      /a does not exist \(from study, runs\[0\]\)/,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
