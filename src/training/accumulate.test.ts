/** Batches divided into small ones, whose gradients are summed before one update. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { createState } from "../compiler/state.js";
import { fromArrays } from "../data/arrays.js";
import { trainingBatches } from "../data/batches.js";
import { DivergenceError } from "../errors.js";
import { mul } from "../graph/index.js";
import { network } from "../nn/index.js";
import { sgd } from "../optim/index.js";
import { baseline } from "../quantization/index.js";
import type { TrainingValues } from "../run-folder/index.js";
import { fileNames } from "../run-folder/index.js";
import { chooseExecutor } from "../runtime/choose.js";
import type { Specs } from "./golden.test.fixture.js";
import { makeAll } from "./golden.test.fixture.js";
import { Division, stepperOf } from "./small-batches.js";
import type { TrainingTensors } from "./step.js";
import { base, data, images } from "./tiny.test.fixture.js";
import { train } from "./train.js";

const folder = mkdtempSync(join(tmpdir(), "fewbit-accumulate-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Golden {
  optimizer: Parameters<typeof sgd>[0];
  images: Specs[string];
  parameters: Specs;
  statistics: Specs;
  labels: number[];
  steps: { sizes: number[]; losses: number[]; after: Record<string, number[]> }[];
}
const golden = JSON.parse(
  readFileSync(new URL("../../tools/golden/data/accumulate.json", import.meta.url), "utf8"),
) as Golden;

test("steps of small batches are those of PyTorch", async () => {
  const model = network("golden", { input: [6, 6, 1], classes: 4 }, (net, x) => {
    const y = net.batchNorm("bn1", net.convolution("conv1", x, { channels: 4, kernel: 3 }));
    return net.linear("fc1", net.flatten(net.nonlinearity(y)), { features: 4 });
  });
  const { executor } = chooseExecutor({ executor: "reference" });
  const optimizer = sgd(golden.optimizer);
  const stepper = stepperOf({ model, method: baseline(), optimizer, executor, accumulate: 2 });
  const parameters = makeAll("accumulate", golden.parameters);
  const start: TrainingValues = {
    parameters,
    statistics: makeAll("accumulate", golden.statistics),
    optimizer: optimizer.initial(parameters),
  };
  const { images: pixels } = makeAll("accumulate", { images: golden.images });
  let state = createState<TrainingTensors>(stepper.stateOf(start), { executor });
  let at = 0;
  for (const [step, { sizes, losses, after }] of golden.steps.entries()) {
    const division = new Division({ steps: 2, size: (part) => sizes[part] }, 2);
    for (const [index, count] of sizes.entries()) {
      const batch = {
        images: { data: pixels.data.slice(36 * at, 36 * (at + count)), shape: [count, 6, 6, 1] },
        labels: { data: Int32Array.from(golden.labels.slice(at, at + count)), shape: [count] },
        random: { data: new Int32Array(2), shape: [2] },
        scalars: optimizer.scalars(step + 1, optimizer.learningRate),
      };
      const begun = stepper.begin(state, batch, division.part(index));
      expect((await begun.results).loss.data[0]).toBeCloseTo(losses[index], 5);
      state = begun.state;
      at += count;
    }
    const { parameters: trained, statistics } = await state.read();
    for (const [name, { data: values }] of Object.entries({ ...trained, ...statistics })) {
      values.forEach((value, i) => expect(value, `${name} ${step}`).toBeCloseTo(after[name][i], 5));
    }
  }
});

/** A network without batch norm and dropout, and a method that changes its weights after each update. */
const plain = network("plain", { input: [6, 6, 1], classes: 4 }, (net, x) =>
  net.linear("fc2", net.nonlinearity(net.linear("fc1", net.flatten(x), { features: 8 })), { features: 4 }),
);
const shrinking = { ...baseline(), constrain: (w: Parameters<typeof mul>[0]) => mul(w, 0.9) };
const ofPlain = { ...base, model: plain, method: shrinking, optimizer: sgd({ learningRate: 0.1 }) };

test("without batch norm any division trains the same", async () => {
  const whole = await train(ofPlain);
  for (const accumulate of [2, 4, 16]) {
    const divided = await train({ ...ofPlain, accumulate });
    expect([divided.last.step, divided.last.trainLoss]).toEqual([
      whole.last.step,
      expect.closeTo(whole.last.trainLoss, 5),
    ]);
    for (const [name, { data: values }] of Object.entries(divided.lastWeights.parameters)) {
      const { data: expected } = whole.lastWeights.parameters[name];
      values.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 5));
    }
  }
});

