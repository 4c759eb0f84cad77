import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { dataSetNamed } from "../data/index.js";
import { collectRuns } from "./index.js";

const folder = mkdtempSync(join(tmpdir(), "fewbit-collect-"));
afterAll(() => rmSync(folder, { recursive: true }));

const scores = { loss: 0.1, top1: 98, top5: 100 };
const line = (epoch: number) =>
  `${JSON.stringify({
    ...{ epoch, step: epoch, seconds: 1, learningRate: 0.1, trainLoss: 0.2, trainTop1: 97, split: "test" },
    ...{ ...scores, test: scores },
  })}\n`;

function writeRun(
  name: string,
  method: { name: string; options: object },
  data = "mnist",
  more: object = {},
) {
  const directory = join(folder, name);
  mkdirSync(directory, { recursive: true });
  const config = {
    ...{ formatVersion: 1, fewbit: "0.1.0", method, schedule: null, batchSize: 128, seed: 1, validation: 0 },
    model: { name: "lenet5", input: [28, 28, 1], classes: 10 },
    optimizer: { name: "adam", options: { learningRate: 0.01 } },
    data: { name: data, checksum: dataSetNamed(data)?.published?.checksum ?? "0", augmentation: null },
    ...{ epochs: 3, executor: "native", instructionSet: "avx2", threads: 2, cpu: "x", ...more },
  };
  writeFileSync(join(directory, "config.json"), JSON.stringify(config));
  writeFileSync(join(directory, "metrics.jsonl"), line(1) + line(2));
  return directory;
}

test("runs are found below folders, each once, and what cannot be read is told", async () => {
  const dorefa = { name: "dorefa", options: { weightBits: 1, activationBits: 2, preset: "redbit" } };
  const first = writeRun("study/a", dorefa);
  writeRun("study/b", { name: "baseline", options: {} }, "digits");
  writeRun("study/c", { name: "mine", options: {} });
  const cut = writeRun("study/deep/cut", { name: "ttq", options: { weightBits: 2 } });
  appendFileSync(join(cut, "metrics.jsonl"), '{"epoch":3');
  const lost = writeRun("study/foreign", dorefa, "mnist", { formatVersion: 7 });
  writeFileSync(join(writeRun("study/torn", dorefa), "metrics.jsonl"), `nonsense\n${line(1)}`);
  const pipe = writeRun("study/pipe", dorefa);
  rmSync(join(pipe, "metrics.jsonl"));
  execFileSync("mkfifo", [join(pipe, "metrics.jsonl")]);
  const none = writeRun("study/none", dorefa, "mnist", { epochs: 0 });
  mkdirSync(join(folder, "study", "empty"));
  symlinkSync(first, join(folder, "again"));

  const { runs, warnings } = await collectRuns([join(folder, "study"), first, join(folder, "again")]);
  expect(
    runs.map(({ dataset, method, weightBits, activationBits, metrics, published }) => ({
      ...{
        dataset,
        method,
        bits: [weightBits, activationBits],
        epochs: metrics.length,
        top1: published?.top1,
      },
    })),
  ).toEqual([
    { dataset: "MNIST", method: "dorefa", bits: [1, 2], epochs: 2, top1: 99.61 },
    { dataset: "digits", method: "baseline", bits: [32, 32], epochs: 2, top1: undefined },
    { dataset: "MNIST", method: "mine", bits: [undefined, undefined], epochs: 2, top1: undefined },
    { dataset: "MNIST", method: "ttq", bits: [2, 32], epochs: 2, top1: 99.47 },
  ]);
  expect(warnings).toEqual([
    `left out: ${join(lost, "config.json")} has formatVersion 7; this fewbit reads 1`,
    `left out: ${join(none, "config.json")} is damaged: "epochs" is not what a run writes`,
    `left out: cannot read ${join(pipe, "metrics.jsonl")}: it is a pipe, a socket or a device, and no file`,
    expect.stringContaining("metrics.jsonl is damaged: line 1"),
  ]);
});

test("a method in a file stands in no published cell, whatever it is called", async () => {
  const options = { weightBits: 1, activationBits: 2, file: "0123456789abcdef" };
  writeRun("filed/run", { name: "dorefa", options });
  expect((await collectRuns([join(folder, "filed")])).runs).toMatchObject([
    { dataset: "MNIST", method: "dorefa", published: undefined },
  ]);
});

test("a run whose layers have bits of their own stands in no published cell", async () => {
  const options = { weightBits: 1, activationBits: 2, layers: { fc2: { weightBits: 8 } } };
  const directory = writeRun("layers", { name: "dorefa", options });
  expect((await collectRuns([directory])).runs[0].published).toBeUndefined();
});

test("a folder that is not there is a mistake", async () => {
  await expect(collectRuns([join(folder, "nowhere")])).rejects.toThrow(
    /nowhere is not a folder; give run folders/,
  );
});
