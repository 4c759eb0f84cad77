/** Scoring a run on data that were prepared otherwise than it was. */
import { expect, test } from "vitest";
import type { Dataset } from "../data/index.js";
import { evaluateRun } from "./evaluate.js";
import { base, data as plain } from "./tiny.test.fixture.js";
import { trainedRun } from "./trained.test.fixture.js";

const data: Dataset = { ...plain, classNames: ["a", "b", "c", "d"] };
const { model, method, executor } = base;
const folder = trainedRun({ data, epochs: 2 });

const score = (given: Dataset) => evaluateRun(folder, { model, method, executor, data: given });

test("the images are normalised as the run's were", async () => {
  const scores = await score(data);
  for (const other of [{ mean: [0], std: [1] }, { mean: [0.4], std: [3] }, { classNames: undefined }]) {
    expect(await score({ ...data, ...other })).toEqual(scores);
  }
});

test("other class names, or another order of them, are refused", async () => {
  await expect(score({ ...data, classNames: ["a", "c", "b", "d"] })).rejects.toThrow(
    /was trained to tell a, b, c, d apart, but the classes of arrays are a, c, b, d; give images of the same/,
  );
  // Which read the same in a list.
  await expect(score({ ...data, classNames: ["a, b", "c", "d"] })).rejects.toThrow(/give images of the same/);
});
