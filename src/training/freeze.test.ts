/** Layers and norms that a training leaves as they are. */
import { expect, test } from "vitest";
import { adam, sgd } from "../optim/index.js";
import { dorefa, qnn } from "../quantization/index.js";
import type { Weights } from "../run-folder/index.js";
import { base } from "./tiny.test.fixture.js";
import type { TrainOptions } from "./train.js";
import { train } from "./train.js";

/** The weights before the first step and after two epochs. */
async function ends(options: Partial<TrainOptions>): Promise<readonly [begin: Weights, end: Weights]> {
  const all = { ...base, epochs: 2, ...options };
  const begin = await train({ ...all, signal: AbortSignal.abort() });
  return [begin.lastWeights, (await train(all)).lastWeights];
}

test.each<[string, Partial<TrainOptions>]>([
  ["Adam", { optimizer: adam({ learningRate: 0.02, weightDecay: 0.01 }) }],
  ["momentum and weight decay", { optimizer: sgd({ learningRate: 0.02, momentum: 0.9, weightDecay: 0.01 }) }],
  ["small batches", { accumulate: 4 }],
  [
    "a method that constrains and scales",
    { method: qnn({ weightBits: 1, activationBits: 1, preset: "redbit" }) },
  ],
])("what is frozen keeps its bits, and all else is trained, with %s", async (_, options) => {
  const [begin, end] = await ends({ ...options, freeze: ["conv1", "bn2"] });
  const frozen = ["conv1.weight", "bn2.scale", "bn2.shift", "bn2.mean", "bn2.variance"];
  for (const kind of ["parameters", "statistics"] as const) {
    for (const name of Object.keys(begin[kind])) {
      const isSame = Buffer.compare(
        Buffer.from(begin[kind][name].data.buffer),
        Buffer.from(end[kind][name].data.buffer),
      );
      expect([name, isSame === 0]).toEqual([name, frozen.includes(name)]);
    }
  }
});

test("a frozen layer's gradient does not enter what the optimizer makes of the others", async () => {
  const usual = sgd({ learningRate: 0.01 });
  const seen = new Set<string>();
  const watching = {
    ...usual,
    update: (...given: Parameters<typeof usual.update>) => {
      for (const name of Object.keys(given[1])) seen.add(name);
      return usual.update(...given);
    },
  };
  const method = dorefa({ weightBits: 2, activationBits: 2 });
  await train({ ...base, method, optimizer: watching, epochs: 1, freeze: ["conv*", "bn*"] });
  expect([...seen]).toEqual(["fc1.weight"]);
});

test("patterns without a layer, and those that leave nothing to train, are refused", async () => {
  await expect(train({ ...base, freeze: ["conv9"] })).rejects.toThrow(
    'freeze has "conv9", which is no layer or norm of tiny; they have conv1, bn1, conv2, bn2, fc1',
  );
  await expect(train({ ...base, freeze: ["*"] })).rejects.toThrow(
    'freeze ["*"] leaves nothing to train in tiny',
  );
  await expect(train({ ...base, freeze: [] })).rejects.toThrow(/freeze must be a list of one or more names/);
});
