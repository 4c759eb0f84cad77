import { describe, expect, test } from "vitest";
import { fromArrays } from "../data/arrays.js";
import type { Batches } from "../data/batches.js";
import { evaluationBatches } from "../data/batches.js";
import { sourceOf } from "../data/source.js";
import type { ImageBatch } from "./feed.js";
import { feed } from "./feed.js";

/** What a step gets of the images of a batch. */
function floatsOf(images: ImageBatch["images"]): number[] {
  if ("data" in images) return Array.from(images.data);
  const values: number[] = [];
  for (const part of images.parts()) for (const value of part) values.push(value);
  return values;
}

/** Five images, [1, 2, 1] each, in steps of two; notes what happens in which order. */
function setUp() {
  const log: string[] = [];
  const batches: Batches = {
    steps: 3,
    size: (step) => (step < 2 ? 2 : 1),
    prepare: (epoch, step, images, labels) => {
      log.push(`prepare ${epoch}.${step}`);
      images.fill(10 * step);
      labels.fill(step);
      return step < 2 ? 2 : 1;
    },
  };
  return { log, batches };
}

test("a batch is prepared while the one before it is in use, and each has its shape and its values", async () => {
  const { log, batches } = setUp();
  const complete = await feed(batches, [1, 2, 1], 7, 0, async ({ images, labels }, step) => {
    log.push(
      `use ${step}: ${floatsOf(images).join()} ${labels.data.join()} of ${images.shape.join("x")} ${labels.shape.join()}`,
    );
    await Promise.resolve();
    log.push(`end ${step}`);
    return true;
  });
  expect(complete).toBe(true);
  expect(log).toEqual([
    "prepare 7.0",
    "use 0: 0,0,0,0 0,0 of 2x1x2x1 2",
    "prepare 7.1",
    "end 0",
    "use 1: 10,10,10,10 1,1 of 2x1x2x1 2",
    "prepare 7.2",
    "end 1",
    "use 2: 20,20 2 of 1x1x2x1 1",
    "end 2",
  ]);
});

test("it begins and ends where it is asked to", async () => {
  const { log, batches } = setUp();
  const used: number[] = [];
  const use = (_: unknown, step: number) => {
    used.push(step);
    return Promise.resolve(step < 1);
  };
  expect(await feed(batches, [1, 2, 1], 0, 1, use)).toBe(false);
  expect(used).toEqual([1]);
  log.length = 0;
  expect(await feed(batches, [1, 2, 1], 0, 3, use)).toBe(true);
  expect([used, log]).toEqual([[1], []]);
});

test("a batch may have fewer images than were asked for, or none", async () => {
  const { batches } = setUp();
  const prepare: Batches["prepare"] = (epoch, step, images, labels) => {
    void batches.prepare(epoch, step, images, labels);
    return Math.min(step, 1);
  };
  const used: number[][] = [];
  const complete = await feed({ ...batches, prepare }, [1, 2, 1], 0, 0, ({ images, labels }, step) => {
    used.push([step, floatsOf(images).length, labels.data.length, images.shape[0]]);
    return Promise.resolve(true);
  });
  expect([complete, used]).toEqual([
    true,
    [
      [0, 0, 0, 0],
      [1, 2, 1, 1],
      [2, 2, 1, 1],
    ],
  ]);
});

test("a batch stays as it is until its callback ends, while the next is prepared", async () => {
  const { batches } = setUp();
  await feed(batches, [1, 2, 1], 0, 0, async ({ images, labels }, step) => {
    const before = [Array.from(floatsOf(images)), Array.from(labels.data)];
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect([Array.from(floatsOf(images)), Array.from(labels.data)]).toEqual(before);
    expect(labels.data[0]).toBe(step);
    return true;
  });
});

describe("batches that take their time", () => {
  /** Prepares each step in a turn of its own; `fails` does not. */
  function slow(fails?: number) {
    const { log, batches } = setUp();
    const prepare: Batches["prepare"] = async (epoch, step, images, labels) => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (step === fails) throw new Error(`step ${step} cannot be prepared`);
      return batches.prepare(epoch, step, images, labels);
    };
    return { log, batches: { ...batches, prepare } };
  }

  test("are used when they are ready", async () => {
    const { log, batches } = slow();
    const complete = await feed(batches, [1, 2, 1], 0, 0, async ({ labels }, step) => {
      log.push(`use ${step}: ${labels.data.join()}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      return true;
    });
    expect(complete).toBe(true);
    expect(log).toEqual([
      "prepare 0.0",
      "use 0: 0,0",
      "prepare 0.1",
      "use 1: 1,1",
      "prepare 0.2",
      "use 2: 2",
    ]);
  });

  test("end it with their error, when the step before has ended", async () => {
    const { batches } = slow(1);
    const ended: number[] = [];
    const running = feed(batches, [1, 2, 1], 0, 0, async (_, step) => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      ended.push(step);
      return true;
    });
    await expect(running).rejects.toThrow("step 1 cannot be prepared");
    expect(ended).toEqual([0]);
  });

  test("are not being prepared any more when it ends early, with an error or without", async () => {
    for (const use of [() => Promise.resolve(false), () => Promise.reject(new Error("the step"))]) {
      const { log, batches } = slow();
      await feed(batches, [1, 2, 1], 0, 0, use).catch(() => {});
      expect(log).toEqual(["prepare 0.0", "prepare 0.1"]);
    }
  });
});

test("bytes become the values that floats would be, in parts that hold less than a batch", async () => {
  const shape = [128, 160, 3] as const; // more than a part, which does not divide it
  const size = shape[0] * shape[1] * shape[2];
  const pixels = Uint8Array.from({ length: 2 * size }, (_, i) => Math.imul(i, 2654435761) >>> 24);
  const set = { images: pixels, labels: Uint8Array.of(0, 1) };
  const mean = [0.485, 0.456, 0.406];
  const data = fromArrays({ train: set, test: set, shape, classes: 2, mean, std: [0.229, 0.224, 0.225] });
  const fillBytes = (indices: Uint32Array, _: unknown, images: Uint8Array): void =>
    indices.forEach((index, i) => images.set(pixels.subarray(index * size, (index + 1) * size), i * size));
  const ofBytes = { ...sourceOf({ count: 2, ...set }, shape), fillBytes };
  const seen: { readonly values: number[]; readonly isWhole: boolean }[] = [];
  for (const test of [{ count: 2, ...set }, ofBytes]) {
    const batches = evaluationBatches(test, data, 2);
    await feed(batches, shape, 0, 0, ({ images }) => {
      seen.push({ values: floatsOf(images), isWhole: "data" in images });
      return Promise.resolve(true);
    });
  }
  expect(seen.map(({ isWhole }) => isWhole)).toEqual([true, false]);
  expect(seen[1].values.every((value, i) => Object.is(value, seen[0].values[i]))).toBe(true);
  expect(seen[1].values).toHaveLength(2 * size);
});
