import { describe, expect, test } from "vitest";
import { UserError } from "../errors.js";
import { fromArrays } from "./arrays.js";
import { checkDataset } from "./check.js";
import type { Batches } from "./batches.js";
import { evaluationBatches, holdOut, trainingBatches } from "./batches.js";
import type { Dataset } from "./dataset.js";
import { dataRegistry, dataSetOf } from "./registry.js";
import type { Placement } from "./augment.js";
import type { ImageSource } from "./source.js";
import { allOf } from "./source.js";

const count = 23;
const shape = [4, 5, 2] as const;
const size = 40;

/** Image i has bytes i, i + 1, ...; its label is i. */
function sample(augmentation?: Dataset["augmentation"]): Dataset {
  const images = Uint8Array.from({ length: count * size }, (_, i) => Math.floor(i / size) + (i % size));
  const labels = Int32Array.from({ length: count }, (_, i) => i);
  const set = { images, labels };
  return fromArrays({
    train: set,
    test: set,
    shape,
    classes: count,
    mean: [0.5, 0.25],
    std: [0.25, 0.5],
    augmentation,
  });
}

function epoch(dataset: Dataset, batchSize: number, seed: number, number: number) {
  const batches = trainingBatches(dataset, { batchSize, seed });
  const steps = [...Array(batches.steps).keys()].map((step) => {
    const images = new Float32Array(batches.size(step) * size);
    const labels = new Int32Array(batches.size(step));
    void batches.prepare(number, step, images, labels);
    return { images, labels };
  });
  return {
    sizes: steps.map(({ labels }) => labels.length),
    labels: steps.flatMap(({ labels }) => Array.from(labels)),
    images: steps.flatMap(({ images }) => Array.from(images)),
  };
}

describe("an epoch", () => {
  test("holds every image once, the last batch being the rest", () => {
    const { sizes, labels } = epoch(sample(), 8, 1, 0);
    expect(sizes).toEqual([8, 8, 7]);
    expect(labels).not.toEqual([...Array(count).keys()]);
    expect(labels.sort((a, b) => a - b)).toEqual([...Array(count).keys()]);
  });

  test("drops what does not fill a batch, other images in each epoch", () => {
    const batches = trainingBatches(sample(), { batchSize: 8, seed: 1, lastBatch: "drop" });
    expect([batches.steps, batches.size(0), batches.size(1)]).toEqual([2, 8, 8]);
    const labelsOf = (number: number): number[] =>
      [0, 1].flatMap((step) => {
        const labels = new Int32Array(8);
        void batches.prepare(number, step, new Float32Array(8 * size), labels);
        return Array.from(labels);
      });
    expect(labelsOf(0)).toEqual(epoch(sample(), 8, 1, 0).labels.slice(0, 16));
    expect(labelsOf(1).sort()).not.toEqual(labelsOf(0).sort());
  });

  test("normalises each channel of the right image", () => {
    const { labels, images } = epoch(sample(), 8, 1, 0);
    const expected = labels.flatMap((label) =>
      [...Array(size).keys()].map((k) => {
        const value = (label + k) / 255;
        return Math.fround(k % 2 === 0 ? (value - 0.5) / 0.25 : (value - 0.25) / 0.5);
      }),
    );
    expect(images).toEqual(expected);
  });

  test("depends on seed and epoch, and on nothing else", () => {
    const data = sample({ rotation: 10, cropPadding: 1 });
    const first = epoch(data, 8, 1, 3);
    expect(epoch(data, 8, 1, 3)).toEqual(first);
    expect(epoch(data, 8, 1, 4).labels).not.toEqual(first.labels);
    expect(epoch(data, 8, 2, 3).labels).not.toEqual(first.labels);
    expect(epoch(data, 8, 1 + 2 ** 32, 3).labels).not.toEqual(first.labels);
    expect(epoch(data, 5, 1, 3).images).toEqual(first.images);
  });

  test("can be entered at any step", () => {
    const data = sample({ rotation: 10, cropPadding: 1 });
    const whole = epoch(data, 8, 1, 2);
    const images = new Float32Array(8 * size);
    const labels = new Int32Array(8);
    void trainingBatches(data, { batchSize: 8, seed: 1 }).prepare(2, 1, images, labels);
    expect(Array.from(labels)).toEqual(whole.labels.slice(8, 16));
    expect(Array.from(images)).toEqual(whole.images.slice(8 * size, 16 * size));
  });

  test("augments an image anew in each epoch, and fills with a normalised black", () => {
    const bright = fromArrays({
      train: { images: new Uint8Array(9 * 9 * 60).fill(255), labels: new Uint8Array(60) },
      test: { images: new Uint8Array(81), labels: new Uint8Array(1) },
      shape: [9, 9, 1],
      classes: 2,
      mean: [0.5],
      std: [0.5],
      augmentation: { cropPadding: 2 },
    });
    const drawn = (number: number) => {
      const images = new Float32Array(60 * 81);
      void trainingBatches(bright, { batchSize: 60, seed: 1 }).prepare(number, 0, images, new Int32Array(60));
      return Array.from(images);
    };
    expect([...new Set(drawn(0))].sort((a, b) => a - b)).toEqual([-1, 1]);
    expect(drawn(1)).not.toEqual(drawn(0));
  });
});

