// A method of one's own: binary weights scaled by their mean, with a gradient cut off beyond 1.
import { abs, coded, datasets, le, mean, models, optim, quantizer, sign, train, where } from "fewbit";

const binaryWeights = quantizer({
  forward: (w) => coded(sign(w), mean(abs(w))),
  backward: (g, w) => where(le(abs(w), 1), g, 0),
});

/** @type {import("fewbit").Method} */
const method = {
  name: "binary",
  options: {},
  weightBits: 1,
  activationBits: 32,
  fullPrecision: (layer) => layer.index === 0 || layer.index === layer.count - 1,
  weights: (w) => binaryWeights(w),
  activations: (x) => x,
};

const run = await train({
  model: models.lenet5,
  method,
  data: await datasets.digits(),
  optimizer: optim.adam({ learningRate: 0.003 }),
  epochs: Number(process.env.EPOCHS ?? 5),
});
console.log(`${run.best.top1}% of the test images right`);
