/** A small finished run: two epochs of a network of one layer. */
import { network } from "../../../dist/nn/index.js";
import { describe, initialise } from "../../../dist/nn/index.js";
import { dorefa } from "../../../dist/quantization/index.js";
import { createReferenceExecutor } from "../../../dist/runtime/reference.js";
import { RunDirectory } from "../../../dist/run-folder/directory.js";
import { identityText, makeConfig } from "../../../dist/run-folder/run.js";

export const model = network("small", { input: [2, 2, 1], classes: 2 }, (net, x) =>
  net.linear("fc1", net.batchNorm("bn1", net.flatten(x)), { features: 2 }),
);
export const method = dorefa({ weightBits: 1, activationBits: 2 });
const identity = identityText(model, method);

const { parameters: specs, statistics } = describe(model, method);
const parameters = initialise(specs, 1);
const values = { parameters, statistics: initialise(statistics, 1), optimizer: { m: parameters } };
/** What a checkpoint of this run must be like. */
export const expected = { values, signs: { fc1: Uint8Array.of(5) } };

const none = { images: 0, loss: 0, top1: 0, top5: 0 };
const checkpoint = (epoch, step = 0) => ({
  ...expected,
  epoch,
  step,
  sums: step === 0 ? none : { images: 16, loss: 0.3, top1: 5, top5: 16 },
});

const options = { model: "lenet5", method: "dorefa", weightBits: 1, activationBits: 2, epochs: 3, seed: 1 };
const recipe = {
  model: { name: model.name, input: model.input, classes: model.classes },
  method: { name: method.name, options: method.options },
  optimizer: { name: "adam", options: { learningRate: 0.01 } },
  schedule: null,
  data: { name: "two", checksum: "abc", augmentation: { rotation: 10, cropPadding: 4 } },
  preparation: { mean: [0.5], std: [0.25], classNames: ["no", "yes"] },
  batchSize: 8,
  seed: 1,
  validation: 0,
};

const config = makeConfig({ recipe, epochs: 3, executor: createReferenceExecutor(), options });
/** What the run's files of weights say that they are of. */
export const owner = { identity, recipe: config.recipe };

export function open(path, resume) {
  return RunDirectory.open(path, { resume, overwrite: false, config, identity, expected, onWarning() {} });
}

function metrics(epoch) {
  const scores = { loss: 1 / epoch, top1: 100 - epoch, top5: 100 };
  const training = { learningRate: 0.1, trainLoss: 0.3, trainTop1: 80 };
  return { epoch, step: 10 * epoch, seconds: 1.5, ...training, split: "test", ...scores, test: scores };
}

function layerLine(epoch) {
  const histogram = { lowest: -1, highest: 1, counts: [3, 0, 5] };
  return { epoch, layer: "fc1", levels: 2, sparsity: 0, signFlips: 0.125, histogram };
}

function confusion(epoch) {
  return {
    epoch,
    split: "test",
    counts: [
      [7, epoch],
      [0, 8],
    ],
  };
}

/** Leaves the run's directory as an interrupted process does: two epochs, and two steps of the third. */
export async function write(path) {
  const run = open(path, false);
  await run.begin(checkpoint(0));
  await run.commit([metrics(1)], [layerLine(1)], confusion(1), checkpoint(1));
  await run.commit([1, 2].map(metrics), [layerLine(2)], confusion(2), checkpoint(2));
  await run.save(checkpoint(2, 2));
  run.close();
}

export const start = checkpoint(0);
