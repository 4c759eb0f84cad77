/** Whole trainings, of a network small enough for the reference executor, with all that is random in them. */
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fromArrays } from "../data/arrays.js";
import { UserError } from "../errors.js";
import { adam } from "../optim/index.js";
import { network } from "../nn/index.js";
import { baseline, dorefa } from "../quantization/index.js";
import { nativeProblem } from "../runtime/native.js";
import { classify, evaluateRun } from "./evaluate.js";
import type { TrainProgress } from "./progress.js";
import { loadRun, loadWeights } from "../run-folder/index.js";
import { base, data, images } from "./tiny.test.fixture.js";
import type { TrainOptions } from "./train.js";
import { train } from "./train.js";

let parent: string;
let directory: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "fewbit-train-"));
  directory = join(parent, "run");
});
afterEach(() => rmSync(parent, { recursive: true }));

/** A digest of each file, without times and the number of threads. */
function digests(path: string): Record<string, string> {
  const text = (name: string) =>
    readFileSync(join(path, name), name.endsWith("safetensors") ? "latin1" : "utf8");
  return Object.fromEntries(
    readdirSync(path).map((name) => {
      const content = text(name).replace(/"(seconds|threads)": ?[\d.e-]+/g, "");
      return [name, createHash("sha256").update(content, "latin1").digest("hex")];
    }),
  );
}

/** A signal that is raised at a moment of the training. */
function stopAt(isThere: (progress: TrainProgress) => boolean) {
  const controller = new AbortController();
  const onProgress = (progress: TrainProgress) => {
    if (isThere(progress)) controller.abort();
  };
  return { signal: controller.signal, onProgress };
}

test("a network learns, and the run says how well", async () => {
  const run = await train({ ...base, method: baseline(), epochs: 8, directory });
  expect(run.last.top1).toBeGreaterThan(80);
  expect(run.last.trainLoss).toBeLessThan(run.metrics[0].trainLoss);
  expect(run.best.top1).toBe(Math.max(...run.metrics.map(({ top1 }) => top1)));
  expect(run.metrics.map(({ epoch, step }) => [epoch, step])).toEqual(
    [1, 2, 3, 4, 5, 6, 7, 8].map((e) => [e, 5 * e]),
  );
  expect(run.metrics.map(({ learningRate }) => learningRate)).toEqual(
    [0, 0, 1, 1, 2, 2, 3, 3].map((decays) => 0.02 * 0.1 ** decays),
  );
  expect([run.chosenOn, run.interrupted, run.directory]).toEqual(["test", false, directory]);

  const stored = loadRun(directory);
  expect(stored.metrics).toEqual(run.metrics);
  expect(stored.summary).toMatchObject({ epochs: 8, best: run.best, last: run.last, chosenOn: "test" });
  expect(stored.layers.filter(({ epoch }) => epoch === 8).map(({ layer }) => layer)).toEqual([
    "conv1",
    "conv2",
    "fc1",
  ]);

  for (const which of ["best", "last"] as const) {
    const { loss, top1, top5, epoch } = run[which];
    const asked = {
      model: base.model,
      data: base.data,
      method: baseline(),
      which,
      batchSize: 16,
      executor: base.executor,
    };
    const scores = await evaluateRun(directory, asked);
    expect(scores).toEqual({ loss, top1, top5, epoch });
  }
  const answers = await classify(run, data, [...Array(30).keys()], { executor: "reference" });
  const right = answers.filter(({ label, answer }) => label === answer).length;
  expect((100 * right) / 30).toBeCloseTo(run.best.top1);
  for (const { probabilities } of answers) expect(probabilities.reduce((a, b) => a + b)).toBeCloseTo(1);
});

