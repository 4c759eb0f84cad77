/** Folders of images made here, pixel by pixel, and real photographs where FEWBIT_DATA names their folder. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { UserError } from "../errors.js";
import type { ArrayDataset } from "./dataset.js";
import { listImages } from "./folder.js";
import type { ImagesOptions } from "./images.js";
import { images } from "./images.js";
import type { Pixel } from "./images.test.fixture.js";
import { plain, writeImage } from "./images.test.fixture.js";
import type { ImageSet } from "./source.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-images-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (path: string, pixel: Pixel): Promise<string> => writeImage(join(folder, path), pixel);

const shape = [8, 8, 1] as const;
/** A folder of few images, which are in memory. */
const load = async (options: Partial<ImagesOptions> = {}) =>
  (await images({ directory: folder, shape, ...options })) as ArrayDataset;

describe("folders train and test", () => {
  beforeEach(async () => {
    await write("train/cat/b.png", plain(20));
    await write("train/cat/a.png", plain(10));
    await write("train/Dog/a.PNG", plain(40));
    await write("test/cat/z.png", plain(50));
    await write("test/Dog/y.png", plain(60));
    await write("test/Dog/x.png", plain(70));
  });

  test("are the sets, classes sorted by name, images by class and name", async () => {
    const { train, test: held, classNames, classes, shape: loaded, augmentation } = await load();
    expect({ classNames, classes, loaded, augmentation }).toEqual({
      classNames: ["Dog", "cat"],
      classes: 2,
      loaded: [8, 8, 1],
      augmentation: { cropPadding: 1 },
    });
    const firsts = (bytes: ArrayLike<number>) => Array.from(bytes).filter((_, i) => i % 64 === 0);
    expect([firsts(train.images), Array.from(train.labels), train.count]).toEqual([
      [40, 10, 20],
      [0, 1, 1],
      3,
    ]);
    expect([firsts(held.images), Array.from(held.labels), held.count]).toEqual([[70, 60, 50], [0, 0, 1], 3]);
  });

  test("val stands for test, and what is not used is reported", async () => {
    await write("val/cat/a.png", plain(1));
    await write("val/Dog/a.png", plain(2));
    writeFileSync(join(folder, "readme.txt"), "");
    writeFileSync(join(folder, "train/cat/notes.txt"), "");
    writeFileSync(join(folder, "train/cat/.DS_Store"), "");
    mkdirSync(join(folder, "train/cat/deeper"));
    mkdirSync(join(folder, "test/.hidden"));
    const warnings: string[] = [];
    await load({ onWarning: (message) => warnings.push(message) });
    expect(warnings[0]).toBe(
      `ignored in ${folder}: 3 files (2 of .txt, 1 of no extension) and the folder val and 2 more`,
    );
    rmSync(join(folder, "test"), { recursive: true });
    expect((await load()).test.count).toBe(2);
  });

  test("mean and deviation are the training images', by channel", async () => {
    await write("train/cat/c.png", (row, column) => [row * 20, column * 30, 200]);
    const { train, mean, std } = await load({ shape: [8, 8, 3] });
    for (const channel of [0, 1, 2]) {
      const values = Array.from(train.images).filter((_, i) => i % 3 === channel);
      const average = values.reduce((sum, v) => sum + v / 255, 0) / values.length;
      const variance = values.reduce((sum, v) => sum + (v / 255 - average) ** 2, 0) / values.length;
      expect(mean[channel]).toBeCloseTo(average, 12);
      expect(std[channel]).toBeCloseTo(Math.sqrt(variance), 12);
    }
  });

  test("a trained network's preparation is taken over, and training images are not opened", async () => {
    writeFileSync(join(folder, "train/cat/a.png"), "no image");
    const preparation = { mean: [0.25], std: [0.5], classNames: ["Dog", "bird", "cat"] };
    const { train, test: held, mean, std, classNames, classes } = await load({ preparation });
    expect({ mean, std, classNames, classes }).toEqual({ ...preparation, classes: 3 });
    expect([train.count, Array.from(held.labels)]).toEqual([0, [0, 0, 2]]);
  });

  test("the checksum is of pixels, labels and names", async () => {
    const { checksum } = await load();
    expect((await load()).checksum).toBe(checksum);
    await write("train/cat/renamed.png", plain(20));
    rmSync(join(folder, "train/cat/b.png"));
    expect((await load()).checksum).toBe(checksum);
    await write("train/cat/renamed.png", plain(21));
    expect((await load()).checksum).not.toBe(checksum);
  });

  test("symbolic links to files and folders are followed", async () => {
    symlinkSync(join(folder, "train/cat/a.png"), join(folder, "train/Dog/link.png"));
    symlinkSync(join(folder, "test/cat"), join(folder, "train/bird"));
    symlinkSync(join(folder, "test/cat"), join(folder, "test/bird"));
    const { classNames, train } = await load();
    expect(classNames).toEqual(["Dog", "bird", "cat"]);
    expect(Array.from(train.labels)).toEqual([0, 0, 1, 2, 2]);
  });
});

