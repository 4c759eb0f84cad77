/** A run's images are read by the rules that it started with, whatever later ones say. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { images } from "../data/images.js";
import { decodeRules, rulesOf } from "../data/rules.js";
import { evaluateRun } from "./evaluate.js";
import { predictRun } from "./predict.js";
import { readConfig } from "../run-folder/index.js";
import { base, tiny } from "./tiny.test.fixture.js";
import { train } from "./train.js";

const folder = mkdtempSync(join(tmpdir(), "fewbit-rules-"));
afterAll(() => rmSync(folder, { recursive: true }));

const { method } = base;
const model = tiny;
/** Each by the weights of its red, green and blue. */
const hues = { blue: [0, 0.2, 1], cyan: [0, 1, 0.9], green: [0.1, 1, 0], red: [1, 0.2, 0] } as const;
const names = Object.keys(hues);
const pictures = join(folder, "pictures");
const picture = (set: string, name: string, i: number) => join(pictures, set, name, `${i}.png`);

/** Colours of 3 x 3 pixels, so that both rules matter. */
beforeAll(async () => {
  for (const [set, count] of [
    ["train", 8],
    ["test", 4],
  ] as const) {
    for (const [name, hue] of Object.entries(hues)) {
      for (let i = 0; i < count; i++) {
        const pixels = Array.from({ length: 9 }, (_, p) => {
          const value = (p * (29 + i) * 17) % 256;
          return hue.map((weight) => Math.round(weight * value));
        });
        mkdirSync(dirname(picture(set, name, i)), { recursive: true });
        await sharp(Buffer.from(pixels.flat()), { raw: { height: 3, width: 3, channels: 3 } }).toFile(
          picture(set, name, i),
        );
      }
    }
  }
});

const load = (options = {}) => images({ directory: pictures, shape: [6, 6, 1], ...options });
const stored = (directory: string) =>
  (JSON.parse(readFileSync(join(directory, "config.json"), "utf8")) as { preparation: object }).preparation;

test("a run says its rules, and keeps them", async () => {
  const data = await load();
  const directory = join(folder, "new");
  await train({ ...base, model, data, epochs: 1, directory });
  expect(stored(directory)).toEqual({
    mean: data.mean,
    std: data.std,
    classNames: names,
    resize: "triangle",
    grey: "rec601",
    reduce: "accurate",
    files: "all",
  });
  expect(rulesOf(readConfig(directory).preparation)).toEqual(decodeRules);
});

test("a run on frames keeps them, and its reader", async () => {
  const rules = { ...decodeRules, frame: "stretched", reader: "pillow" } as const;
  const directory = join(folder, "frames");
  await train({ ...base, epochs: 1, data: { ...base.data, rules }, directory });
  expect(rulesOf(readConfig(directory).preparation)).toEqual(rules);
});

test("a run of the first versions goes on, is scored and predicts by its own", async () => {
  const old = await load({ rules: {} });
  const directory = join(folder, "old");
  expect(old.checksum).not.toBe((await load()).checksum);
  await train({ ...base, model, data: old, epochs: 1, directory });
  const { preparation } = readConfig(directory);
  expect(Object.keys(preparation ?? {})).toEqual(["mean", "std", "classNames"]);

  await expect(
    train({ ...base, model, data: await load(), epochs: 2, directory, resume: true }),
  ).rejects.toThrow(/was started with data/);
  const rules = rulesOf(preparation);
  const { last } = await train({
    ...base,
    model,
    data: await load({ rules }),
    epochs: 2,
    directory,
    resume: true,
  });
  expect(stored(directory)).toEqual(preparation);

  const scores = await evaluateRun(directory, {
    model,
    method,
    data: await load({ preparation }),
    which: "last",
    executor: "reference",
  });
  expect([scores.loss, scores.top1]).toEqual([last.test.loss, last.test.top1]);
  const files = names.flatMap((name) => [0, 1, 2, 3].map((i) => picture("test", name, i)));
  const { predictions } = await predictRun(directory, files, {
    model,
    method,
    which: "last",
    executor: "reference",
  });
  const losses = predictions.map(({ probabilities }, i) => -Math.log(probabilities[i >> 2]));
  expect(losses.reduce((a, b) => a + b) / files.length).toBeCloseTo(scores.loss, 5);
});

test("a run on other data than image files keeps its rules when it goes on", async () => {
  const directory = join(folder, "arrays");
  await train({ ...base, epochs: 1, data: { ...base.data, rules: {} }, directory });
  await train({ ...base, epochs: 2, directory, resume: true });
  expect(Object.keys(stored(directory))).toEqual(["mean", "std"]);
});
