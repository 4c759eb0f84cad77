/** How folders of images are laid out elsewhere, and what runs of the first versions took for images. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, sep } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { UserError } from "../errors.js";
import { listImages } from "./folder.js";
import { images } from "./images.js";
import type { DecodeRules } from "./rules.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-layout-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Files without contents: none is opened by a listing. */
function make(...paths: readonly string[]): void {
  for (const path of paths) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), "");
  }
}

/** The listing with paths inside the folder, by set. */
function list(rules?: DecodeRules, known?: readonly string[]) {
  const listed = listImages(folder, rules, known);
  const inside = (set: typeof listed.train) =>
    set.map(({ path, label }) => `${relative(folder, path).split(sep).join("/")} ${label}`);
  return { ...listed, train: inside(listed.train), test: inside(listed.test) };
}

function refusal(rules?: DecodeRules): string {
  try {
    list(rules);
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as UserError).message.replaceAll(folder, "DIR");
  }
  throw new Error("it was not refused");
}

describe("the sets may be called", () => {
  test.each([
    ["train", "valid"],
    ["train", "validation"],
    ["training", "testing"],
    ["Train", "Test"],
    ["TRAINING", "Validation"],
  ])("%s and %s", (train, held) => {
    make(`${train}/a/1.png`, `${train}/b/1.png`, `${held}/a/2.png`, `${held}/b/2.png`);
    expect(list()).toMatchObject({
      train: [`${train}/a/1.png 0`, `${train}/b/1.png 1`],
      test: [`${held}/a/2.png 0`, `${held}/b/2.png 1`],
      isHeldOut: false,
      ignored: undefined,
    });
  });

  test("not by two names at once", () => {
    make("train/a/1.png", "train/b/1.png", "val/a/1.png", "valid/a/1.png");
    expect(refusal()).toBe("DIR has the folders val and valid, which both mean one set; merge them");
  });

  test("and of images for test and for validation the latter are not used, which is reported", async () => {
    make("train/a/1.png", "train/b/1.png", "test/a/1.png", "valid/a/1.png");
    expect(list()).toMatchObject({ test: ["test/a/1.png 0"], unused: "valid", ignored: "the folder valid" });
    const warnings: string[] = [];
    const loading = images({
      directory: folder,
      shape: [8, 8, 1],
      onWarning: (message) => warnings.push(message),
    });
    await expect(loading).rejects.toThrow("it is empty");
    expect(warnings[1]).toBe(
      `the images in ${join(folder, "valid")} are not used, since there are test images; to choose the best epoch on other images than these, hold some out with validation`,
    );
  });
});

describe("Tiny ImageNet", () => {
  beforeEach(() => {
    make("train/n01/images/n01_0.JPEG", "train/n01/images/n01_1.JPEG", "train/n01/n01_boxes.txt");
    make("train/n02/images/n02_0.JPEG", "train/n02/n02_boxes.txt");
    make("val/images/val_0.JPEG", "val/images/val_1.JPEG", "val/images/val_10.JPEG");
    make("test/images/test_0.JPEG", "wnids.txt", "words.txt");
    annotate("val_0.JPEG\tn02\t0\t32\t44\t62\nval_1.JPEG\tn01\t1\t2\t3\t4\r\nval_10.JPEG\tn02\t5\t6\t7\t8\n");
  });
  const annotate = (lines: string) => writeFileSync(join(folder, "val/val_annotations.txt"), lines);

  test("is read as it is unpacked: the labelled val for test, by its annotations", () => {
    expect(list()).toEqual({
      classNames: ["n01", "n02"],
      train: [
        "train/n01/images/n01_0.JPEG 0",
        "train/n01/images/n01_1.JPEG 0",
        "train/n02/images/n02_0.JPEG 1",
      ],
      test: ["val/images/val_1.JPEG 0", "val/images/val_0.JPEG 1", "val/images/val_10.JPEG 1"],
      isHeldOut: false,
      untested: [],
      unused: undefined,
      ignored: "4 files (4 of .txt) and the folder test",
    });
  });

  test("is scored by a network that knows its classes", () => {
    expect(list(undefined, ["n01", "n02", "n03"])).toMatchObject({
      train: [],
      test: ["val/images/val_1.JPEG 0", "val/images/val_0.JPEG 1", "val/images/val_10.JPEG 1"],
    });
  });

  test("is refused where an image has no line", () => {
    annotate("val_0.JPEG\tn02\nval_1.JPEG\tn01\n");
    expect(refusal()).toBe(
      "DIR/val/val_annotations.txt does not say the class of val_10.JPEG; add its line, or move the image elsewhere",
    );
  });

  test("is refused where nothing says the classes of any test image", () => {
    rmSync(join(folder, "val"), { recursive: true });
    expect(refusal()).toBe(
      "DIR/test does not say of which classes its images are; put those of each class in a folder of its name",
    );
  });
});

