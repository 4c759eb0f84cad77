/** ImageNet's folder, made small: what is listed, in which order, and what a batch shows. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { evaluationBatches, trainingBatches } from "./batches.js";
import type { Dataset } from "./dataset.js";
import type { ImagenetOptions } from "./imagenet.js";
import { imagenet } from "./imagenet.js";
import type { Pixel } from "./images.test.fixture.js";
import { plain, writeImage } from "./images.test.fixture.js";

const parent = mkdtempSync(join(tmpdir(), "fewbit-imagenet-"));
afterAll(() => rmSync(parent, { recursive: true }));
const [tench, goldfish] = ["n01440764", "n01443537"];
const shape = [7, 7, 3] as const; // of frames of 8

/** A column's number in red, a row's in green. */
const places: Pixel = (row, column) => [10 * column, 10 * row, 0];

let root: string;
beforeAll(async () => {
  vi.stubEnv("FEWBIT_CACHE", join(parent, "cache"));
  root = join(parent, "whole");
  const jpegs = [
    ["train", tench, "n01440764_1.JPEG", plain(10)],
    ["train", tench, "n01440764_10.JPEG", plain(20)],
    ["train", goldfish, "n01443537_2.JPEG", plain(30)],
    ["val", goldfish, "ILSVRC2012_val_00000001.JPEG", plain(40)],
    ["val", tench, "ILSVRC2012_val_00000002.JPEG", plain(50)],
  ] as const;
  for (const [set, wnid, name, pixel] of jpegs) {
    await writeImage(join(root, set, wnid, "image.png"), pixel, [8, 8]);
    // A PNG that is called JPEG, as one of ImageNet's is.
    renameSync(join(root, set, wnid, "image.png"), join(root, set, wnid, name));
  }
});

const load = (options: Partial<ImagenetOptions> = {}) => imagenet({ directory: root, shape, ...options });

/** The first red values of all images, in the order of evaluation. */
async function firstReds(data: Dataset, set: "train" | "test"): Promise<number[]> {
  const images = new Float32Array(data[set].count * shape[0] * shape[1] * 3);
  const labels = new Int32Array(data[set].count);
  const batches = evaluationBatches(data[set], { shape, mean: [0, 0, 0], std: [1 / 255, 1, 1] }, 16);
  await batches.prepare(0, 0, images, labels);
  return Array.from(labels, (_, i) => Math.round(images[i * shape[0] * shape[1] * 3]));
}

test("classes are those of the folders, with their words, and images come by class and name", async () => {
  const data = await load();
  expect(data).toMatchObject({ name: "imagenet", classes: 2, classNames: ["tench", "goldfish"], shape });
  expect(Array.from(data.train.labels)).toEqual([0, 0, 1]);
  expect(await firstReds(data, "train")).toEqual([10, 20, 30]);
  expect(Array.from(data.test.labels)).toEqual([0, 1]);
  expect(await firstReds(data, "test")).toEqual([50, 40]);
});

test("some classes: the first, or those of folders, in the order of folders", async () => {
  const first = async (classes: ImagenetOptions["classes"]) => {
    const { classNames, train, test } = await load({ classes });
    return [classNames, Array.from(train.labels), Array.from(test.labels)];
  };
  const both = [
    ["tench", "goldfish"],
    [0, 0, 1],
    [0, 1],
  ];
  expect([await first(2), await first([goldfish, tench])]).toEqual([both, both]);
  await writeImage(join(root, "train", "n01484850", "shark.png"), plain(90));
  try {
    expect((await load()).classNames).toEqual(["tench", "goldfish", "great white shark"]);
    expect([await first(2), await first([goldfish, tench])]).toEqual([both, both]);
  } finally {
    rmSync(join(root, "train", "n01484850"), { recursive: true });
  }
  await expect(load({ classes: 3 })).rejects.toThrow(
    /^classes must be at most the 2 that .*train has, got 3$/,
  );
  await expect(load({ classes: [tench, "n01484850"] })).rejects.toThrow(
    /^classes has "n01484850", but .*train has no such folder$/,
  );
});

test("presets prepare as people do today, or as the published table does", async () => {
  expect(await load()).toMatchObject({
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
    rules: { frame: "covered", reader: undefined },
    augmentation: { resizedCrop: { area: [0.08, 1], ratio: [3 / 4, 4 / 3] }, flip: true },
  });
  expect(await load({ preset: "redbit" })).toMatchObject({
    mean: [0.485, 0.456, 0.406],
    std: [1 / 255, 1 / 255, 1 / 255],
    rules: { frame: "stretched", reader: "pillow" },
    augmentation: { flip: true },
  });
});

