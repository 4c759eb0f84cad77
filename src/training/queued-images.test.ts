/** A step beside images that wait for the decoder: the native executor has a thread of its own, not one of Node's. */
import sharp from "sharp";
import { expect, test } from "vitest";
import { createState } from "../compiler/state.js";
import { lenet5 } from "../models/lenet5.js";
import { describe, initialise } from "../nn/index.js";
import { adam, initialOf, scalarsOf } from "../optim/index.js";
import { baseline } from "../quantization/index.js";
import { createNativeExecutor, nativeProblem } from "../runtime/native.js";
import type { TrainingTensors } from "./step.js";
import { compileStep } from "./step.js";

test.skipIf(nativeProblem() !== undefined)(
  "a LeNet-5 step ends while most of 1,000 queued images wait to be decoded",
  async () => {
    const method = baseline();
    const optimizer = adam({ learningRate: 0.001 });
    const executor = createNativeExecutor({ threads: 1 });
    const specs = describe(lenet5, method);
    const parameters = initialise(specs.parameters, 1);
    const values = {
      parameters,
      statistics: initialise(specs.statistics, 1),
      optimizer: initialOf(optimizer, parameters),
    };
    const state = createState<TrainingTensors>(values, { executor });
    const step = compileStep(lenet5, method, optimizer, executor);
    const batch = {
      images: { data: new Float32Array(16 * 28 * 28).fill(0.5), shape: [16, 28, 28, 1] },
      labels: { data: new Int32Array(16), shape: [16] },
      random: { data: Int32Array.of(1, 1), shape: [2] },
      scalars: scalarsOf(optimizer, 1, optimizer.learningRate),
    };
    const { state: next } = await step(state, batch); // compiles it

    const noise = Uint8Array.from({ length: 3 * 256 ** 2 }, (_, i) => Math.imul(i, 2654435761) >>> 24);
    const raw = { width: 256, height: 256, channels: 3 } as const;
    const file = await sharp(noise, { raw }).jpeg().toBuffer();
    let decoded = 0;
    const images = Array.from({ length: 1000 }, async () => {
      await sharp(file).raw().toBuffer();
      decoded++;
    });
    await step(next, batch);
    expect(decoded).toBeLessThan(500);
    await Promise.all(images);
    expect(decoded).toBe(1000);
  },
);
