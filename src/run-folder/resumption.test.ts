/** Files of a run that are lost, older than the rest, another run's or damaged: noticed before anything is written. */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { UserError } from "../errors.js";
import { evaluateRun } from "../training/evaluate.js";
import { predictRun } from "../training/predict.js";
import { loadRun } from "./run.js";
import { decodeTensors, encodeTensors } from "./safetensors.js";
import { base } from "../training/tiny.test.fixture.js";
import { train } from "../training/train.js";

const parent = mkdtempSync(join(tmpdir(), "fewbit-resumption-"));
const run = join(parent, "run");
const at = (name: string, folder = run) => join(folder, name);
const made = (name: string) => join(parent, name);

/** Runs of three epochs, as "three", with the checkpoint of its first in "one", and of another seed, as "other". */
beforeAll(async () => {
  await train({ ...base, epochs: 1, directory: made("three") });
  cpSync(made("three"), made("one"), { recursive: true });
  await train({ ...base, epochs: 3, directory: made("three"), resume: true });
  await train({ ...base, epochs: 3, seed: 6, directory: made("other") });
});
afterAll(() => rmSync(parent, { recursive: true }));
beforeEach(() => {
  rmSync(run, { recursive: true, force: true });
  cpSync(made("three"), run, { recursive: true });
});

const contents = () => readdirSync(run).map((name) => [name, readFileSync(at(name), "latin1")]);
const warnings: string[] = [];
const resume = (epochs = 4) => {
  warnings.length = 0;
  const onWarning = (message: string) => warnings.push(message);
  return train({ ...base, epochs, directory: run, resume: true, onWarning });
};
const remove = (...names: string[]) => names.forEach((name) => rmSync(at(name)));
const take = (name: string, from: string) => cpSync(at(name, made(from)), at(name));
const edit = (name: string, change: (lines: string[]) => string[]) => {
  const lines = readFileSync(at(name), "utf8").trim().split("\n");
  writeFileSync(
    at(name),
    change(lines)
      .map((line) => `${line}\n`)
      .join(""),
  );
};

describe("a run is not resumed, and stays as it is, where", () => {
  const lost =
    /^\S+checkpoint\.safetensors is not there, but \S+ is of a run that was trained: the checkpoint is lost; put it back, or overwrite \S+ to begin again$/;
  const another = /is of another run of the same network; put this run's own file back$/;
  const incomplete = (name: string, epoch: number) =>
    new RegExp(
      `${name}\\.jsonl is damaged: its lines of epoch ${epoch} are not those of each epoch once; put the file`,
    );
  test.each<[string, () => void, RegExp]>([
    ["the checkpoint is lost", () => remove("checkpoint.safetensors"), lost],
    [
      "the checkpoint and the metrics are lost",
      () => remove("checkpoint.safetensors", "metrics.jsonl", "layers.jsonl"),
      lost,
    ],
    [
      "only the best weights are left",
      () => remove("checkpoint.safetensors", "metrics.jsonl", "layers.jsonl", "confusion.jsonl"),
      lost,
    ],
    [
      "the checkpoint is older than the lines",
      () => take("checkpoint.safetensors", "one"),
      /metrics\.jsonl goes beyond epoch 2, but checkpoint\.safetensors is of epoch 1: it is an older one; put the latest back, or remove the lines after epoch 1$/,
    ],
    ["the checkpoint is another run's", () => take("checkpoint.safetensors", "other"), another],
    ["the best weights are another run's", () => take("best.safetensors", "other"), another],
    [
      "the best weights are older",
      () => take("best.safetensors", "one"),
      /best\.safetensors does not hold epoch \d, the best so far/,
    ],
    [
      "the best weights are damaged",
      () => writeFileSync(at("best.safetensors"), "torn"),
      /is not a sound safetensors file/,
    ],
    [
      "a line of layers is lost",
      () => edit("layers.jsonl", (lines) => lines.toSpliced(4, 1)),
      incomplete("layers", 2),
    ],
    [
      "a line of layers is there twice",
      () => edit("layers.jsonl", (lines) => [lines[0], ...lines]),
      incomplete("layers", 1),
    ],
    ["layers are older", () => take("layers.jsonl", "one"), incomplete("layers", 2)],
    [
      "a layer has another name",
      () => edit("layers.jsonl", (lines) => lines.map((line) => line.replace("conv2", "conv7"))),
      incomplete("layers", 1),
    ],
    [
      "an epoch of confusion is lost",
      () => edit("confusion.jsonl", (lines) => lines.toSpliced(1, 1)),
      incomplete("confusion", 2),
    ],
    [
      "confusion is of other classes",
      () =>
        edit("confusion.jsonl", (lines) => lines.map((line) => line.replace(/\[\[.*\]\]/, "[[1,0],[0,1]]"))),
      incomplete("confusion", 1),
    ],
  ])("%s", async (_name, prepare, message) => {
    prepare();
    const before = contents();
    // Of three epochs the third is not the best, so the best weights cannot be made again.
    expect(loadRun(made("three")).summary?.best.epoch).not.toBe(3);
    await expect(resume()).rejects.toThrow(UserError);
    await expect(resume()).rejects.toThrow(message);
    expect(contents()).toEqual(before);
  });
});