test("the competition's archive is taken as it is unpacked, its validation images by its list", async () => {
  const directory = join(parent, "competition");
  const inner = join(directory, "ILSVRC", "Data", "CLS-LOC");
  await writeImage(join(inner, "train", goldfish, "a.png"), plain(1));
  await writeImage(join(inner, "val", "ILSVRC2012_val_00000003.png"), plain(2));
  await writeImage(join(inner, "val", "ILSVRC2012_val_00000004.png"), plain(3));
  await expect(load({ directory })).rejects.toThrow(
    `${join(inner, "val")} does not say of which classes its images are; put those of each class in a folder of its name, or the competition's LOC_val_solution.csv, or the folder ILSVRC2012_devkit_t12, into ${directory}`,
  );
  const line = (image: number, wnid: string) => `ILSVRC2012_val_0000000${image},${wnid} 85 1 499 272\n`;
  const list = join(directory, "LOC_val_solution.csv");
  writeFileSync(list, `ImageId,PredictionString\n${line(3, goldfish)}`);
  await expect(load({ directory })).rejects.toThrow(
    `${list} does not say the class of ILSVRC2012_val_00000004.png; add its line, or move the image elsewhere`,
  );
  // Images of classes that are not trained are not scored.
  writeFileSync(list, line(3, goldfish) + line(4, tench));
  const data = await load({ directory });
  expect([data.classes, data.test.count, await firstReds(data, "test")]).toEqual([1, 1, [2]]);
});

/**
 * What scipy 1's savemat makes, compressed, of structures with the fields of the kit's meta.mat: 2 is n01443537, 1 is
 * n01440764 and 1500, in 16 bits, n00000001.
 */
const meta = Buffer.from(
  [
    "TUFUTEFCIDUuMCBNQVQtZmlsZSBQbGF0Zm9ybTogcG9zaXgsIENyZWF0ZWQgb246IE1vbiBOb3YgMzAgMTc6NDI6MTQgMjAyNgAA",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABSU0PAAAAAgEAAHic42NgYLBgYWBgA9Ic",
    "QMzEAAGsUD4zEDNCMTsQF1fmFaeWFAPlWRj4oOJuQOzpExwW5GxkYGgU7+nCEO4HJOCgPL8opRjOS87IzEkpSs2D8PJKcxmQAchM",
    "CwaEe9jQ3MOIhEGAEyoOBQ4g/Q5I+lmw6OdE0i8A5ecZGJqYGJsamyO5I4CAOdJo5oD46fk5KWmZxRk6Cs6JRYnFxZmlxQqJpUWJ",
    "JaXFcHMNCPiPAc1/2PTxEAgXVqiLKQvPD/YUhaeBuZkJkvstCJjDimYOiF+SmpecQedwY8Sij5uAPhZgzrnDCtFHXnhBgCEOd2Mz",
    "hxHFHCaGwyvpG06gsgIAfYItCA8AAAAxAAAAeJzjY2BgiABiNiDmgNIgwArlM0ExI1QsvyQjtQhIcwKxAgMMfLBnwAo+2AMAuj8F",
    "Ow==",
  ].join(""),
  "base64",
);

test("the development kit's numbers are those of its meta.mat", async () => {
  const directory = join(parent, "kit");
  const kit = join(directory, "ILSVRC2012_devkit_t12", "data");
  mkdirSync(kit, { recursive: true });
  for (const wnid of [tench, goldfish]) await writeImage(join(directory, "train", wnid, "a.png"), plain(1));
  for (const image of [1, 2, 3]) {
    await writeImage(join(directory, "val", `ILSVRC2012_val_0000000${image}.png`), plain(10 * image));
  }
  const truth = join(kit, "ILSVRC2012_validation_ground_truth.txt");
  writeFileSync(truth, "2\n1\n1500\n");
  await expect(load({ directory })).rejects.toThrow(
    `cannot read ${join(kit, "meta.mat")}, which says what the numbers of ${truth} mean: `,
  );
  writeFileSync(join(kit, "meta.mat"), "MATLAB 7.3");
  await expect(load({ directory })).rejects.toThrow("mean: it is no MATLAB file of level 5");
  writeFileSync(join(kit, "meta.mat"), meta);
  const data = await load({ directory });
  expect([data.classNames, Array.from(data.test.labels)]).toEqual([
    ["tench", "goldfish"],
    [1, 0],
  ]);
  expect(await firstReds(data, "test")).toEqual([10, 20]);
  writeFileSync(truth, "2\n7\n1\n");
  await expect(load({ directory })).rejects.toThrow(
    `${truth} has the class "7" in line 2, which ${join(kit, "meta.mat")} does not name`,
  );
});

