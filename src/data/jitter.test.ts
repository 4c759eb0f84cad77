/** Colour jitter beside torchvision's (tools/golden/jitter.py), and what random words stand for. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { trainingBatches } from "./batches.js";
import { fromArrays } from "./arrays.js";
import type { ColorJitter } from "./jitter.js";
import { applyJitter, jitterOf } from "./jitter.js";

interface Golden {
  readonly height: number;
  readonly width: number;
  readonly cases: readonly (ColorJitter & { readonly channels: 1 | 3; readonly values: readonly number[] })[];
}

const golden = JSON.parse(
  readFileSync(new URL("../../tools/golden/data/jitter.json", import.meta.url), "utf8"),
) as Golden;

/** By the formula of the script. */
const pixelsOf = (height: number, width: number, channels: number): Uint8Array =>
  Uint8Array.from({ length: height * width * channels }, (_, i) => {
    const [y, x, c] = [Math.floor(i / channels / width), Math.floor(i / channels) % width, i % channels];
    return (y * 37 + x * 101 + c * 59 + y * x * 13) % 256;
  });

test.each(golden.cases)(
  "$channels channels, $order by $brightness, $contrast and $saturation: the bytes of torchvision",
  ({ channels, values, ...jitter }) => {
    const pixels = pixelsOf(golden.height, golden.width, channels);
    applyJitter(pixels, channels, jitter);
    expect(Array.from(pixels)).toEqual(values);
  },
);

test("words stand for factors around 1 and each of the six orders", () => {
  const drawn = (...parts: readonly number[]) =>
    jitterOf(
      0.4,
      Uint32Array.from(parts, (part) => Math.min(2 ** 32 - 1, part * 2 ** 32)),
    );
  const { brightness, contrast, saturation } = drawn(0, 0.5, 1, 0);
  expect([brightness, contrast]).toEqual([0.6, 1]);
  expect(saturation).toBeCloseTo(1.4, 8);
  const orders = [0, 1, 2, 3, 4, 5].map((i) => drawn(0, 0, 0, (i + 0.5) / 6).order.join());
  expect(new Set(orders).size).toBe(6);
});

test("a batch shows the crop that it shows without jitter, changed by factors of the seed, the epoch and the image", async () => {
  const shape = [6, 5, 3] as const;
  const pixels = pixelsOf(8 * 6, 5, 3);
  const set = { images: pixels, labels: Uint8Array.from({ length: 8 }, (_, i) => i) };
  const augmentation = { cropPadding: 1, flip: true };
  const normalised = { mean: [0.5, 0.4, 0.3], std: [0.2, 0.25, 0.3] };
  /** The bytes of each image by its label. */
  const shown = async (colorJitter: number | undefined, seed: number, batchSize: number) => {
    const options = { train: set, test: set, shape, classes: 8, ...normalised };
    const data = fromArrays({ ...options, augmentation: { ...augmentation, colorJitter } });
    const batches = trainingBatches(data, { batchSize, seed });
    const images: Uint8Array[] = [];
    for (let step = 0; step < batches.steps; step++) {
      const [out, labels] = [new Float32Array(batchSize * 90), new Int32Array(batchSize)];
      await batches.prepare(0, step, out, labels);
      labels.forEach((label, i) => {
        images[label] = Uint8Array.from(out.subarray(90 * i, 90 * (i + 1)), (value, v) =>
          Math.round(255 * (value * normalised.std[v % 3] + normalised.mean[v % 3])),
        );
      });
    }
    return images;
  };
  const [plain, jittered] = [await shown(undefined, 1, 8), await shown(0.5, 1, 8)];
  expect(await shown(0.5, 1, 2)).toEqual(jittered);
  expect(await shown(0.5, 2, 8)).not.toEqual(jittered);
  // All are changed, each in its own way, and by no more than a factor of 1.5 of brightness and of contrast would.
  plain.forEach((image, i) => expect(jittered[i]).not.toEqual(image));
  const brightest = jittered.map((image) => Math.max(...image));
  expect(new Set(brightest).size).toBeGreaterThan(1);
});
