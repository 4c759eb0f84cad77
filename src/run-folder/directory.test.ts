/** A run's directory at every moment at which its process may be killed. Checkpoints here are small made-up ones. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { StateArray } from "../compiler/state.js";
import { UserError } from "../errors.js";
import { fullFor } from "../files/full.test.fixture.js";
import { createReferenceExecutor } from "../runtime/reference.js";
import type { Checkpoint } from "./checkpoint.js";
import { readCheckpoint, readWeights } from "./checkpoint.js";
import type { ConfusionLine } from "./confusion.js";
import { RunDirectory } from "./directory.js";
import type { LayerLine } from "./layers.js";
import type { EpochMetrics } from "./metrics.js";
import { noImages } from "./metrics.js";
import type { Recipe } from "./recipe.js";
import { loadRun, makeConfig } from "./run.js";

const recipe: Recipe = {
  model: { name: "tiny", input: [1, 1, 1], classes: 2 },
  method: { name: "baseline", options: {} },
  optimizer: { name: "sgd", options: {} },
  schedule: null,
  data: { name: "two", checksum: "abc", augmentation: null },
  batchSize: 8,
  seed: 1,
  validation: 0,
};
const identity = "tiny, baseline";

/** Epoch e has weights of e; epoch 2 is the best of three. */
function checkpoint(epoch: number, step = 0): Checkpoint {
  const array = (...values: number[]) => ({ data: Float32Array.from(values), shape: [values.length] });
  return {
    values: {
      parameters: { "fc1.weight": array(epoch, -epoch) },
      statistics: {},
      optimizer: { m: { "fc1.weight": array(epoch / 3 + step, 0) } },
    },
    epoch,
    step,
    sums: step === 0 ? noImages : { images: 8 * step, loss: 0.1 + 0.2, top1: 5, top5: 8 },
    signs: { fc1: Uint8Array.of(2) },
  };
}

function metrics(epoch: number): EpochMetrics {
  const scores = { loss: 1 / epoch, top1: [0, 90, 95, 95][epoch], top5: 100 };
  const train = { learningRate: 0.1, trainLoss: 0.3, trainTop1: 80 };
  return { epoch, step: 10 * epoch, seconds: 1.5, ...train, split: "test", ...scores, test: scores };
}

const layerLineOf = (epoch: number): LayerLine => ({
  epoch,
  layer: "fc1",
  levels: null,
  sparsity: 0,
  signFlips: 0,
  histogram: { lowest: -1, highest: 1, counts: [] },
});

const confusionOf = (epoch: number): ConfusionLine => ({
  epoch,
  split: "test",
  counts: [
    [4, epoch],
    [0, 4],
  ],
});

let parent: string;
let path: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "fewbit-run-"));
  path = join(parent, "runs", "one");
});
afterEach(() => rmSync(parent, { recursive: true }));

interface Changes {
  resume?: boolean;
  overwrite?: boolean;
  epochs?: number;
  recipe?: Partial<Recipe>;
  identity?: string;
  values?: Checkpoint["values"];
  onWarning?: (message: string) => void;
}

function open(changes: Changes = {}): RunDirectory {
  const { resume = false, overwrite = false, epochs = 3, onWarning = () => {} } = changes;
  const config = makeConfig({
    recipe: { ...recipe, ...changes.recipe },
    epochs,
    executor: createReferenceExecutor(),
  });
  const { values, signs } = checkpoint(0);
  return RunDirectory.open(path, {
    resume,
    overwrite,
    config,
    identity: changes.identity ?? identity,
    expected: { values: changes.values ?? values, signs },
    onWarning,
  });
}

/** Trains `epochs` epochs in a new directory and leaves it as an ended process does. */
async function trained(epochs: number): Promise<void> {
  const run = open();
  await run.begin(checkpoint(0));
  const all = [1, 2, 3].map(metrics);
  for (let epoch = 1; epoch <= epochs; epoch++) {
    await run.commit(all.slice(0, epoch), [layerLineOf(epoch)], confusionOf(epoch), checkpoint(epoch));
  }
  run.close();
}

