/** What folders of images may be called, hold and be used for. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { printable } from "../errors.js";
import type { ImagesOptions } from "./images.js";
import { images } from "./images.js";
import { bytesOf, nameOf } from "./paths.js";

let folder: string;
let warnings: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-folder-"));
  warnings = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

/** An image of 4 x 4 pixels, a ramp of a steepness or one colour. */
async function write(path: string, steepness: number, start = 0): Promise<string> {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  const pixels = Buffer.from(Array.from({ length: 16 }, (_, i) => start + i * steepness));
  await sharp(pixels, { raw: { height: 4, width: 4, channels: 1 } })
    .png()
    .toFile(file);
  return file;
}

/** Images of names 0.png, 1.png, ..., no two of the same pixels, where the first differs. */
async function fill(path: string, count: number, first: number): Promise<void> {
  for (let i = 0; i < count; i++) await write(`${path}/${i}.png`, 1 + (i % 10), first + Math.floor(i / 10));
}

const load = (options: Partial<ImagesOptions> = {}) =>
  images({
    directory: folder,
    shape: [4, 4, 1],
    onWarning: (message) => warnings.push(message.replaceAll(folder, "DIR")),
    ...options,
  });

const refusal = async (): Promise<string> => {
  const error: unknown = await load().catch((reason: unknown) => reason);
  return (error as Error).message.replaceAll(folder, "DIR");
};

describe("a network is scored on", () => {
  const preparation = { mean: [0.5], std: [0.5], classNames: ["cat", "dog"] };
  beforeEach(async () => {
    await fill("own/cat", 30, 0);
    await fill("own/dog", 20, 50);
  });
  const inFolder = (name: string) => ({ directory: join(folder, name) });

  test("the held-out tenth of its own folder, wherever that is by now", async () => {
    const { checksum, test: heldOut } = await load(inFolder("own"));
    expect(heldOut.count).toBe(5);
    const trainedOn = { ...inFolder("own"), checksum };
    const own = await load({ ...inFolder("own"), preparation, trainedOn });
    expect([own.test, own.train.count, own.testIsAll]).toEqual([heldOut, 0, false]);
    renameSync(join(folder, "own"), join(folder, "moved"));
    const moved = await load({ ...inFolder("moved"), preparation, trainedOn });
    expect([moved.test, moved.train.count, moved.testIsAll]).toEqual([heldOut, 0, false]);
  });

  test("all images of another folder, one in a class too", async () => {
    const { checksum } = await load(inFolder("own"));
    const trainedOn = { ...inFolder("own"), checksum };
    await fill("other/cat", 12, 100);
    await fill("other/dog", 1, 150);
    const other = await load({ ...inFolder("other"), preparation, trainedOn });
    expect([other.test.count, other.train.count, other.testIsAll]).toEqual([13, 0, true]);
    const labels = Array.from(other.test.labels);
    expect([0, 1].map((label) => labels.filter((one) => one === label).length)).toEqual([12, 1]);
    // Its own folder in part is another.
    rmSync(join(folder, "own/cat/3.png"));
    renameSync(join(folder, "own"), join(folder, "part"));
    expect((await load({ ...inFolder("part"), preparation, trainedOn })).test.count).toBe(49);
  });

  test("all images, and warned of it, if what it was trained on is not said", async () => {
    expect((await load({ ...inFolder("own"), preparation })).test.count).toBe(50);
    expect(warnings).toEqual([
      "all 50 images of DIR/own are scored, also those that the network was trained on; trainedOn leaves these out",
    ]);
  });

  test("the test images of another folder that has some", async () => {
    await fill("other/train/cat", 5, 0);
    await fill("other/test/cat", 3, 9);
    const other = await load({ ...inFolder("other"), preparation, trainedOn: { checksum: "" } });
    expect([other.test.count, other.testIsAll]).toEqual([3, false]);
  });
});