test("an image of three colours is cropped, reflected, flipped and normalised pixel by pixel", () => {
  const [side, mean, std] = [6, [0.5, 0.25, 0.125], [0.25, 0.5, 1]];
  const images = Uint8Array.from({ length: 108 }, (_, i) => (i * 37) % 256);
  const set = { images, labels: new Uint8Array(1) };
  const common = { train: set, test: set, shape: [side, side, 3], classes: 2, mean, std } as const;
  const out = new Float32Array(108);
  const seen = new Set<string>();
  /** All that an epoch may make of the image: 5 x 5 crops of it padded by 2, each with its mirror image. */
  const allowed = new Set<string>();
  const reflect = (v: number) => (v < 0 ? -v : v >= side ? 2 * (side - 1) - v : v);
  for (let top = -2; top <= 2; top++) {
    for (let left = -2; left <= 2; left++) {
      for (const flipped of [false, true]) {
        const values = Float32Array.from({ length: 108 }, (_, i) => {
          const [y, x, c] = [Math.floor(i / 18), Math.floor(i / 3) % side, i % 3];
          const column = reflect(left + (flipped ? side - 1 - x : x));
          return (images[18 * reflect(top + y) + 3 * column + c] / 255 - mean[c]) / std[c];
        });
        allowed.add(values.join());
      }
    }
  }
  const data = fromArrays({ ...common, augmentation: { cropPadding: 2, padding: "reflection", flip: true } });
  const batches = trainingBatches(data, { batchSize: 1, seed: 1 });
  for (let number = 0; number < 400; number++) {
    void batches.prepare(number, 0, out, new Int32Array(1));
    seen.add(out.join());
  }
  expect(allowed.size).toBe(50);
  expect([...seen].sort()).toEqual([...allowed].sort());
});

test("evaluation takes the images in order, without augmentation", () => {
  const data = sample({ rotation: 90, cropPadding: 4 });
  const batches = evaluationBatches(data.test, data, 10);
  const images = new Float32Array(10 * size);
  const labels = new Int32Array(10);
  void batches.prepare(0, 2, images, labels);
  expect([batches.steps, batches.size(2)]).toEqual([3, 3]);
  expect(Array.from(labels.subarray(0, 3))).toEqual([20, 21, 22]);
  expect(images[1]).toBe(Math.fround((21 / 255 - 0.25) / 0.5));
});