describe("confusion.jsonl", () => {
  test("counts what the network of each epoch answers, whatever is held out", async () => {
    for (const epochs of [1, 2]) {
      await train({ ...base, validation: 20, epochs, directory, resume: epochs > 1 });
      const weights = loadWeights(directory, "last", base.model, base.method);
      const answers = await classify({ ...base, ...weights }, data, [...Array(30).keys()], {
        executor: "reference",
      });
      const counts = [0, 1, 2, 3].map((label) =>
        [0, 1, 2, 3].map((answer) => answers.filter((a) => a.label === label && a.answer === answer).length),
      );
      expect(loadRun(directory).confusion[epochs - 1]).toEqual({ epoch: epochs, split: "test", counts });
    }
  });

  test("has no lines for more than 100 classes", async () => {
    for (const classes of [100, 101]) {
      const many = fromArrays({ train: images(20, 0), test: images(8, 3), shape: [6, 6, 1], classes });
      const model = network("many", { input: many.shape, classes }, (net, x) =>
        net.linear("fc1", net.flatten(x), { features: classes }),
      );
      await train({ ...base, method: baseline(), model, data: many, epochs: 1, directory, overwrite: true });
      expect(loadRun(directory).confusion.map(({ counts }) => counts.length)).toEqual(
        classes === 100 ? [100] : [],
      );
    }
  });

  test("begins where a run of a version without it goes on", async () => {
    await train({ ...base, epochs: 1, directory });
    rmSync(join(directory, "confusion.jsonl"));
    expect(loadRun(directory).confusion).toEqual([]);
    await train({ ...base, epochs: 2, directory, resume: true });
    expect(loadRun(directory).confusion.map(({ epoch }) => epoch)).toEqual([2]);
  });
});

test("layer lines tell the levels of a quantized layer and none of the others", async () => {
  await train({ ...base, method: dorefa({ weightBits: 2, activationBits: 2 }), epochs: 1, directory });
  const [conv1, conv2, fc1] = loadRun(directory).layers;
  expect([conv1.levels, fc1.levels]).toEqual([null, null]);
  expect(conv2.levels).toBeGreaterThan(1);
  expect(conv2.levels).toBeLessThanOrEqual(4);
  expect(conv2.histogram.counts.reduce((a, b) => a + b)).toBe(3 * 3 * 4 * 5);
  expect(conv2.signFlips).toBeGreaterThan(0);
});

describe.each(["reference", "wasm"] as const)("a run that was broken and resumed on %s", (executor) => {
  const settings = { ...base, executor };
  let whole: Record<string, string>;
  beforeEach(async () => {
    const path = join(parent, "whole");
    await train({ ...settings, directory: path });
    whole = digests(path);
  });

  test("extended after its end", async () => {
    await train({ ...settings, epochs: 1, directory });
    const run = await train({ ...settings, resume: true, directory });
    expect(digests(directory)).toEqual(whole);
    expect(run.metrics).toHaveLength(3);
  });

  test.each<[string, (progress: TrainProgress) => boolean]>([
    ["stopped in the first epoch", ({ phase, step }) => phase === "train" && step === 2],
    ["stopped in the second", ({ phase, epoch, step }) => phase === "train" && epoch === 2 && step === 1],
    [
      "stopped at an epoch's last step",
      ({ phase, epoch, step }) => phase === "train" && epoch === 2 && step === 5,
    ],
    [
      "stopped in an evaluation",
      ({ phase, epoch, step }) => phase === "evaluate" && epoch === 2 && step === 1,
    ],
    ["stopped at an epoch's end", ({ phase, epoch }) => phase === "epoch" && epoch === 2],
  ])("%s", async (_name, isThere) => {
    const broken = await train({ ...settings, directory, ...stopAt(isThere) });
    expect(broken.interrupted).toBe(true);
    const run = await train({ ...settings, resume: true, directory });
    expect(run.interrupted).toBe(false);
    expect(digests(directory)).toEqual(whole);
  });

  test("stopped at every single step", async () => {
    const stop = () => stopAt(({ phase }) => phase === "train");
    let run = await train({ ...settings, directory, ...stop() });
    let starts = 1;
    for (; run.interrupted; starts++) run = await train({ ...settings, resume: true, directory, ...stop() });
    expect(starts).toBe(16); // fifteen steps, and a last start to score the third epoch
    expect(digests(directory)).toEqual(whole);
  });

  test("resumed when it had ended", async () => {
    await train({ ...settings, directory });
    const run = await train({ ...settings, resume: true, directory });
    expect([run.best.epoch, run.metrics.length]).toEqual([loadRun(directory).summary?.best.epoch, 3]);
    expect(digests(directory)).toEqual(whole);
  });
});

test("a run without a directory has the same weights and writes nothing", async () => {
  const here = readdirSync(".");
  const run = await train({ ...base, epochs: 2 });
  const kept = await train({ ...base, epochs: 2, directory });
  expect(run.weights).toEqual(kept.weights);
  expect(run.lastWeights).toEqual(kept.lastWeights);
  expect(readdirSync(".")).toEqual(here);
});

test("the seed decides", async () => {
  const weights = async (seed: number) => (await train({ ...base, epochs: 1, seed })).lastWeights;
  const first = await weights(1);
  expect(await weights(1)).toEqual(first);
  expect(await weights(2)).not.toEqual(first);
});

