/** A training that is small enough for the reference executor and has all in it that is random. */
import { fromArrays } from "../data/arrays.js";
import { network } from "../nn/index.js";
import { adam, stepDecay } from "../optim/index.js";
import { dorefa } from "../quantization/index.js";
import type { TrainOptions } from "./train.js";

/** Images 6x6 with a bright quarter, which is the class, and noise from a formula. */
export function images(count: number, offset: number) {
  const labels = Uint8Array.from({ length: count }, (_, i) => (i * 7 + offset) % 4);
  const pixels = Uint8Array.from({ length: count * 36 }, (_, p) => {
    const label = labels[Math.floor(p / 36)];
    const [row, column] = [Math.floor((p % 36) / 6), p % 6];
    const bright = Math.floor(row / 3) === label >> 1 && Math.floor(column / 3) === (label & 1);
    return (bright ? 150 : 40) + 60 * ((Math.imul(p + offset, 2654435761) >>> 0) / 2 ** 32);
  });
  return { images: pixels, labels };
}

export const data = fromArrays({
  train: images(70, 0),
  test: images(30, 3),
  shape: [6, 6, 1],
  classes: 4,
  mean: [0.4],
  std: [0.3],
  augmentation: { rotation: 5, cropPadding: 1 },
});

export const tiny = network("tiny", { input: [6, 6, 1], classes: 4 }, (net, x) => {
  let y = net.nonlinearity(net.batchNorm("bn1", net.convolution("conv1", x, { channels: 4, kernel: 3 })));
  y = net.nonlinearity(net.batchNorm("bn2", net.convolution("conv2", y, { channels: 5, kernel: 3 })));
  return net.linear("fc1", net.dropout(net.flatten(y), 0.1), { features: 4 });
});

/** 5 steps an epoch, the last of 6 images. */
export const base: TrainOptions = {
  model: tiny,
  method: dorefa({ weightBits: 1, activationBits: 2, gradientBits: 6 }),
  data,
  optimizer: adam({ learningRate: 0.02 }),
  schedule: stepDecay({ every: 2 }),
  epochs: 3,
  batchSize: 16,
  seed: 5,
  executor: "reference",
};
