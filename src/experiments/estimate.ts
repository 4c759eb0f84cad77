/** Estimates how long an epoch takes from a few steps on noise, before any run of a study has finished one. */
import { DivergenceError } from "../errors.js";
import { dataSetOf, datasets } from "../data/index.js";
import { resolveData, resolveNetwork } from "../training/config.js";
import { train } from "../training/index.js";
import { settingsOf } from "../training/config.js";
import { evaluationShare } from "../training/progress.js";
import type { PlannedRun } from "./study.js";

const steps = 6;

/** Images to train on and to score, where that is known without downloading or decoding anything. */
async function imageCounts({ options }: PlannedRun): Promise<readonly [number, number] | undefined> {
  const { counts, files } = dataSetOf(options.data);
  if (counts !== undefined || files !== "shipped") return counts;
  const { train, test } = await resolveData(options, resolveNetwork(options).model);
  return [train.count, test.count];
}

/** Seconds of an epoch of a run with its evaluation; undefined where the number of images is not known. */
export async function measureEpoch(run: PlannedRun, threads: number): Promise<number | undefined> {
  const { options } = run;
  const counts = await imageCounts(run);
  if (counts === undefined) return undefined;
  const { model, method } = resolveNetwork(options);
  const { batchSize } = options;
  const noise = (count: number) => ({
    images: Uint8Array.from(
      { length: count * model.input.reduce((a, b) => a * b) },
      (_, i) => (i * 97) % 256,
    ),
    labels: Uint8Array.from({ length: count }, (_, i) => i % model.classes),
  });
  const { input: shape, classes } = model;
  const data = datasets.fromArrays({ shape, classes, train: noise(steps * batchSize), test: noise(1) });
  const ends: number[] = [];
  try {
    await train({
      ...settingsOf(options),
      model,
      method,
      data,
      threads,
      epochs: 1,
      validation: 0,
      log: undefined,
      checkpointEvery: undefined,
      onProgress: ({ phase }) => phase === "train" && ends.push(performance.now()),
    });
  } catch (error) {
    // The learning rate is not meant for noise.
    if (!(error instanceof DivergenceError)) throw error;
    if (ends.length < 2) return undefined;
  }
  const between = ends.slice(1).map((end, i) => end - ends[i]);
  const step = between.sort((a, b) => a - b)[between.length >> 1] / 1000;
  const [trained, scored] = counts.map((count) => Math.ceil(count / batchSize));
  return step * (trained + evaluationShare * scored);
}