const owner = () => ({ identity, recipe: loadRun(path).config.recipe });

const contents = () =>
  Object.fromEntries(
    readdirSync(path).map((name) => [name, readFileSync(join(path, name)).toString("latin1")]),
  );

async function resumed(): Promise<RunDirectory> {
  const run = open({ resume: true });
  await run.begin(checkpoint(0));
  run.close();
  return run;
}

test("an ended run holds its files and nothing else, and they tell the run", async () => {
  await trained(3);
  expect(readdirSync(path).sort()).toEqual([
    "best.safetensors",
    "checkpoint.safetensors",
    "config.json",
    "confusion.jsonl",
    "layers.jsonl",
    "metrics.jsonl",
    "summary.json",
  ]);
  const run = loadRun(path);
  expect(run.config).toMatchObject({ formatVersion: 1, ...recipe, epochs: 3, executor: "reference" });
  expect(run.metrics).toEqual([1, 2, 3].map(metrics));
  expect(run.layers).toEqual([1, 2, 3].map(layerLineOf));
  expect(run.confusion).toEqual([1, 2, 3].map(confusionOf));
  expect(run.summary).toMatchObject({
    epochs: 3,
    chosenOn: "test",
    best: metrics(2),
    last: metrics(3),
    seconds: 4.5,
  });
  const { values } = checkpoint(0);
  const stored = (name: string) => readWeights(join(path, name), owner(), values);
  const weightsOf = ({ values: { parameters, statistics } }: Checkpoint) => ({ parameters, statistics });
  expect(stored("best.safetensors")).toEqual({ weights: weightsOf(checkpoint(2)), epoch: 2 });
  expect(stored("checkpoint.safetensors")).toEqual({ weights: weightsOf(checkpoint(3)), epoch: 3 });
});

test("a checkpoint is read as it was written, sums to the last bit", async () => {
  await trained(2);
  const run = open({ resume: true });
  await run.begin(checkpoint(0));
  await run.save(checkpoint(2, 3));
  run.close();
  const file = join(path, "checkpoint.safetensors");
  expect(readCheckpoint(file, owner(), checkpoint(0))).toEqual(checkpoint(2, 3));
});

test("a checkpoint whose folder is taken over while it is written is not put in its place", async () => {
  await trained(2);
  const run = open({ resume: true });
  await run.begin(checkpoint(0));
  const before = contents();
  const { values, ...place } = checkpoint(2, 3);
  const weight = values.parameters["fc1.weight"];
  /** Another process comes when the values are asked for. */
  const slow: StateArray = {
    shape: weight.shape,
    dtype: "f32",
    async *pieces() {
      rmSync(join(path, "lock"), { force: true });
      yield await Promise.resolve(weight.data);
    },
  };
  const inPlace = {
    parameters: { "fc1.weight": slow },
    statistics: {},
    optimizer: { m: { "fc1.weight": slow } },
  };
  await expect(run.save({ ...place, values: inPlace })).rejects.toThrow(
    `the lock of ${path} has been removed, so another process may train there; this one has stopped`,
  );
  expect(contents()).toMatchObject({ "checkpoint.safetensors": before["checkpoint.safetensors"] });
  run.close();
});