test("what archives and file servers leave beside classes is left out and reported", () => {
  make("a/1.png", "a/2.png", "b/1.png", "b/2.png", "b/Thumbs.db");
  make("__MACOSX/a/._1.png", "@eaDir/1.png", "lost+found/x", ".git/config");
  expect(list()).toMatchObject({
    classNames: ["a", "b"],
    ignored: "1 file (1 of .db) and the folder .git and 3 more",
  });
});

test("all endings of formats that are read are images, in small letters or not", () => {
  const endings = ["jpg", "JPEG", "jpe", "jfif", "png", "webp", "gif", "tif", "tiff", "avif"];
  const bitmaps = ["bmp", "ppm", "PGM", "pbm", "pnm"];
  const names = [...endings, ...bitmaps].map((ending) => `train/a/1.${ending}`);
  make(...names, "train/b/1.png", "test/a/1.png", "train/a/1.heic");
  expect(list().train.slice(0, -1)).toEqual(names.map((name) => `${name} 0`).sort());
  expect(list().ignored).toBe("1 file (1 of .heic)");
});

describe("a run that was started before these names counted goes on with the files that it knew:", () => {
  const first: DecodeRules = { resize: "centred", grey: "rec601" };

  test("without other endings", () => {
    make("train/a/1.png", "train/a/2.bmp", "train/b/1.jpg", "train/b/2.jfif", "val/a/1.png", "val/b/1.ppm");
    make("val/b/2.png");
    expect(list(first)).toMatchObject({
      train: ["train/a/1.png 0", "train/b/1.jpg 1"],
      test: ["val/a/1.png 0", "val/b/2.png 1"],
      ignored: "3 files (1 of .ppm, 1 of .bmp, 1 of .jfif)",
    });
  });

  test("without other names of sets and places of files", () => {
    make("train/a/1.png", "train/b/1.png", "val/a/1.png", "Test/a/2.png", "train/a/images/3.png");
    expect(list(first)).toMatchObject({
      test: ["val/a/1.png 0"],
      ignored: "the folder Test and 1 more",
    });
    rmSync(join(folder, "val"), { recursive: true });
    expect(refusal(first)).toBe(
      "DIR has the folder train but neither test nor val; add one, or give DIR/train to hold a tenth out",
    );
  });
});

test("a JPEG called .jfif and a BMP are read", async () => {
  make("a/x", "b/x");
  const colour = (value: number) => ({ r: value, g: value, b: value });
  const bmp = Buffer.alloc(14 + 40 + 8 * 24);
  bmp.write("BM");
  [
    [10, 54],
    [14, 40],
    [18, 8],
    [22, 8],
  ].forEach(([at, value]) => bmp.writeUInt32LE(value, at));
  bmp.writeUInt16LE(24, 28);
  for (const name of ["a", "b"]) {
    for (const i of [1, 2]) {
      const create = { width: 8, height: 8, channels: 3, background: colour(50 * i) } as const;
      writeFileSync(join(folder, name, `${i}.jfif`), await sharp({ create }).jpeg().toBuffer());
    }
    writeFileSync(join(folder, name, "3.bmp"), bmp.fill(200, 54));
  }
  const { train, test: held } = await images({ directory: folder, shape: [8, 8, 3] });
  expect(train.count + held.count).toBe(6);
});