test("a folder in the summary's place is reported, and a link that leads nowhere is replaced", async () => {
  remove("summary.json");
  mkdirSync(at("summary.json"));
  await expect(resume()).rejects.toThrow(new UserError(`${at("summary.json")} is a folder; move it away`));
  rmSync(at("summary.json"), { recursive: true });
  symlinkSync(at("nothing"), at("summary.json"));
  await resume();
  expect(loadRun(run).summary?.epochs).toBe(4);
});

test("lines that were removed are reported, and the run goes on without them", async () => {
  remove("layers.jsonl", "confusion.jsonl");
  const { metrics } = await resume();
  expect(warnings).toEqual(
    ["layers", "confusion"].map(
      (name) => `${at(`${name}.jsonl`)} has lost its lines of epochs 1 to 3; the run goes on without them`,
    ),
  );
  expect(metrics).toHaveLength(4);
  expect(loadRun(run).confusion.map(({ epoch }) => epoch)).toEqual([4]);
});

test("a run of a version without the tie between run and weights goes on, and takes no tied ones", async () => {
  const { recipe, ...older } = JSON.parse(readFileSync(at("config.json"), "utf8")) as Record<string, unknown>;
  expect(recipe).toMatch(/^[0-9a-f]{64}$/);
  writeFileSync(at("config.json"), JSON.stringify(older));
  await expect(resume()).rejects.toThrow(/is of another run/);
  for (const name of ["checkpoint.safetensors", "best.safetensors"]) {
    const { tensors, metadata } = decodeTensors(readFileSync(at(name)), name);
    expect(metadata.recipe).toBe(recipe);
    const { recipe: _, ...untied } = metadata;
    writeFileSync(at(name), encodeTensors({ tensors, metadata: untied }));
  }
  await resume();
  expect(loadRun(run).config).not.toHaveProperty("recipe");
  await resume(5);
  expect(warnings).toEqual([]);
});

describe("scored and asked are no", () => {
  const { model, method, data } = base;
  const refused = async (message: RegExp) => {
    await expect(evaluateRun(run, { model, method, data })).rejects.toThrow(message);
    await expect(predictRun(run, [], { model, method })).rejects.toThrow(message);
  };

  test("weights of another run", async () => {
    take("best.safetensors", "other");
    await refused(/best\.safetensors is of another run of the same network/);
  });

  test("weights that are NaN or infinite", async () => {
    for (const [name, value] of [
      ["parameters/conv2.weight", NaN],
      ["statistics/bn1.variance", Infinity],
    ] as const) {
      const { tensors, metadata } = decodeTensors(
        readFileSync(at("best.safetensors", made("three"))),
        "best",
      );
      tensors[name].data[3] = value;
      writeFileSync(at("best.safetensors"), encodeTensors({ tensors, metadata }));
      await refused(
        new RegExp(
          `^\\S+best\\.safetensors holds NaN or infinite numbers in ${name}: they broke down in training`,
        ),
      );
    }
  });
});