test("a source of one's own is asked for the images of a step, each with its placement", async () => {
  const asked: { indices: number[]; places: (readonly [number, number] | undefined)[] }[] = [];
  const labels = Uint8Array.from({ length: 5 }, (_, i) => i % 2);
  const source: ImageSource = {
    count: 5,
    labels,
    fill(indices, placements: readonly Placement[] | undefined, { images, mean, std }) {
      asked.push({
        indices: Array.from(indices),
        places: Array.from(
          indices,
          (_, i) => placements && ([placements[i].top, placements[i].left] as const),
        ),
      });
      return Promise.resolve().then(() =>
        indices.forEach((index, i) => (images[i] = (index - mean[0]) / std[0])),
      );
    },
  };
  const data: Dataset = {
    name: "own",
    classes: 2,
    shape: [1, 1, 1],
    mean: [1],
    std: [2],
    checksum: "own",
    train: source,
    test: source,
    augmentation: { cropPadding: 3 },
  };
  const batches = trainingBatches(data, { batchSize: 5, seed: 1 });
  const [images, given] = [new Float32Array(5), new Int32Array(5)];
  await batches.prepare(0, 0, images, given);
  const [{ indices, places }] = asked;
  expect([...indices].sort()).toEqual([0, 1, 2, 3, 4]);
  expect(Array.from(given)).toEqual(indices.map((index) => labels[index]));
  expect(Array.from(images)).toEqual(indices.map((index) => (index - 1) / 2));
  expect(new Set(places.map(String)).size).toBeGreaterThan(1);
  await evaluationBatches(source, data, 3).prepare(0, 1, images, given);
  expect(asked[1]).toEqual({ indices: [3, 4], places: [undefined, undefined] });
});

test("the failure of a file's source is reported with the file's name", async () => {
  const fail = (): never => {
    throw new TypeError("no luck");
  };
  const source = (fill: ImageSource["fill"]) => ({ count: 2, labels: Uint8Array.of(0, 1), fill });
  const train = source(fail);
  const test = source(() => Promise.resolve().then(fail));
  dataRegistry.register("./mine.mjs", { load: () => ({ ...sample(), name: "own", train, test }) }, "0");
  const data = await dataSetOf("./mine.mjs").load({ shape: [1, 1, 1] });
  const prepare = (batches: Batches) => batches.prepare(0, 0, new Float32Array(2), new Int32Array(2));
  expect(() => prepare(trainingBatches(data, { batchSize: 2, seed: 1 }))).toThrow(
    new UserError("fill() of data.train of ./mine.mjs fails: no luck"),
  );
  await expect(prepare(evaluationBatches(data.test, data, 2))).rejects.toThrow(
    new UserError("fill() of data.test of ./mine.mjs fails: no luck"),
  );
});

test("what is not a source is refused", () => {
  const source: ImageSource = { count: 2, labels: Uint8Array.of(0, 1), fill: () => {} };
  const data = { ...sample(), test: source };
  expect(() => checkDataset(data)).not.toThrow();
  const refuse = (change: object, message: RegExp) =>
    expect(() => checkDataset({ ...data, test: { ...source, ...change } })).toThrow(message);
  refuse({ fill: [] }, /^data\.test\.fill must be a function, got \[\]$/);
  refuse({ labels: [0, 1] }, /^data\.test\.labels must be a Uint8Array or an Int32Array, got /);
  refuse({ labels: Uint8Array.of(0) }, /^data\.test has 1 labels for 2 images; give one per image$/);
});

test("floats are taken as they are", () => {
  const images = Float32Array.of(0.5, -2, 3, 4);
  const labels = Uint8Array.of(1, 0);
  const data = fromArrays({
    train: { images, labels },
    test: { images, labels },
    shape: [1, 2, 1],
    classes: 2,
  });
  const out = new Float32Array(4);
  void evaluationBatches(data.test, data, 2).prepare(0, 0, out, new Int32Array(2));
  expect(out).toEqual(images);
});

