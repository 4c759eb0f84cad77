/** Trainings on an executor that wants several steps started before the numbers of the first are taken, as a GPU does. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import type { Executor } from "../runtime/executor.js";
import type * as reference from "../runtime/reference.js";
import type { TrainOptions } from "./train.js";

const parent = mkdtempSync(join(tmpdir(), "fewbit-under-way-"));
afterAll(() => rmSync(parent, { recursive: true }));

/** Trains on a reference executor whose target wants so many steps; tells how many runs were under way at most. */
async function trainWith(
  stepsUnderWay: number,
  change: () => Partial<TrainOptions> | Promise<Partial<TrainOptions>> = () => ({}),
) {
  const runs = { now: 0, most: 0 };
  vi.resetModules();
  vi.doMock("../runtime/reference.js", async (original) => {
    const { createReferenceExecutor } = await original<typeof reference>();
    return {
      createReferenceExecutor(): Executor {
        const executor = createReferenceExecutor();
        return {
          ...executor,
          target: { ...executor.target, stepsUnderWay },
          load(program) {
            const loaded = executor.load(program);
            return {
              program,
              async run(...memory) {
                runs.most = Math.max(runs.most, ++runs.now);
                await loaded.run(...memory).finally(() => runs.now--);
              },
            };
          },
        };
      },
    };
  });
  const { train } = await import("./train.js");
  const { base } = await import("./tiny.test.fixture.js");
  const ended = train({ ...base, ...(await change()) }).then(
    ({ metrics, lastWeights, interrupted }) => ({
      metrics: metrics.map((line) => ({ ...line, seconds: 0 })),
      lastWeights,
      interrupted,
    }),
    (error: unknown) => String(error),
  );
  return { ended: await ended, most: runs.most };
}

test("the numbers and weights are those of one step at a time", async () => {
  const [one, three] = [await trainWith(1), await trainWith(3)];
  expect([one.most, three.most]).toEqual([1, 3]);
  expect(three.ended).toEqual(one.ended);
});

test("divergence is reported by the step in which it happened", async () => {
  // Made of the modules that `trainWith` has loaded anew.
  const wild = async () => {
    const [{ sgd }, { baseline }] = [
      await import("../optim/index.js"),
      await import("../quantization/index.js"),
    ];
    return { method: baseline(), schedule: undefined, optimizer: sgd({ learningRate: 1e30 }) };
  };
  const { ended } = await trainWith(1, wild);
  expect(ended).toMatch(/DivergenceError: the loss became .* in epoch 1, step \d+:/);
  expect((await trainWith(4, wild)).ended).toBe(ended);
});

test("an interrupted run has the numbers of all steps that have begun, and goes on bit for bit", async () => {
  const whole = join(parent, "whole");
  const resumed = join(parent, "resumed");
  await trainWith(3, () => ({ directory: whole }));
  const stop = new AbortController();
  const { ended } = await trainWith(3, () => ({
    directory: resumed,
    signal: stop.signal,
    onProgress: ({ epoch, step }) => {
      if (epoch === 2 && step === 2) stop.abort();
    },
  }));
  expect(ended).toMatchObject({ interrupted: true });
  await trainWith(3, () => ({ directory: resumed, resume: true }));
  for (const name of ["checkpoint.safetensors", "best.safetensors", "layers.jsonl", "confusion.jsonl"]) {
    expect(readFileSync(join(resumed, name)).equals(readFileSync(join(whole, name))), name).toBe(true);
  }
});