test("small batches have as many images each, and what is left in the last of an epoch", () => {
  const batches = trainingBatches(data, { batchSize: 32, accumulate: 4, seed: 1 });
  const sizes = Array.from({ length: batches.steps }, (_, i) => batches.size(i));
  expect(sizes).toEqual([8, 8, 8, 8, 8, 8, 8, 8, 6]);
  const division = new Division(batches, 4);
  expect(division.steps).toBe(3);
  expect(sizes.map((_, i) => division.part(i))).toEqual([
    ...[0, 0, 0, 0, 1, 1, 1, 1].map((step, i) => ({ step, isLast: i % 4 === 3, share: 1 / 4 })),
    { step: 2, isLast: true, share: 1 },
  ]);
  expect(trainingBatches(data, { batchSize: 32, accumulate: 4, seed: 1, lastBatch: "drop" }).steps).toBe(8);
});

test("each small batch draws random numbers of its own", async () => {
  const same = (count: number, dropout: number) => {
    const { images: pixels } = images(1, 0);
    const set = { images: pixels, labels: Uint8Array.of(0) };
    const repeated = {
      images: Uint8Array.from({ length: 36 * count }, (_, i) => set.images[i % 36]),
      labels: new Uint8Array(count),
    };
    const model = network("same", { input: [6, 6, 1], classes: 4 }, (net, x) =>
      net.linear("fc1", net.dropout(net.flatten(x), dropout), { features: 4 }),
    );
    const shape = [6, 6, 1] as const;
    return {
      ...ofPlain,
      model,
      data: fromArrays({ train: repeated, test: set, shape, classes: 4 }),
      epochs: 1,
    };
  };
  const weights = async (dropout: number) => {
    const once = await train({ ...same(4, dropout), batchSize: 4 });
    const twice = await train({ ...same(8, dropout), batchSize: 8, accumulate: 2 });
    return [once, twice].map(({ lastWeights }) => Array.from(lastWeights.parameters["fc1.weight"].data));
  };
  const [once, twice] = await weights(0.5);
  expect(twice).not.toEqual(once);
  const [plainOnce, plainTwice] = await weights(0);
  expect(plainTwice).toEqual(plainOnce);
});

test("a run goes on with the same bits after a break between two steps", async () => {
  const [unbroken, broken] = ["unbroken", "broken"].map((name) => join(folder, name));
  const options = { ...base, accumulate: 4, epochs: 2 };
  await train({ ...options, directory: unbroken });
  const stop = new AbortController();
  const first = await train({
    ...options,
    directory: broken,
    signal: stop.signal,
    onProgress: ({ epoch, step }) => epoch === 2 && step === 2 && stop.abort(),
  });
  expect(first.interrupted).toBe(true);
  const resume = { ...options, directory: broken, resume: true };
  await expect(train({ ...resume, accumulate: 2 })).rejects.toThrow(
    `${broken} was started with accumulate 4, not 2; resume it with the same, or start another run`,
  );
  await train(resume);
  const bytes = (directory: string) => readFileSync(join(directory, fileNames.checkpoint));
  expect(bytes(broken).equals(bytes(unbroken))).toBe(true);
});

test("a loss that is not a number is reported with its step", async () => {
  const training = train({ ...ofPlain, accumulate: 4, optimizer: sgd({ learningRate: 1e30 }) });
  await expect(training).rejects.toThrow(DivergenceError);
  await expect(training).rejects.toThrow(/the loss became (NaN|Infinity) in epoch 1, step [23]:/);
});

test("what does not divide a batch is refused", async () => {
  await expect(train({ ...base, accumulate: 3 })).rejects.toThrow(
    "accumulate must divide batchSize 16, as 2 or 4 does, got 3",
  );
  await expect(train({ ...base, accumulate: 32 })).rejects.toThrow(
    "accumulate must divide batchSize 16, as 16 does, got 32",
  );
  await expect(train({ ...base, accumulate: 0 })).rejects.toThrow(
    "accumulate must be an integer from 1 to 65536, got 0",
  );
});
