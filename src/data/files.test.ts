/** Folders whose images are not kept in memory: the same bits as those that are, file by file. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UserError } from "../errors.js";
import { trainingBatches } from "./batches.js";
import type { Dataset } from "./dataset.js";
import type { ImagesOptions } from "./images.js";
import { images } from "./images.js";
import type { ImageSource } from "./source.js";
import { allOf, sourceOf } from "./source.js";

const folder = mkdtempSync(join(tmpdir(), "fewbit-files-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function write(path: string, height: number, width: number, seed: number): Promise<void> {
  const pixels = Buffer.from(
    Array.from({ length: height * width * 3 }, (_, i) => ((i + seed) ** 2 * 2_654_435_761) % 251),
  );
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  await sharp(pixels, { raw: { height, width, channels: 3 } }).toFile(join(folder, path));
}

/** Larger and smaller pictures than the network's, of two formats, more than are decoded at a time. */
beforeAll(async () => {
  for (const [set, count] of [
    ["train", 23],
    ["test", 4],
  ] as const) {
    for (const name of ["cat", "dog"]) {
      for (let i = 0; i < count; i++) {
        const [height, width] = i % 2 === 0 ? [31, 20 + i] : [5, 6];
        await write(
          `${set}/${name}/${i}.${i % 3 === 0 ? "jpg" : "png"}`,
          height,
          width,
          i + name.charCodeAt(0),
        );
      }
    }
  }
});

const shape = [8, 8, 3] as const;
const load = (options: Partial<ImagesOptions> = {}) => images({ directory: folder, shape, ...options });
const streamed = () => load({ memory: 0 });

const isInMemory = (set: Dataset["train"]): boolean => "images" in set;

/** All images of a set as its source writes them. */
async function valuesOf(set: Dataset["train"]): Promise<number[]> {
  const out = new Float32Array(set.count * 192);
  const normalised = { images: out, mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4] };
  await sourceOf(set, shape).fill(allOf(set.count), undefined, normalised);
  return Array.from(out);
}

test("they are the same data set, with the same checksum, as in memory", async () => {
  const [kept, read] = [await load(), await streamed()];
  expect([isInMemory(kept.train), isInMemory(read.train), isInMemory(read.test)]).toEqual([
    true,
    false,
    false,
  ]);
  const { train: keptTrain, test: keptTest, ...one } = kept;
  const { train, test: held, ...other } = read;
  expect(other).toEqual(one);
  for (const [a, b] of [
    [train, keptTrain],
    [held, keptTest],
  ]) {
    expect([a.count, Array.from(a.labels)]).toEqual([b.count, Array.from(b.labels)]);
    expect(await valuesOf(a)).toEqual(await valuesOf(b));
  }
});

test("images stay in memory while they take as much as they may, one byte per value", async () => {
  const bytes = 2 * 27 * 192;
  expect(isInMemory((await load({ memory: bytes })).train)).toBe(true);
  expect(isInMemory((await load({ memory: bytes - 1 })).train)).toBe(false);
  await expect(load({ memory: -1 })).rejects.toThrow(/^memory must be a number of bytes, 0 or more, got -1/);
});

test("an epoch's batches are the same, augmented and held out too", async () => {
  const epochOf = async (data: Dataset) => {
    const augmented = { ...data, augmentation: { rotation: 20, cropPadding: 2, flip: true } };
    const batches = trainingBatches(augmented, { batchSize: 16, seed: 3 });
    const [out, labels] = [new Float32Array(16 * 192), new Int32Array(16)];
    const all: number[][] = [];
    for (let step = 0; step < batches.steps; step++) {
      await batches.prepare(2, step, out, labels);
      all.push([...labels, ...out]);
    }
    return all;
  };
  expect(await epochOf(await streamed())).toEqual(await epochOf(await load()));
});

test("a trained network's preparation holds for them", async () => {
  const preparation = { mean: [0.1, 0.2, 0.3], std: [0.5, 0.5, 0.5], classNames: ["cat", "dog"] };
  const { test: held, train, mean } = await load({ preparation, memory: 0 });
  expect([isInMemory(held), train.count, mean]).toEqual([false, 0, preparation.mean]);
  expect(await valuesOf(held)).toEqual(await valuesOf((await load({ preparation })).test));
});

describe("a file that changes while the images are in use", () => {
  const fill = async (source: ImageSource, indices: number[]) =>
    source.fill(Uint32Array.from(indices), undefined, {
      images: new Float32Array(indices.length * 192),
      mean: [0, 0, 0],
      std: [1, 1, 1],
    });

  test("is named, if it is no image any more", async () => {
    await write("spoilt/a/0.png", 9, 9, 1);
    await write("spoilt/a/1.png", 9, 9, 2);
    await write("spoilt/b/0.png", 9, 9, 3);
    await write("spoilt/b/1.png", 9, 9, 4);
    const { train } = await load({ directory: join(folder, "spoilt"), memory: 0 });
    const source = train as ImageSource;
    await fill(source, [0, 1]);
    for (const name of ["a/0.png", "a/1.png"]) writeFileSync(join(folder, "spoilt", name), "text");
    const filling = fill(source, [0, 1]);
    await expect(filling).rejects.toThrow(UserError);
    await expect(filling).rejects.toThrow(
      /spoilt\/a\/[01]\.png cannot be read as an image: its format is unknown; /,
    );
    rmSync(join(folder, "spoilt"), { recursive: true });
    await expect(fill(source, [0])).rejects.toThrow(
      /cannot read .*spoilt\/a\/[01]\.png: there is no such file/,
    );
  });
});