test("what is not ImageNet's folder is refused with where to get it", async () => {
  await expect(load({ directory: join(parent, "nowhere") })).rejects.toThrow(
    /nowhere is not a directory; ImageNet's terms do not allow fewbit to download it; ask for it at image-net.org, /,
  );
  await expect(load({ directory: join(root, "train") })).rejects.toThrow(/train has no folder train, as /);
  const directory = join(parent, "named");
  for (const name of ["train/fish", "val"]) mkdirSync(join(directory, name), { recursive: true });
  await expect(load({ directory })).rejects.toThrow(
    /holds no folders of ImageNet's classes, such as n01440764; /,
  );
  await expect(load({ shape: [7, 7, 1] })).rejects.toThrow("ImageNet's images have 3 channels");
});

test("a network that was trained is scored on the validation images, by its own classes and preparation", async () => {
  const preparation = {
    mean: [0, 0, 0],
    std: [1, 1, 1],
    classNames: ["goldfish"],
    frame: "covered",
  } as const;
  const data = await load({ preparation });
  expect(data).toMatchObject({ classes: 1, classNames: ["goldfish"], mean: [0, 0, 0], std: [1, 1, 1] });
  expect([data.train.count, data.test.count, await firstReds(data, "test")]).toEqual([0, 1, [40]]);
});

test("listed again, a folder whose files are the same has its checksum, and another name or size changes it", async () => {
  const { checksum } = await load();
  expect((await load()).checksum).toBe(checksum);
  const added = join(root, "train", tench, "more.png");
  await writeImage(added, plain(60));
  const more = await load();
  expect([more.train.count, more.checksum === checksum]).toEqual([4, false]);
  rmSync(added);
  expect((await load()).checksum).toBe(checksum);
});

test("no more images are decoded at a time than Node has threads for", async () => {
  vi.stubEnv("UV_THREADPOOL_SIZE", "3");
  try {
    await load({ imageThreads: 3 });
    await expect(load({ imageThreads: 4 })).rejects.toThrow(
      /^imageThreads must be an integer from 1 to 3, the threads of Node's pool in this process; the environment variable UV_THREADPOOL_SIZE sets how many before it starts, got 4$/,
    );
  } finally {
    vi.stubEnv("UV_THREADPOOL_SIZE", undefined);
  }
});

test("a file that has changed since it was listed is reported when it is opened", async () => {
  const file = join(root, "val", tench, "ILSVRC2012_val_00000009.png");
  await writeImage(file, plain(70));
  const data = await load();
  await writeImage(file, places, [30, 30]);
  await expect(firstReds(data, "test")).rejects.toThrow(
    /cannot read .*ILSVRC2012_val_00000009.png: it has \d+ bytes, and had \d+ when it was listed/,
  );
  rmSync(file);
});

test.each(["paper", "redbit"])(
  "preset %s: an image's crop depends on seed, epoch and image, and not on its batch or on threads",
  async (preset) => {
    const directory = join(parent, preset);
    for (const name of ["a", "b", "c"]) {
      await writeImage(join(directory, "train", tench, `${name}.png`), places, [16, 20]);
    }
    await writeImage(join(directory, "val", tench, "d.png"), places, [16, 20]);
    const one = await load({ directory, preset });
    const shown = async (seed: number, epoch: number, batchSize: number, data = one) => {
      const batches = trainingBatches(data, { batchSize, seed });
      const size = shape[0] * shape[1] * 3;
      const all: string[] = [];
      for (let step = 0; step < batches.steps; step++) {
        const count = batches.size(step);
        const images = new Float32Array(count * size);
        await batches.prepare(epoch, step, images, new Int32Array(count));
        for (let i = 0; i < count; i++) all.push(images.subarray(i * size, (i + 1) * size).join());
      }
      return all.sort();
    };
    const first = await shown(1, 0, 3);
    expect(new Set(first).size).toBe(3);
    expect(await shown(1, 0, 1)).toEqual(first);
    const jitter = (data: Dataset) => ({
      ...data,
      augmentation: { ...data.augmentation, colorJitter: 0.5 },
    });
    const changed = await shown(1, 0, 3, jitter(one));
    expect(changed).not.toEqual(first);
    for (const imageThreads of [1, 4]) {
      const data = await load({ directory, preset, imageThreads });
      expect(await shown(1, 0, 3, data)).toEqual(first);
      expect(await shown(1, 0, 2, jitter(data))).toEqual(changed);
    }
    expect(await shown(1, 1, 3)).not.toEqual(first);
    expect(await shown(2, 0, 3)).not.toEqual(first);
  },
);