describe("a process killed in epoch 3", () => {
  let whole: Record<string, string>;
  beforeEach(async () => {
    await trained(2);
    whole = contents();
  });
  const append = (name: string, text: string) => writeFileSync(join(path, name), text, { flag: "a" });

  test.each<[string, () => void]>([
    ["between epochs", () => {}],
    ["in the middle of a line", () => append("metrics.jsonl", '{"epoch":3,"st')],
    ["before the lines of layers", () => append("metrics.jsonl", `${JSON.stringify(metrics(3))}\n`)],
    [
      "before the checkpoint",
      () => {
        append("metrics.jsonl", `${JSON.stringify(metrics(3))}\n`);
        append("layers.jsonl", `${JSON.stringify(layerLineOf(3))}\n`);
        append("confusion.jsonl", `${JSON.stringify(confusionOf(3))}\n`);
      },
    ],
    ["while it writes the checkpoint", () => append("checkpoint.safetensors.tmp", "half")],
  ])("%s is resumed at epoch 2", async (_name, leave) => {
    leave();
    writeFileSync(join(path, "lock"), "999999999");
    const run = await resumed();
    expect([run.checkpoint, run.metrics]).toEqual([checkpoint(2), [1, 2].map(metrics)]);
    const { "checkpoint.safetensors.tmp": _half, ...after } = contents();
    expect(after).toEqual(whole);
  });

  test("after the checkpoint but before what follows from it has it derived", async () => {
    rmSync(path, { recursive: true });
    await trained(1);
    const before = contents();
    rmSync(path, { recursive: true });
    await trained(2);
    for (const name of ["best.safetensors", "summary.json"])
      writeFileSync(join(path, name), before[name], "latin1");
    expect((await resumed()).checkpoint?.epoch).toBe(2);
    expect(contents()).toEqual(whole);
    rmSync(join(path, "best.safetensors"));
    await resumed();
    expect(contents()).toEqual(whole);
    for (const name of ["best.safetensors", "summary.json"]) writeFileSync(join(path, name), "{");
    await resumed();
    expect(contents()).toEqual(whole);
  });

  test("before the first checkpoint starts at the beginning", async () => {
    for (const name of readdirSync(path)) if (name !== "config.json") rmSync(join(path, name));
    const run = await resumed();
    expect([run.checkpoint, run.metrics]).toEqual([undefined, []]);
    expect(existsSync(join(path, "checkpoint.safetensors"))).toBe(true);
  });
});

