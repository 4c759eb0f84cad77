/** Trainings whose rate changes from step to step. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { cosine, warmup } from "../optim/index.js";
import { fileNames } from "../run-folder/index.js";
import type { TrainOptions } from "./train.js";
import { train } from "./train.js";
import { base } from "./tiny.test.fixture.js";

const folder = mkdtempSync(join(tmpdir(), "fewbit-schedules-"));
afterAll(() => rmSync(folder, { recursive: true }));

const schedule = warmup({ epochs: 1.4, schedule: cosine({ epochs: 3, from: 1.4 }) });
const options = { ...base, schedule };

/** Trains until a step of the second epoch has ended, then goes on. */
async function broken(directory: string, accumulate: number): Promise<void> {
  const stop = new AbortController();
  const onProgress: TrainOptions["onProgress"] = ({ phase, epoch, step }) => {
    if (phase === "train" && epoch === 2 && step === 2) stop.abort();
  };
  const first = await train({ ...options, accumulate, directory, signal: stop.signal, onProgress });
  expect(first).toMatchObject({ interrupted: true, last: { epoch: 1 } });
  await train({ ...options, accumulate, directory, resume: true });
}

test.each([1, 2])(
  "a run broken in an epoch has the bits of an unbroken one, accumulate %i",
  async (accumulate) => {
    const [whole, halves] = ["whole", "halves"].map((name) => join(folder, `${name}-${accumulate}`));
    await train({ ...options, accumulate, directory: whole });
    await broken(halves, accumulate);
    const [a, b] = [whole, halves].map((path) => readFileSync(join(path, fileNames.checkpoint)));
    expect(a.equals(b)).toBe(true);
  },
);

test("progress has the rate of the step, and the line of an epoch that of its last step", async () => {
  const told: number[] = [];
  const { metrics } = await train({
    ...options,
    onProgress: ({ phase, learningRate }) => void (phase === "train" && told.push(learningRate)),
  });
  const rates = Array.from({ length: 15 }, (_, i) => schedule.rate(0.02, Math.floor(i / 5), i % 5, 5));
  expect(told).toEqual(rates);
  expect(rates[0]).toBeCloseTo(0.02 / 7, 12);
  expect(metrics.map(({ learningRate }) => learningRate)).toEqual([rates[4], rates[9], rates[14]]);
});

test("another length of a cosine is another run", async () => {
  const directory = join(folder, "length");
  const short = { ...options, epochs: 1, schedule: cosine({ epochs: 1 }), directory };
  await train(short);
  await expect(train({ ...short, epochs: 2, schedule: cosine({ epochs: 2 }), resume: true })).rejects.toThrow(
    /was started with schedule .*"epochs":1.*, not .*"epochs":2.*; resume it with the same/,
  );
});