describe("folders of classes alone", () => {
  const names = (count: number) => Array.from({ length: count }, (_, i) => `image ${i}.png`);
  function make(className: string, files: readonly string[]): void {
    mkdirSync(join(folder, className), { recursive: true });
    for (const name of files) writeFileSync(join(folder, className, name), "");
  }
  const heldOut = () =>
    listImages(folder).test.map(({ path }) => `${basename(dirname(path))}/${basename(path)}`);

  test("give a tenth of each class, at least one image, and the rest to train on", () => {
    make("few", names(4));
    make("many", names(46));
    const { train, test: held, classNames } = listImages(folder);
    expect(classNames).toEqual(["few", "many"]);
    const count = (set: typeof train) =>
      [0, 1].map((label) => set.filter((file) => file.label === label).length);
    expect([count(train), count(held)]).toEqual([
      [3, 41],
      [1, 5],
    ]);
    expect(new Set([...train, ...held].map(({ path }) => path)).size).toBe(50);
  });

  test("hold out by name alone: in any folder, and hardly otherwise when a file is added", () => {
    make("cat", names(40));
    make("dog", names(40));
    const before = heldOut();
    expect(before.filter((name) => name.startsWith("cat")).map((name) => name.slice(4))).not.toEqual(
      before.filter((name) => name.startsWith("dog")).map((name) => name.slice(4)),
    );
    const first = folder;
    folder = mkdtempSync(join(tmpdir(), "fewbit-images-"));
    make("dog", [...names(40)].reverse());
    make("cat", names(40));
    expect(heldOut()).toEqual(before);
    make("cat", ["another.png"]);
    expect(heldOut().filter((name) => before.includes(name)).length).toBeGreaterThanOrEqual(
      before.length - 1,
    );
    rmSync(first, { recursive: true });
  });

  test("may be called train and test", () => {
    make("train", names(3));
    make("test", names(3));
    expect(listImages(folder).classNames).toEqual(["test", "train"]);
  });
});

