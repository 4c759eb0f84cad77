// Train a LeNet-5 of 1-bit weights and 2-bit activations on the shipped digits.
import { datasets, models, optim, quant, train } from "fewbit";

const run = await train({
  model: models.lenet5,
  method: quant.dorefa({ weightBits: 1, activationBits: 2 }),
  data: await datasets.digits(),
  optimizer: optim.adam({ learningRate: 0.01 }),
  schedule: optim.stepDecay({ every: 3, factor: 0.3 }),
  epochs: Number(process.env.EPOCHS ?? 8),
});
console.log(`${run.best.top1}% of the test images right`);