describe("a class", () => {
  test("may be in the training images alone, and that is reported", async () => {
    for (const name of ["ant", "bee", "cat", "dog"]) await fill(`train/${name}`, 2, name.charCodeAt(0));
    for (const name of ["ant", "cat"]) await fill(`test/${name}`, 1, name.charCodeAt(0) + 20);
    const { classNames, test: tested } = await load();
    expect(classNames).toEqual(["ant", "bee", "cat", "dog"]);
    expect(Array.from(tested.labels)).toEqual([0, 2]);
    expect(warnings).toEqual([
      "DIR has no test images of bee and 1 more: what is learned of that is not measured",
    ]);
  });

  const [one, two] = ["caf\u00e9", "cafe\u0301"];
  const spelt = [`${one} (U+0066 U+00E9)`, `${two} (U+0065 U+0301)`];

  test("in two Unicode normal forms is refused with the code points of both", async () => {
    await fill(`train/${one}`, 2, 0);
    await fill("train/dog", 2, 40);
    await fill(`test/${two}`, 2, 80);
    expect(await refusal()).toBe(
      `DIR/test has the class ${spelt[1]}, but DIR/train has ${spelt[0]}: they read alike, but are written in different characters; rename one of them`,
    );
    await fill(`train/${two}`, 2, 9);
    expect(await refusal()).toBe(
      `DIR has the classes ${spelt[1]} and ${spelt[0]}, which read alike, but are written in different characters; rename or merge them`,
    );
  });

  test("in another normal form than the network knows is refused so too", async () => {
    await fill(`test/${two}`, 2, 0);
    const scoring = load({ preparation: { mean: [0], std: [1], classNames: [one, "dog"] } });
    await expect(scoring).rejects.toThrow(
      `/test has the class ${spelt[1]}, and the network knows ${spelt[0]}: they read alike, but are written in different characters; rename the folder`,
    );
  });
});

test("test images that are trained on, and images of one colour, are counted in one warning", async () => {
  await fill("train/cat", 9, 0);
  await fill("train/dog", 9, 40);
  await fill("test/cat", 3, 0); // the first three of those to train on
  await fill("test/dog", 4, 80);
  await write("train/cat/flat.png", 0, 7);
  await write("train/dog/flat.png", 0, 8);
  await load();
  expect(warnings).toEqual([
    "in DIR: 3 of 7 test images are among the training images too; 2 of 27 images are of one colour",
  ]);
});

describe("names that are not UTF-8", () => {
  test("are texts that become the same bytes again, and are shown with these", () => {
    const cases: [number[], string, string][] = [
      [[...Buffer.from("café \u{1f600}")], "café \u{1f600}", "café \u{1f600}"],
      [[0x63, 0xe9, 0x2e, 0x70], "c\udce9.p", "c\\xe9.p"],
      [[0xc3, 0xa9, 0xc3], "é\udcc3", "é\\xc3"],
      [[0xed, 0xb3, 0xa9], "\udced\udcb3\udca9", "\\xed\\xb3\\xa9"], // a surrogate, which UTF-8 has none of
      [[0xf0, 0x9f, 0x98, 0x80, 0xff], "\u{1f600}\udcff", "\u{1f600}\\xff"],
    ];
    for (const [bytes, name, shown] of cases) {
      expect(nameOf(Buffer.from(bytes))).toBe(name);
      expect([...bytesOf(name)]).toEqual(bytes);
      expect(printable(name)).toBe(shown);
    }
  });

  const isLinux = process.platform === "linux"; // other systems keep names as text

  test.runIf(isLinux)("of files and classes are read", async () => {
    await fill("cat", 3, 0);
    await fill("dog", 3, 50);
    const plain = await load();
    const rename = (from: string, to: string): Buffer =>
      execFileSync("sh", ["-c", `mv "$1" "$(printf '${to}')"`, "sh", from], { cwd: folder });
    rename("dog/0.png", "dog/caf\\351.png");
    rename("dog", "d\\366g");
    const { classNames, train, test: tested } = await load();
    expect(classNames).toEqual(["cat", "d\udcf6g"]);
    expect(train.count + tested.count).toBe(plain.train.count + plain.test.count);
    expect(JSON.parse(JSON.stringify(classNames))).toEqual(classNames);
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/d\xf6g/caf\xe9.png`, "latin1")]), "");
    expect(await refusal()).toContain("DIR/d\\xf6g/caf\\xe9.png cannot be read as an image: it is empty");
  });
});
