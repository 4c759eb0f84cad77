/** A training that is small enough for the reference executor and has all in it that is random. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromArrays } from "../data/arrays.js";
import { images as imagesOf } from "../data/images.js";
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

/** 5 steps per epoch, the last of 6 images. */
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

/** Writes image files of four classes, each with a bright quarter of its own. */
export function writePictures(folder: string): void {
  for (const [set, count] of [
    ["train", 12],
    ["test", 3],
  ] as const) {
    for (const [k, name] of ["a", "b", "c", "d"].entries()) {
      mkdirSync(join(folder, set, name), { recursive: true });
      for (let i = 0; i < count; i++) {
        const pixels = Uint8Array.from({ length: 144 }, (_, p) => {
          const isBright = Math.floor(p / 72) === k >> 1 && Math.floor((p % 12) / 6) === (k & 1);
          return (isBright ? 160 : 30) + ((p * 37 + i * 11) % 60);
        });
        writeFileSync(
          join(folder, set, name, `${i}.pgm`),
          Buffer.concat([Buffer.from("P5 12 12 255\n"), pixels]),
        );
      }
    }
  }
}

/** A training on such files, which are decoded when a batch needs them: 48 steps per epoch. */
export const streamed = async (folder: string): Promise<TrainOptions> => ({
  ...base,
  data: await imagesOf({ directory: folder, shape: [6, 6, 1], memory: 0 }),
  batchSize: 1,
  epochs: 6,
});
