/** From pixels to an answer: the same as `predict` and `classify` give, from a run and from its folder. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fromArrays } from "../data/arrays.js";
import { UserError } from "../errors.js";
import { lenet5 } from "../models/lenet5.js";
import { fitted } from "../nn/index.js";
import { adam } from "../optim/index.js";
import { dorefa } from "../quantization/index.js";
import { classifier } from "./classifier.js";
import { classify } from "./evaluate.js";
import { predictRun } from "./predict.js";
import { base, data, tiny } from "./tiny.test.fixture.js";
import type { Run } from "./train.js";
import { train } from "./train.js";

const folder = mkdtempSync(join(tmpdir(), "fewbit-classifier-"));
afterAll(() => rmSync(folder, { recursive: true }));

const executor = "reference";
const size = 16;
/** Images whose class is the half that is brighter. */
const set = (count: number) => {
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 2);
  const images = Uint8Array.from({ length: count * size * size }, (_, p) => {
    const right = p % size >= size / 2;
    return (
      ((Math.imul(p + 1, 2654435761) >>> 25) & 63) +
      (right === (Math.floor(p / size ** 2) % 2 === 1) ? 150 : 0)
    );
  });
  return { images, labels };
};
const halves = fromArrays({
  train: set(24),
  test: set(9),
  shape: [size, size, 1],
  classes: 2,
  mean: [0.3],
  std: [0.25],
});
const image = (i: number) => halves.test.images.subarray(i * size ** 2, (i + 1) * size ** 2) as Uint8Array;

let own: Run;
let builtIn: Run;
beforeAll(async () => {
  own = await train({ ...base, epochs: 2, directory: join(folder, "own") });
  builtIn = await train({
    model: fitted(lenet5, { input: [size, size, 1], classes: 2 }),
    method: dorefa({ weightBits: 1, activationBits: 2 }),
    data: halves,
    optimizer: adam({ learningRate: 0.01 }),
    epochs: 1,
    batchSize: 8,
    executor,
    directory: join(folder, "halves"),
  });
});

test("a folder's network answers as predict does to a file of the same pixels", async () => {
  const { model, method } = builtIn;
  const files = [0, 1, 2].map((i) => join(folder, `${i}.png`));
  for (const [i, file] of files.entries()) {
    await sharp(image(i), { raw: { width: size, height: size, channels: 1 } })
      .png()
      .toFile(file);
  }
  const asked = await classifier(join(folder, "halves"), { executor });
  const { predictions, classNames, epoch } = await predictRun(join(folder, "halves"), files, {
    model,
    method,
    executor,
  });
  expect(asked).toMatchObject({ classNames, epoch, shape: [size, size, 1] });
  for (const [i, { answer, probabilities }] of predictions.entries()) {
    const said = await asked.predict(image(i));
    expect(said).toEqual({ answer, probabilities, className: classNames[answer] });
  }
});

test("a run's answers to all test images are those of classify, at once or one by one", async () => {
  const asked = await classifier(own, { executor });
  const { images, labels, count } = data.test;
  const answers = await asked.predictAll(images);
  const expected = await classify(own, data, [...Array(count).keys()], { executor });
  expect(answers.map(({ className: _, ...answer }, i) => ({ label: labels[i], ...answer }))).toEqual(
    expected,
  );
  for (const i of [0, 7, count - 1]) {
    expect(await asked.predict(images.subarray(i * 36, (i + 1) * 36))).toEqual(answers[i]);
  }
});

test("floats are what bytes are when divided by 255, and bytes may be a canvas's", async () => {
  const asked = await classifier(builtIn, { executor });
  const bytes = image(3);
  const said = await asked.predict(bytes);
  expect(await asked.predict(Uint8ClampedArray.from(bytes))).toEqual(said);
  const floats = await asked.predict(Float32Array.from(bytes, (byte) => byte / 255));
  expect(floats.answer).toBe(said.answer);
  floats.probabilities.forEach((p, i) => expect(p).toBeCloseTo(said.probabilities[i], 4));
});

test("the last weights are asked where they are wanted", async () => {
  const last = await classifier(own, { executor, which: "last" });
  const stored = await classifier(join(folder, "own"), {
    executor,
    which: "last",
    model: tiny,
    method: own.method,
  });
  expect([last.epoch, stored.epoch]).toEqual([2, 2]);
  const pixels = data.test.images.subarray(0, 36);
  expect(await stored.predict(pixels)).toEqual(await last.predict(pixels));
});

describe("it refuses", () => {
  const refuse = async (made: Promise<unknown>, message: string) => {
    await expect(made).rejects.toThrow(UserError);
    await expect(made).rejects.toThrow(message);
  };

  test("pixels of another size or type", async () => {
    const asked = await classifier(builtIn, { executor });
    await refuse(asked.predict(new Uint8Array(5)), "pixels has 5 values; an image of 16x16x1 has 256");
    await refuse(asked.predict(new Uint8Array(512)), "pixels has 512 values; an image of 16x16x1 has 256");
    await refuse(
      asked.predictAll(new Uint8Array(200)),
      "pixels has 200 values; an image of 16x16x1 has 256, so several have a multiple of it",
    );
    await refuse(
      asked.predict([1, 2] as never),
      "pixels must be a Uint8Array of bytes or a Float32Array, got [1,2]",
    );
    await refuse(
      asked.predict(new Float32Array(256).fill(NaN)),
      "pixels has NaN at position 0; values must be finite",
    );
  });

  test("what is no run", async () => {
    await refuse(classifier(join(folder, "nowhere")), "holds no run");
    await refuse(
      classifier(undefined as never),
      "classifier takes a run, as train() returns it, or its folder, got undefined",
    );
    await refuse(classifier(train({ ...base, epochs: 1 }) as never), "got a Promise (await it)");
    await refuse(classifier(own, { exectuor: "wasm" } as never), 'classifier has no option "exectuor"');
    await refuse(classifier(own, { model: tiny }), "model goes with the folder of a run");
  });

  test("the folder of a network that is not fewbit's, unless it is given", async () => {
    const directory = join(folder, "own");
    await refuse(
      classifier(directory),
      `${directory} was trained with a network of its own, tiny; give it as model`,
    );
    expect(
      await (await classifier(directory, { model: tiny, executor })).predict(new Uint8Array(36)),
    ).toBeDefined();
  });

  test("code that a folder names: it is not loaded", async () => {
    const directory = join(folder, "halves");
    const path = join(directory, "config.json");
    const before = readFileSync(path, "utf8");
    const evil = join(folder, "evil.mjs");
    writeFileSync(evil, "globalThis.loaded = true; export default {};");
    const config = JSON.parse(before) as { method: object };
    writeFileSync(
      path,
      JSON.stringify({
        ...config,
        method: { name: evil, options: {} },
        options: { model: "lenet5", method: evil },
      }),
    );
    await refuse(
      classifier(directory),
      `${directory} was trained with a method of its own, ${evil}; give it as method`,
    );
    expect("loaded" in globalThis).toBe(false);
    writeFileSync(path, before);
  });
});
