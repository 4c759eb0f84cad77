/** Trainings whose gradients are clipped by their norm. */
import { expect, test } from "vitest";
import { network } from "../nn/index.js";
import { sgd } from "../optim/index.js";
import { baseline, ttq } from "../quantization/index.js";
import type { Weights } from "../run-folder/index.js";
import { chooseExecutor } from "../runtime/choose.js";
import { plannerOf } from "./plan.js";
import { base } from "./tiny.test.fixture.js";
import { train } from "./train.js";

const plain = network("plain", { input: [6, 6, 1], classes: 4 }, (net, x) =>
  net.linear("fc2", net.nonlinearity(net.linear("fc1", net.flatten(x), { features: 8 })), { features: 4 }),
);
const rate = 0.5;
/** One step of one batch. */
const options = {
  ...base,
  model: plain,
  method: baseline(),
  optimizer: sgd({ learningRate: rate, momentum: 0 }),
  schedule: undefined,
  epochs: 1,
  batchSize: 64,
  lastBatch: "drop",
} as const;

/** How far apart two networks' weights are. */
function distance(a: Weights, b: Weights): number {
  let sum = 0;
  for (const [name, { data }] of Object.entries(a.parameters)) {
    data.forEach((value, i) => (sum += (value - b.parameters[name].data[i]) ** 2));
  }
  return Math.sqrt(sum);
}

test.each([1, 4])("a step is as long as the norm allows, accumulate %i", async (accumulate) => {
  const [still, short, long, free] = await Promise.all(
    [1e-12, 0.01, 1e6, undefined].map((clipNorm) => train({ ...options, accumulate, clipNorm })),
  );
  const lengths = [short, long].map(({ lastWeights }) => distance(lastWeights, still.lastWeights));
  expect(lengths[0]).toBeCloseTo(rate * 0.01, 5);
  expect(lengths[1]).toBeGreaterThan(2 * rate * 0.01);
  // Gradients within the norm stay as they are, to the bit.
  expect(long.lastWeights).toEqual(free.lastWeights);
});

test("a method's own numbers are clipped, too, and the recipe has the norm", async () => {
  const { config, last } = await train({ ...base, method: ttq(), epochs: 1, clipNorm: 0.1 });
  expect(config.clipNorm).toBe(0.1);
  expect(last.trainLoss).toBeGreaterThan(0);
  expect((await train(options)).config.clipNorm).toBeUndefined();
});

test("a plan counts the memory of gradients that are there at once", () => {
  const wide = network("wide", { input: [6, 6, 1], classes: 4 }, (net, x) => {
    let y = net.flatten(x);
    for (const name of ["fc1", "fc2", "fc3"]) {
      y = net.nonlinearity(net.linear(name, y, { features: 256 }));
    }
    return net.linear("fc4", y, { features: 4 });
  });
  const { executor } = chooseExecutor({ executor: "reference" });
  const known = { model: wide, method: baseline(), optimizer: options.optimizer, executor };
  const bytes = [undefined, 1].map((clipNorm) => plannerOf({ ...known, clipNorm })(2, 1).bytes);
  expect(bytes[1] - bytes[0]).toBeGreaterThan(256 * 256 * 4);
});