test.skipIf(nativeProblem() !== undefined)("one thread and two give the same bits", async () => {
  for (const threads of [1, 2]) {
    await train({ ...base, executor: "native", threads, directory: join(parent, `threads${threads}`) });
  }
  const [one, two] = [1, 2].map((threads) => digests(join(parent, `threads${threads}`)));
  expect(one).toEqual(two);
});

test("held-out images choose the best epoch, and the test scores stand beside", async () => {
  const run = await train({ ...base, validation: 20, directory });
  expect(run.chosenOn).toBe("validation");
  expect(run.data.train.count).toBe(50);
  for (const epoch of run.metrics) {
    expect(epoch.split).toBe("validation");
    expect(epoch.step).toBe(4 * epoch.epoch);
    expect((epoch.top1 * 20) % 100).toBeCloseTo(0);
    expect((epoch.test.top1 * 30) % 100).toBeCloseTo(0);
  }
  expect(loadRun(directory).summary).toMatchObject({ chosenOn: "validation", best: run.best });
});

test("progress names every step, batch and epoch in order", async () => {
  const seen: TrainProgress[] = [];
  await train({ ...base, epochs: 2, onProgress: (progress) => void seen.push(progress) });
  const epoch = (number: number) => [
    ...[1, 2, 3, 4, 5].map((step) => ["train", number, step, 5]),
    ...[1, 2].map((step) => ["evaluate", number, step, 2]),
    ["epoch", number, 1, 1],
  ];
  expect(seen.map(({ phase, epoch: e, step, steps }) => [phase, e, step, steps])).toEqual([
    ...epoch(1),
    ...epoch(2),
  ]);
  expect(seen[0].secondsLeft).toBeUndefined();
  expect(seen.at(-1)?.secondsLeft).toBeCloseTo(0);
  for (const { loss, accuracy, imagesPerSecond, secondsLeft } of seen.slice(1)) {
    expect([loss, accuracy, imagesPerSecond, secondsLeft].every(Number.isFinite)).toBe(true);
  }
});

describe("refuses, and writes nothing, when", () => {
  const grey = { ...images(4, 0), images: new Uint8Array(4 * 25) };
  const small = fromArrays({ train: grey, test: grey, shape: [5, 5, 1], classes: 4 });
  const nine = fromArrays({ train: images(4, 0), test: images(4, 0), shape: [6, 6, 1], classes: 9 });
  test.each<[string, Partial<TrainOptions>, RegExp]>([
    ["epochs is 0", { epochs: 0 }, /^epochs must be an integer from 1 .*got 0/],
    ["epochs is broken", { epochs: 1.5 }, /^epochs .*got 1.5/],
    ["batchSize is negative", { batchSize: -1 }, /^batchSize .*got -1/],
    ["seed is negative", { seed: -1 }, /^seed .*got -1/],
    ["seed is not exact", { seed: 2 ** 53 }, /^seed .*got 9007199254740992/],
    ["all images are held out", { validation: 70 }, /^validation .*from 0 to 69, got 70/],
    [
      "images have another size",
      { data: small },
      /^tiny takes images of 6x6x1, but those of arrays are 5x5x1/,
    ],
    ["there are other classes", { data: nine }, /^tiny has 4 classes, but arrays has 9/],
    ["there is nothing to resume", { resume: true }, /holds no run/],
    ["resume and overwrite are given", { resume: true, overwrite: true }, /exclude each other/],
    [
      "no layer multiplies codes whose gradients could be rounded",
      { method: baseline(), gradients: "bf16" },
      /^gradients bf16 has no effect with baseline at these bits: no layer multiplies codes; use gradients f32$/,
    ],
    ["there are too many threads", { executor: undefined, threads: 65 }, /^threads must be .*got 65/],
  ])("%s", async (_name, change, message) => {
    const training = train({ ...base, ...change, directory });
    await expect(training).rejects.toThrow(UserError);
    await expect(training).rejects.toThrow(message);
    expect(existsSync(directory)).toBe(false);
  });

  test("resume is asked for without a directory", async () => {
    await expect(train({ ...base, resume: true })).rejects.toThrow(/^resume needs a directory/);
  });

  test("a run is there already, or one of another recipe", async () => {
    await train({ ...base, epochs: 1, directory });
    const before = digests(directory);
    await expect(train({ ...base, directory })).rejects.toThrow(/holds a run already/);
    const changes: [Partial<TrainOptions>, RegExp][] = [
      [{ method: dorefa({ weightBits: 2, activationBits: 2 }) }, /was started with method/],
      [{ optimizer: adam({ learningRate: 0.01 }) }, /was started with optimizer/],
      [{ schedule: undefined }, /was started with schedule/],
      [{ data: { ...data, checksum: "other" } }, /was started with data/],
      [{ data: { ...data, mean: [0.5] } }, /was started with preparation/],
      [{ validation: 7 }, /was started with validation 0, not 7/],
      [{ gradients: "bf16" }, /was started with gradients "f32", not "bf16"/],
    ];
    for (const [change, message] of changes) {
      await expect(train({ ...base, ...change, resume: true, directory })).rejects.toThrow(message);
    }
    expect(digests(directory)).toEqual(before);
  });
});