test("holding out splits the training images in two parts that depend on the seed", () => {
  const data = sample();
  const split = holdOut(data, 6, 1);
  const labelsOf = (set: { labels: ArrayLike<number> }) => Array.from(set.labels);
  expect([split.train.count, split.validation.count]).toEqual([17, 6]);
  expect([...labelsOf(split.train), ...labelsOf(split.validation)].sort((a, b) => a - b)).toEqual([
    ...Array(count).keys(),
  ]);
  const firstPixels = (set: ImageSource) => {
    const images = new Float32Array(set.count * size);
    void set.fill(allOf(set.count), undefined, { images, mean: [0, 0], std: [1 / 255, 1 / 255] });
    return Array.from(
      images.filter((_, i) => i % size === 0),
      Math.round,
    );
  };
  expect(firstPixels(split.validation)).toEqual(labelsOf(split.validation));
  expect(firstPixels(split.train)).toEqual(labelsOf(split.train));
  expect(labelsOf(holdOut(data, 6, 1).validation)).toEqual(labelsOf(split.validation));
  expect(labelsOf(holdOut(data, 6, 2).validation)).not.toEqual(labelsOf(split.validation));
});

describe("own arrays are refused when", () => {
  const set = { images: new Uint8Array(2 * 6), labels: Uint8Array.of(0, 1) };
  const good = { train: set, test: set, shape: [2, 3, 1], classes: 2 } as const;
  test.each<[string, Partial<Parameters<typeof fromArrays>[0]>, RegExp]>([
    ["the shape has two extents", { shape: [2, 3] as unknown as [number, number, number] }, /^shape must be/],
    ["an extent is zero", { shape: [2, 0, 1] }, /^shape must be/],
    ["there is one class", { classes: 1 }, /^classes must be an integer from 2/],
    [
      "there are too few pixels",
      { train: { ...set, images: new Uint8Array(11) } },
      /^train\.images has 11 values.*need 12/,
    ],
    [
      "a label is too high",
      { test: { ...set, labels: Uint8Array.of(0, 2) } },
      /^test\.labels has 2 at position 1; labels are 0 to 1/,
    ],
    [
      "a label is negative",
      { test: { ...set, labels: Int32Array.of(-1, 0) } },
      /^test\.labels has -1 at position 0/,
    ],
    [
      "a value is not finite",
      { train: { ...set, images: new Float32Array(12).fill(NaN) } },
      /^train\.images has NaN/,
    ],
    [
      "images are a plain array",
      { train: { ...set, images: [1] as unknown as Uint8Array } },
      /^train\.images must be a Uint8Array/,
    ],
    [
      "labels are a plain array",
      { train: { ...set, labels: [1] as unknown as Uint8Array } },
      /^train\.labels must be a Uint8Array/,
    ],
    [
      "there is nothing",
      { test: { images: new Uint8Array(0), labels: new Uint8Array(0) } },
      /^test\.labels is empty/,
    ],
    ["mean has too many channels", { mean: [0, 0] }, /^mean must have one finite number per channel/],
    ["std is zero", { std: [0] }, /^std must be above 0/],
    ["rotation is negative", { augmentation: { rotation: -1 } }, /^augmentation\.rotation/],
    ["padding is broken", { augmentation: { cropPadding: 1.5 } }, /^augmentation\.cropPadding/],
    [
      "padding is of another kind",
      { augmentation: { padding: "edge" as "zeros" } },
      /^augmentation\.padding must be one of zeros, reflection, got "edge"/,
    ],
    [
      "flipping is no yes or no",
      { augmentation: { flip: 1 as unknown as boolean } },
      /^augmentation\.flip must be true or false, got 1/,
    ],
  ])("%s", (_name, change, message) => {
    const make = () => fromArrays({ ...good, ...change });
    expect(make).toThrow(UserError);
    expect(make).toThrow(message);
  });
});