describe("refuses, and changes nothing, when", () => {
  const wide = { data: new Float32Array(3), shape: [3] };
  const { values } = checkpoint(0);
  const other = { ...values, parameters: { "fc1.weight": wide } };
  const more = { ...values, parameters: { ...values.parameters, "fc2.weight": wide } };
  const damage = (name: string, text: string) => () => writeFileSync(join(path, name), text);
  const replace = (name: string, from: RegExp, to: string) => () => {
    const text = readFileSync(join(path, name), "utf8");
    expect(text).toMatch(from);
    damage(name, text.replace(from, to))();
  };
  const change = (name: string, make: (value: Record<string, unknown>) => object) => () => {
    const value = JSON.parse(readFileSync(join(path, name), "utf8")) as Record<string, unknown>;
    damage(name, JSON.stringify(make(value)))();
  };
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  test.each<[string, Changes, RegExp, (() => void)?]>([
    ["the run exists", {}, /holds a run already; resume it, overwrite it/],
    [
      "it is resumed with another seed",
      { resume: true, recipe: { seed: 2 } },
      /was started with seed 1, not 2/,
    ],
    [
      "the data differ",
      { resume: true, recipe: { data: { name: "two", checksum: "x", augmentation: null } } },
      /data .*"abc".* not .*"x"/,
    ],
    [
      "it has more epochs than asked for",
      { resume: true, epochs: 2 },
      /has begun epoch 3, so epochs must be at least 3, got 2/,
    ],
    [
      "the checkpoint is another network's",
      { resume: true, identity: "big" },
      /is of tiny, baseline; this network is big/,
    ],
    [
      "a shape differs",
      { resume: true, values: other },
      /for parameters\/fc1.weight it has .*\[2\], .* needs .*\[3\]/,
    ],
    ["a weight is missing", { resume: true, values: more }, /for parameters\/fc2.weight it has nothing/],
    [
      "a weight is too many",
      { resume: true, values: { ...values, optimizer: {} } },
      /it has optimizer\/m\/fc1.weight/,
    ],
    [
      "the checkpoint is damaged",
      { resume: true },
      /not a sound safetensors/,
      damage("checkpoint.safetensors", "x"),
    ],
    ["the configuration is damaged", { resume: true }, /config.json is damaged/, damage("config.json", "{")],
    [
      "the configuration is of a later format",
      { resume: true },
      /formatVersion 2/,
      damage("config.json", '{"formatVersion":2}'),
    ],
    [
      "the configuration lacks what every run has",
      { resume: true },
      /config.json is damaged: "validation" is not what a run writes/,
      change("config.json", ({ validation: _, ...rest }) => rest),
    ],
    [
      "the configuration's data are of no kind",
      { resume: true },
      /config.json is damaged: "data.checksum" is not what a run writes/,
      change("config.json", (config) => ({ ...config, data: { name: "two", checksum: 1 } })),
    ],
    [
      "the configuration's options are too deep to be shown",
      { resume: true },
      /was started with optimizer \{\.\.\.\}, not \{"name":"sgd"/,
      replace("config.json", /"optimizer": \{\s*"name": "sgd",\s*"options": \{/, `$&"a": ${deep}`),
    ],
    [
      "the configuration's format is too deep to be shown",
      { resume: true },
      /has formatVersion \[\.\.\.\]; this fewbit reads 1/,
      damage("config.json", `{"formatVersion":${deep}}`),
    ],
    [
      "a line of metrics lacks a number",
      { resume: true },
      /metrics.jsonl is damaged: line 1 is not/,
      replace("metrics.jsonl", /"trainLoss":[^,]*,/, ""),
    ],
    [
      "a line of layers lacks a number",
      { resume: true },
      /layers.jsonl is damaged: line 1 is not/,
      replace("layers.jsonl", /"sparsity":0/, '"sparsity":"none"'),
    ],
    [
      "a line of layers holds what no run writes",
      { resume: true },
      /layers.jsonl is damaged: line 1 is not/,
      replace("layers.jsonl", /^\{/, `{"a":${deep},`),
    ],
    [
      "a line of confusion counts less than nothing",
      { resume: true },
      /confusion.jsonl is damaged: line 1 is not/,
      replace("confusion.jsonl", /\[4,1\]/, "[4,-1]"),
    ],
    ["a line of metrics is damaged", { resume: true }, /line 1 is not/, damage("metrics.jsonl", "x\n")],
    [
      "metrics are missing",
      { resume: true },
      /does not hold each of 3 epochs once/,
      damage("metrics.jsonl", ""),
    ],
  ])("%s", async (_name, changes, message, prepare) => {
    await trained(3);
    prepare?.();
    const before = contents();
    expect(() => open(changes)).toThrow(UserError);
    expect(() => open(changes)).toThrow(message);
    expect(contents()).toEqual(before);
  });

  test("the directory holds something else", () => {
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, "thesis.tex"), "");
    expect(() => open({ overwrite: true })).toThrow(/holds other files than a run's/);
    expect(() => open({ resume: true })).toThrow(/holds other files than a run's/);
    expect(readdirSync(path)).toEqual(["thesis.tex"]);
  });

  test("there is nothing to resume", () => {
    expect(() => open({ resume: true })).toThrow(/holds no run/);
    expect(existsSync(path)).toBe(false);
  });

  test("the path is a file", () => {
    path = join(parent, "file");
    writeFileSync(path, "");
    expect(() => open()).toThrow(/is not a directory/);
  });

  test("the place cannot be written to", async () => {
    writeFileSync(join(parent, "runs"), "");
    const run = open();
    await expect(run.begin(checkpoint(0))).rejects.toThrow(UserError);
    await expect(run.begin(checkpoint(0))).rejects.toThrow(
      /cannot write to .*: a part of its path is a file;/,
    );
  });

  // Where even root cannot make a folder; a read-only one would not stop root.
  test.runIf(process.platform === "linux")("no folder can be made there", async () => {
    path = "/proc/run/below";
    await expect(open().begin(checkpoint(0))).rejects.toThrow(
      /cannot write to .*: nothing can be made there;/,
    );
  });

  test("another training is at work there", async () => {
    const run = open();
    await run.begin(checkpoint(0));
    expect(() => open({ resume: true })).toThrow(/in use by process/);
    await expect(open({ overwrite: true }).begin(checkpoint(0))).rejects.toThrow(/in use by process/);
    run.close();
  });

  test("the best weights are damaged and cannot be made again", async () => {
    await trained(3);
    writeFileSync(join(path, "best.safetensors"), "torn");
    expect(() => open({ resume: true })).toThrow(/best\.safetensors is not a sound safetensors file/);
  });

  test("another process ran there between the check and the start", async () => {
    const late = open();
    await trained(1);
    await expect(late.begin(checkpoint(0))).rejects.toThrow(/holds a run already/);
    late.close();
    expect(readdirSync(path)).not.toContain("lock");
  });

  test("the best weights are lost and cannot be made again", async () => {
    await trained(3);
    rmSync(join(path, "best.safetensors"));
    expect(() => open({ resume: true })).toThrow(/does not hold epoch 2, the best so far/);
  });
});

test("a finished run that is resumed is left as it is, on whatever machine", async () => {
  await trained(3);
  const config = JSON.parse(readFileSync(join(path, "config.json"), "utf8")) as object;
  writeFileSync(join(path, "config.json"), JSON.stringify({ ...config, threads: 64, cpu: "another" }));
  rmSync(join(path, "confusion.jsonl")); // as a version without it left the run
  const times = () => readdirSync(path).map((name) => [name, statSync(join(path, name)).mtimeMs]);
  const [before, timesBefore] = [contents(), times()];
  await resumed();
  expect([contents(), times()]).toEqual([before, timesBefore]);
  // With less or more to do it is another run.
  const more = open({ resume: true, epochs: 4 });
  await more.begin(checkpoint(0));
  more.close();
  expect(loadRun(path).config).toMatchObject({ epochs: 4, threads: 1 });
});

// A device that has no room for a single byte, in place of the file that a new one is written to first.
describe.runIf(existsSync("/dev/full"))("on a full disk", () => {
  test.each<[string, number]>([
    ["checkpoint.safetensors", 2],
    ["best.safetensors", 3],
    ["summary.json", 3],
  ])("an epoch whose %s cannot be written leaves all as it was kept last", async (name, kept) => {
    await trained(2);
    const before = contents();
    const run = open({ resume: true });
    await run.begin(checkpoint(0));
    const restore = fullFor(name);
    // Epoch 3 is the best here.
    const lines = [metrics(1), metrics(2), { ...metrics(3), top1: 99 }];
    await expect(run.commit(lines, [layerLineOf(3)], confusionOf(3), checkpoint(3))).rejects.toThrow(
      new UserError(
        `cannot write ${join(path, name)}: no space is left on the disk (ENOSPC); make room, then resume the run`,
        undefined,
        "unwritten",
      ),
    );
    restore();
    run.close();
    expect(loadRun(path).metrics).toHaveLength(kept);
    if (kept === 2) expect(contents()).toEqual(before);
    else expect((await resumed()).checkpoint?.epoch).toBe(3);
    expect(readdirSync(path).filter((file) => file.endsWith(".tmp"))).toEqual([]);
  });
});

test("overwriting begins a new run, in the same bytes as an empty directory", async () => {
  await trained(1);
  const whole = contents();
  const run = open({ overwrite: true, recipe: { seed: 7 } });
  await run.begin(checkpoint(0));
  run.close();
  expect(Object.keys(contents()).sort()).toEqual([
    "checkpoint.safetensors",
    "config.json",
    "confusion.jsonl",
    "layers.jsonl",
    "metrics.jsonl",
  ]);
  rmSync(path, { recursive: true });
  await trained(1);
  expect(contents()).toEqual(whole);
});

test("resuming may extend the run, and says when the executor differs", async () => {
  await trained(3);
  const config = JSON.parse(readFileSync(join(path, "config.json"), "utf8")) as object;
  writeFileSync(join(path, "config.json"), JSON.stringify({ ...config, executor: "native" }));
  const onWarning = vi.fn();
  const run = open({ resume: true, epochs: 9, onWarning });
  await run.begin(checkpoint(0));
  run.close();
  expect(onWarning).toHaveBeenCalledExactlyOnceWith(
    expect.stringMatching(
      /on the native executor and goes on on reference: .* resume it with --executor native$/,
    ),
  );
  expect(loadRun(path).config).toMatchObject({ epochs: 9, executor: "reference" });
});