test("a run of a version that kept no preparation goes on", async () => {
  await train({ ...base, epochs: 1, directory });
  const file = join(directory, "config.json");
  const { preparation, ...rest } = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  expect(preparation).toMatchObject({ mean: [0.4], std: [0.3] });
  writeFileSync(file, JSON.stringify(rest));
  const { metrics } = await train({ ...base, epochs: 2, resume: true, directory });
  expect(metrics).toHaveLength(2);
});

test("a run of a version that kept no type of gradients goes on with f32", async () => {
  await train({ ...base, epochs: 1, directory });
  const file = join(directory, "config.json");
  const { gradients, ...rest } = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  expect(gradients).toBe("f32");
  writeFileSync(file, JSON.stringify(rest));
  await expect(train({ ...base, epochs: 2, gradients: "bf16", resume: true, directory })).rejects.toThrow(
    /was started with gradients "f32"/,
  );
  const { metrics } = await train({ ...base, epochs: 2, resume: true, directory });
  expect(metrics).toHaveLength(2);
});

describe("gradients rounded to bfloat16", () => {
  const rounded: TrainOptions = { ...base, gradients: "bf16" };

  test("change the training, which learns as well", async () => {
    const [plain, run] = [await train({ ...base, epochs: 6 }), await train({ ...rounded, epochs: 6 })];
    expect(run.config.gradients).toBe("bf16");
    expect(run.last.trainLoss).not.toBe(plain.last.trainLoss);
    expect(Math.abs(run.last.trainLoss - plain.last.trainLoss)).toBeLessThan(0.1 * plain.last.trainLoss);
  });

  test("are said to be emulated where they are no faster", async () => {
    const warnings: string[] = [];
    await train({ ...rounded, epochs: 1, onWarning: (message) => warnings.push(message) });
    expect(warnings).toEqual([
      "bf16 gradients are emulated here: the reference executor (typescript) has no products of bf16, so they are no faster",
    ]);
  });

  test.skipIf(nativeProblem() !== undefined)(
    "give the same bits on any number of threads, and resumed",
    async () => {
      const at = (name: string) => join(parent, name);
      const run = (name: string, epochs: number, more: Partial<TrainOptions>) =>
        train({ ...rounded, executor: "native", epochs, directory: at(name), ...more });
      await run("two", 3, { threads: 2 });
      await run("three", 3, { threads: 3 });
      await run("broken", 1, { threads: 1 });
      await run("broken", 3, { threads: 2, resume: true });
      const [two, three, broken] = ["two", "three", "broken"].map(
        (name) => digests(at(name))["checkpoint.safetensors"],
      );
      expect([three, broken]).toEqual([two, two]);
    },
  );
});

test("answers do not depend on how many images are asked about", async () => {
  const many = { ...data, test: { ...images(600, 3), count: 600 } };
  const run = await train({ ...base, epochs: 1 });
  const all = Array.from({ length: 600 }, (_, i) => 599 - i);
  const answers = await classify(run, many, all, { executor: "reference" });
  expect(answers.map(({ label }) => label)).toEqual(all.map((i) => many.test.labels[i]));
  for (const i of [0, 255, 256, 511, 512, 599]) {
    expect(await classify(run, many, [all[i]], { executor: "reference" })).toEqual([answers[i]]);
  }
});

test("overwriting replaces a run by the one that is trained", async () => {
  await train({ ...base, epochs: 2, seed: 9, directory });
  writeFileSync(join(directory, "notes.txt"), "kept");
  await train({ ...base, epochs: 2, overwrite: true, directory });
  expect(readFileSync(join(directory, "notes.txt"), "utf8")).toBe("kept");
  const fresh = join(parent, "fresh");
  await train({ ...base, epochs: 2, directory: fresh });
  const { "notes.txt": _notes, ...files } = digests(directory);
  expect(files).toEqual(digests(fresh));
});