describe("a folder is refused", () => {
  const in_ = (path: string) => join(folder, path);
  const make = (...paths: string[]) => {
    for (const path of paths) {
      mkdirSync(dirname(in_(path)), { recursive: true });
      writeFileSync(in_(path), "");
    }
  };

  test.each<[string, () => void, () => string]>([
    [
      "that is not there",
      () => rmSync(folder, { recursive: true }),
      () => `${folder} is not a directory; give the one that holds the images`,
    ],
    [
      "that is empty",
      () => {},
      () => `${folder} holds no folders; the images of each class belong in a folder of its name`,
    ],
    [
      "with images only",
      () => make("a.png"),
      () => `${folder} holds no folders; the images of each class belong in a folder of its name`,
    ],
    [
      "with one class",
      () => make("cat/a.png", "cat/b.png"),
      () => `${folder} holds one class only, cat; at least two are needed`,
    ],
    [
      "with a class of no images",
      () => make("cat/a.png", "cat/b.png", "dog/notes.txt"),
      () =>
        `${in_("dog")} holds no images (png, jpg, jpeg, webp, gif, tif, tiff, avif, jfif, jpe, bmp, ppm, pgm, pbm, pnm)`,
    ],
    [
      "with a class of one image and no test images",
      () => make("cat/a.png", "cat/b.png", "dog/a.png"),
      () => `${in_("dog")} holds one image; two are needed, since one is held out for test`,
    ],
    [
      "with training images alone",
      () => make("train/cat/a.png", "train/dog/a.png"),
      () =>
        `${folder} has the folder train but neither test nor val; add one, or give ${in_("train")} to hold a tenth out`,
    ],
    [
      "with test images alone",
      () => make("val/cat/a.png", "val/dog/a.png"),
      () => `${folder} has the folder val but no folder train with folders of classes`,
    ],
    [
      "with a class in test alone",
      () => make("train/cat/a.png", "test/cat/a.png", "test/eel/a.png"),
      () =>
        `${in_("test")} has the class eel, but ${in_("train")} does not; a network can only learn classes of its training images`,
    ],
    [
      "with a link in a circle",
      () => {
        make("cat/a.png", "cat/b.png", "dog/a.png");
        symlinkSync(in_("dog/loop.png"), in_("dog/loop.png"));
      },
      () => `cannot read ${in_("dog/loop.png")}, a symbolic link: its symbolic links go in a circle`,
    ],
    [
      "with a link to nothing",
      () => {
        make("cat/a.png", "cat/b.png", "dog/a.png");
        symlinkSync(in_("nowhere"), in_("dog/lost.png"));
      },
      () => `cannot read ${in_("dog/lost.png")}, a symbolic link: there is no such file`,
    ],
  ])("%s", async (_name, arrange, message) => {
    arrange();
    const error: unknown = await load().catch((reason: unknown) => reason);
    mkdirSync(folder, { recursive: true });
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).toBe(message());
    expect((error as UserError).field).toBe("dataDirectory");
  });

  test("with a folder that links to the one around it: no endless walk, but a warning", async () => {
    for (const name of ["cat", "dog"]) {
      await write(`${name}/a.png`, (row) => (name === "cat" ? 3 : 5) * row);
      await write(`${name}/b.png`, (row) => (name === "cat" ? 7 : 11) * row);
    }
    symlinkSync(folder, in_("dog/around"));
    const warnings: string[] = [];
    await load({ onWarning: (message) => warnings.push(message) });
    expect(warnings).toEqual([`ignored in ${folder}: the folder dog/around`]);
  });

  test("with images of one colour", async () => {
    for (const name of ["cat", "dog"])
      for (const file of ["a", "b"]) await write(`${name}/${file}.png`, () => [9, 9, 9]);
    await expect(load()).rejects.toThrow(
      /^all pixels of the training images in .* have one value; nothing can be learned/,
    );
    await write("cat/a.png", (row) => [row, 9, 9]);
    await write("cat/b.png", (row) => [row, 9, 9]);
    await expect(load({ shape: [8, 8, 3] })).rejects.toThrow(
      / have one value in green; nothing can be learned/,
    );
  });

  test.each<[readonly [number, number, number], string]>([
    [[8, 8, 2], "images have 1 channel (grey) or 3 (red, green, blue), not 2"],
    [[0, 8, 1], "shape must be [height, width, channels], each from 1 to 65536, got [0,8,1]"],
    [[8, 1.5, 1], "shape must be [height, width, channels], each from 1 to 65536, got [8,1.5,1]"],
  ])("for the shape %j", async (wrong, message) => {
    await expect(load({ shape: wrong })).rejects.toThrow(message);
  });
});

// Photographs with no stated licence, which the project does not ship: FEWBIT_DATA/imagenet-10.
const { FEWBIT_DATA } = process.env;
if (FEWBIT_DATA !== undefined && existsSync(join(FEWBIT_DATA, "imagenet-10"))) {
  test("2,300 photographs of ten classes, 38 of them grey", async () => {
    const side = 32;
    const data = await images({ directory: join(FEWBIT_DATA, "imagenet-10"), shape: [side, side, 3] });
    expect([data.classes, data.train.count, data.test.count]).toEqual([10, 1800, 500]);
    const perClass = Array.from(
      { length: 10 },
      (_, k) => Array.from(data.train.labels).filter((l) => l === k).length,
    );
    expect(perClass).toEqual(Array(10).fill(180));
    const files = listImages(join(FEWBIT_DATA, "imagenet-10"));
    const size = side * side * 3;
    let greyFiles = 0;
    for (const set of ["train", "test"] as const) {
      const { images: bytes } = data[set] as ImageSet;
      for (const [i, { path }] of files[set].entries()) {
        if ((await sharp(path).metadata()).channels !== 1) continue;
        greyFiles++;
        const pixels = bytes.subarray(i * size, (i + 1) * size);
        expect(pixels.every((value, at) => value === pixels[at - (at % 3)])).toBe(true);
      }
    }
    expect(greyFiles).toBe(38);
    // Near the usual figures of ImageNet, 0.485 0.456 0.406 and 0.229 0.224 0.225 (its crops are larger).
    [0.485, 0.456, 0.406].forEach((mean, c) => expect(Math.abs(data.mean[c] - mean)).toBeLessThan(0.04));
    [0.229, 0.224, 0.225].forEach((std, c) => expect(Math.abs(data.std[c] - std)).toBeLessThan(0.07));
  });
}
