/** Mistakes with data, images and predictions: one clear line each, exit code 2, nothing changed on disk. */
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { batchNames } from "../data/cifar10.test.fixture.js";
import { build, expectRefusal, fewbit, newFolder, training } from "./cli.test.fixture.js";
import { writeColour } from "./pictures.test.fixture.js";

let folder: string;
const at = (path: string) => join(folder, path);
const refused = (args: string | readonly string[], message: string) => expectRefusal(folder, args, message);

const colours = { cat: [200, 20, 20], dog: [20, 20, 200] } as const;

/** Class folders of four images each. */
async function writeClasses(
  path: string,
  names: Readonly<Record<string, readonly [number, number, number]>>,
) {
  for (const [name, [r, g, b]] of Object.entries(names)) {
    for (const [i, file] of ["a", "b", "c", "d"].entries()) {
      await writeColour(at(`${path}/${name}/${file}.png`), [r, g + 12 * i, b]);
    }
  }
}

const onPets = "train lenet5 --data images --data-dir pets --batch-size 4";

beforeAll(async () => {
  build();
  folder = newFolder();
  writeFileSync(at("notes.txt"), "not an image");
  mkdirSync(at("cifar"));
  for (const name of batchNames) writeFileSync(at(`cifar/${name}`), "\0".repeat(9));
  writeFileSync(at("drawing.png"), '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
  for (const [name, settings] of Object.entries(configFiles))
    writeFileSync(at(name), JSON.stringify(settings));
  await writeClasses("pets", colours);
  for (const [name, damage] of Object.entries(folders)) {
    cpSync(at("pets"), at(name), { recursive: true });
    await damage(at(name));
  }
  for (const command of [`${training} --epochs 1 --out run`, `${onPets} --epochs 1 --out pet-run`]) {
    expect(await fewbit(folder, `${command} --quiet`)).toMatchObject({ code: 0 });
  }
  for (const [name, damage] of Object.entries(runs)) {
    cpSync(at("run"), at(name), { recursive: true });
    damage(at(name));
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const configFiles = {
  "text.json": { model: "lenet5", data: "mnist", mirrors: "https://example.org/" },
  "none.json": { model: "lenet5", data: "mnist", mirrors: [] },
  "words.json": { model: "lenet5", data: "images", dataDir: "pets", imageSize: "32" },
} as const;

/** What is done to a copy of `pets`. */
const folders: Readonly<Record<string, (path: string) => void | Promise<void>>> = {
  bare(path) {
    rmSync(path, { recursive: true });
    mkdirSync(path);
  },
  one: (path) => rmSync(join(path, "dog"), { recursive: true }),
  hollow(path) {
    rmSync(join(path, "dog"), { recursive: true });
    mkdirSync(join(path, "dog"));
    writeFileSync(join(path, "dog/list.txt"), "");
  },
  single: (path) => ["a", "b", "c"].forEach((file) => rmSync(join(path, "dog", `${file}.png`))),
  fake: (path) => writeFileSync(join(path, "cat/b.png"), "<html>not found</html>"),
  halved(path) {
    const file = join(path, "dog/c.png");
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.subarray(0, bytes.length - 60));
  },
  empty: (path) => writeFileSync(join(path, "dog/a.png"), ""),
  circle: (path) => symlinkSync(join(path, "cat/z.png"), join(path, "cat/z.png")),
  lost: (path) => symlinkSync("nowhere", join(path, "cat/z.png")),
  async uniform(path) {
    for (const name of ["cat", "dog"]) {
      for (const file of ["a", "b", "c", "d"]) await writeColour(join(path, name, `${file}.png`), [9, 9, 9]);
    }
  },
  untested(path) {
    cpSync(at("pets"), join(path, "train"), { recursive: true });
  },
  untrained(path) {
    cpSync(at("pets"), join(path, "val"), { recursive: true });
  },
  unequal(path) {
    cpSync(at("pets"), join(path, "train"), { recursive: true });
    cpSync(at("pets/cat"), join(path, "test/eel"), { recursive: true });
  },
  async strange(path) {
    for (const i of [1, 2, 3]) await writeColour(join(path, `eel/${i}.png`), [20 * i, 200, 90]);
  },
};

const runs: Readonly<Record<string, (run: string) => void>> = {
  unprepared: (run) => rewriteConfig(run, { preparation: undefined }),
  flat: (run) => rewriteConfig(run, { preparation: { mean: [0], std: [0] } }),
  coloured: (run) => rewriteConfig(run, { preparation: { mean: [0, 0, 0], std: [1, 1, 1] } }),
  shapeless: (run) => rewriteConfig(run, { model: { name: "lenet5", classes: 10 } }),
  code: (run) =>
    rewriteConfig(run, { options: undefined, model: { name: "mine", input: [28, 28, 1], classes: 10 } }),
  unfinished: (run) => rmSync(join(run, "best.safetensors")),
  damaged(run) {
    const path = join(run, "best.safetensors");
    const bytes = readFileSync(path);
    bytes[bytes.length - 100] ^= 1;
    writeFileSync(path, bytes);
  },
};

function rewriteConfig(run: string, change: Readonly<Record<string, unknown>>): void {
  const path = join(run, "config.json");
  writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, "utf8")) as object), ...change }));
}

describe("data", () => {
  const urls = "mirrors must be http or https URLs of folders, got";
  test.each([
    ["data", "missing required argument 'name'; see fewbit data --help"],
    [
      "data cifar",
      'data to download must be mnist, fashion-mnist, kmnist or cifar10, got "cifar"; did you mean cifar10?',
    ],
    [
      "data mnits",
      'data to download must be mnist, fashion-mnist, kmnist or cifar10, got "mnits"; did you mean mnist?',
    ],
    ["data digits", 'data to download must be mnist, fashion-mnist, kmnist or cifar10, got "digits"'],
    [
      "data mnist digits",
      "too many arguments for 'data'. Expected 1 argument but got 2; see fewbit data --help",
    ],
    ["data mnist --data-dir here", "unknown option '--data-dir'; see fewbit data --help"],
    ["data mnist --mirror", "option '--mirror <url>' argument missing; see fewbit data --help"],
    ["data mnist --mirror mnist", `${urls} "mnist" (from --mirror)`],
    ["data mnist --mirror ftp://host/mnist/", `${urls} "ftp://host/mnist/" (from --mirror)`],
    ["data mnist --mirror http://host/ --mirror here", `${urls} "here" (from --mirror)`],
    ["data mnist --mirror http://me:secret@host/", `${urls} "http://me:secret@host/" (from --mirror)`],
    ["data mnist --mirror http://host/?key=1", `${urls} "http://host/?key=1" (from --mirror)`],
    [
      "data mnist --cache notes.txt",
      "cannot write notes.txt/mnist: notes.txt is not a directory; choose a folder that you may write to, with --cache or FEWBIT_CACHE",
    ],
    [
      "data mnist --cache notes.txt/deep",
      "cannot write notes.txt/deep/mnist: notes.txt is not a directory; choose a folder that you may write to, with --cache or FEWBIT_CACHE",
    ],
  ])("fewbit %s", refused);

  test("an empty name", async () => {
    await refused(
      ["data", "mnist", "--cache", ""],
      'cache must be a text that is not empty, got "" (from --cache)',
    );
  });
});

describe("CIFAR-10", () => {
  const on = (data: string) => `train resnet20 --data cifar10 --data-dir ${data} --out new`;
  test.each([
    [
      on("nowhere"),
      "nowhere is not there; give the folder that holds CIFAR-10's six batches, or cifar-10-binary.tar.gz (from --data-dir)",
    ],
    [
      on("notes.txt"),
      "notes.txt is not a sound tar archive: it is damaged, cut short or none; fetch it again (from --data-dir)",
    ],
    [
      on("mnist"),
      "data_batch_1.bin (or .gz, .xz) is not in mnist; fetch CIFAR-10's binary version, cifar-10-binary.tar.gz, there (from --data-dir)",
    ],
    [
      on("cifar"),
      "cifar/data_batch_1.bin has 9 bytes unpacked, which is not a whole number of records of 3073; it is cut short, or not a batch of CIFAR-10's binary version (from --data-dir)",
    ],
    [
      "train resnet20 --data cifar",
      'data must be one of digits, mnist, fashion-mnist, kmnist, cifar10-sample, cifar10, imagenet, images, got "cifar"; did you mean cifar10? (from --data)',
    ],
    [
      "train vgg16 --data digits",
      "vgg16 cannot take images of 28x28x1 to 10 classes: pool after conv13: windowMax: a window of 2x2 does not fit in an image of 1x1 with padding [0, 0] (from --data)",
    ],
    [
      "train resnet20 --mirror http://host/",
      "mirrors has an effect only with data mnist, fashion-mnist, kmnist or cifar10, and without dataDir (from --mirror)",
    ],
    [
      "eval run --data cifar10 --data-dir nowhere",
      "nowhere is not there; give the folder that holds CIFAR-10's six batches, or cifar-10-binary.tar.gz (from --data-dir)",
    ],
  ])("fewbit %s", refused);
});

describe("mirrors of a training", () => {
  const urls = "mirrors must be http or https URLs of folders, at least one, got";
  const idle =
    "mirrors has an effect only with data mnist, fashion-mnist, kmnist or cifar10, and without dataDir (from --mirror)";
  test.each([
    ["train lenet5 --data mnist --mirror here", `${urls} ["here"] (from --mirror)`],
    ["train lenet5 --mirror http://host/", idle],
    ["train lenet5 --data mnist --data-dir mnist --mirror http://host/", idle],
    ["eval run --mirror http://host/", idle],
    ["train --config text.json", `${urls} "https://example.org/" (from text.json)`],
    ["train --config none.json", `${urls} [] (from none.json)`],
    ["train --config none.json --mirror here", `${urls} ["here"] (from --mirror)`],
  ])("fewbit %s", refused);
});

describe("folders of images", () => {
  const on = (data: string) => `train lenet5 --data images --data-dir ${data} --out new`;
  const mend =
    "replace it, save it again with another program, or move it elsewhere (PNG, JPEG, WebP, GIF, TIFF, AVIF, BMP and PNM can be read)";
  const noFolders =
    "holds no folders; the images of each class belong in a folder of its name (from --data-dir)";
  test.each([
    [
      "train lenet5 --data images",
      "dataDir is needed for data images: a folder with a folder of images for each class (set it with --data-dir)",
    ],
    [on("nowhere"), "nowhere is not a directory; give the one that holds the images (from --data-dir)"],
    [on("notes.txt"), "notes.txt is not a directory; give the one that holds the images (from --data-dir)"],
    [on("bare"), `bare ${noFolders}`],
    [on("pets/cat"), `pets/cat ${noFolders}`],
    [on("one"), "one holds one class only, cat; at least two are needed (from --data-dir)"],
    [
      on("hollow"),
      "hollow/dog holds no images (png, jpg, jpeg, webp, gif, tif, tiff, avif, jfif, jpe, bmp, ppm, pgm, pbm, pnm) (from --data-dir)",
    ],
    [
      on("single"),
      "single/dog holds one image; two are needed, since one is held out for test (from --data-dir)",
    ],
    [on("fake"), `fake/cat/b.png cannot be read as an image: its format is unknown; ${mend}`],
    [
      on("halved"),
      `halved/dog/c.png cannot be read as an image: the decoder says "vipspng: libpng read error"; ${mend}`,
    ],
    [on("empty"), `empty/dog/a.png cannot be read as an image: it is empty; ${mend}`],
    [
      on("circle"),
      "cannot read circle/cat/z.png, a symbolic link: its symbolic links go in a circle (from --data-dir)",
    ],
    [on("lost"), "cannot read lost/cat/z.png, a symbolic link: there is no such file (from --data-dir)"],
    [
      on("uniform"),
      "all pixels of the training images in uniform have one value; nothing can be learned from that (from --data-dir)",
    ],
    [
      on("untested"),
      "untested has the folder train but neither test nor val; add one, or give untested/train to hold a tenth out (from --data-dir)",
    ],
    [
      on("untrained"),
      "untrained has the folder val but no folder train with folders of classes (from --data-dir)",
    ],
    [
      on("unequal"),
      "unequal/test has the class eel, but unequal/train does not; a network can only learn classes of its training images (from --data-dir)",
    ],
    [
      `${on("pets")} --image-size 1`,
      "lenet5 cannot take images of 1x1x1 to 10 classes: conv1: convolution: a window of 5x5 does not fit in an image of 1x1 with padding [0, 0] (from --image-size)",
    ],
    [
      `${on("pets")} --image-size 0`,
      "imageSize must be an integer from 1 to 4096, got 0 (from --image-size)",
    ],
    [
      `${on("pets")} --image-size 28x28`,
      'imageSize must be an integer from 1 to 4096, got "28x28" (from --image-size)',
    ],
    ["train --config words.json", 'imageSize must be an integer from 1 to 4096, got "32" (from words.json)'],
    [`${on("pets")} --channels 2`, "channels must be 1 (grey) or 3 (colour), got 2 (from --channels)"],
    [`${on("pets")} --channels rgb`, 'channels must be 1 (grey) or 3 (colour), got "rgb" (from --channels)'],
    [
      "train lenet5 --image-size 32",
      "imageSize has no effect without data imagenet or images (from --image-size)",
    ],
    [`${training} --channels 3`, "channels has no effect without data imagenet or images (from --channels)"],
    [`${on("pets")} --validation 6`, "validation must be an integer from 0 to 5, got 6 (from --validation)"],
    [
      `${on("pets")} --mirror http://host/`,
      "mirrors has an effect only with data mnist, fashion-mnist, kmnist or cifar10, and without dataDir (from --mirror)",
    ],
    [
      "train --resume pet-run --data-dir strange --epochs 2",
      "strange is not the data that pet-run was started with; resume it with the same, or start another run (from --data-dir)",
    ],
    [
      "train --resume pet-run --data-dir fake --epochs 2",
      `fake/cat/b.png cannot be read as an image: its format is unknown; ${mend}`,
    ],
    [
      "train --resume pet-run --image-size 32 --epochs 2",
      "imageSize is 32, but pet-run was started without it; resume it with the same, or start another run (from --image-size)",
    ],
    [
      "eval pet-run --data-dir strange",
      "strange has the class eel, which the network was not trained on; it knows cat, dog (from --data-dir)",
    ],
    [
      "eval run --data images",
      "dataDir is needed for data images: a folder with a folder of images for each class (set it with --data-dir)",
    ],
    [
      "eval run --data images --data-dir pets",
      "pets has the class cat, which the network was not trained on; it knows 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 (from --data-dir)",
    ],
    [
      "eval pet-run --data digits",
      "pet-run was trained to tell cat, dog apart, but the classes of digits are 0, 1, 2, 3, 4, 5, 6, 7, 8, 9; give images of the same classes in the same order (from --data)",
    ],
    ["eval pet-run --image-size 32", "unknown option '--image-size'; see fewbit eval --help"],
  ])("fewbit %s", refused);
});

describe("predictions", () => {
  const image = "pets/cat/a.png";
  const wrong = (key: string) => `is damaged: "${key}" is not what a run writes`;
  test.each([
    ["predict", "missing required argument 'folder'; see fewbit predict --help"],
    ["predict run", "missing required argument 'files'; see fewbit predict --help"],
    [`predict nowhere ${image}`, "nowhere holds no run: there is no config.json"],
    [`predict pets ${image}`, "pets holds no run: there is no config.json"],
    ["predict run nowhere.png", "cannot read nowhere.png: there is no such file"],
    [`predict run ${image} nowhere.png`, "cannot read nowhere.png: there is no such file"],
    ["predict run pets", "cannot read pets: it is a folder"],
    ["predict run circle/cat/z.png", "cannot read circle/cat/z.png: its symbolic links go in a circle"],
    [
      "predict run drawing.png",
      "drawing.png cannot be read as an image: its format is svg; replace it, save it again with another program, or move it elsewhere (PNG, JPEG, WebP, GIF, TIFF, AVIF, BMP and PNM can be read)",
    ],
    [
      "predict run notes.txt",
      "notes.txt cannot be read as an image: its format is unknown; replace it, save it again with another program, or move it elsewhere (PNG, JPEG, WebP, GIF, TIFF, AVIF, BMP and PNM can be read)",
    ],
    [`predict run ${image} --data digits`, "unknown option '--data'; see fewbit predict --help"],
    [`predict run ${image} --threads 0`, "threads must be an integer from 1 to 64, got 0 (from --threads)"],
    [
      `predict unprepared ${image}`,
      "unprepared does not say how its images were prepared; train it again with this fewbit",
    ],
    [`predict flat ${image}`, `flat/config.json ${wrong("preparation.std.0")}`],
    [`predict coloured ${image}`, `coloured/config.json ${wrong("preparation")}`],
    [`predict shapeless ${image}`, `shapeless/config.json ${wrong("model.input")}`],
    [
      `predict code ${image}`,
      "code was trained from code, with a network of its own; add --model FILE, or classify there, with predictRun()",
    ],
    [
      `predict unfinished ${image}`,
      "unfinished/best.safetensors is not there: no epoch has ended yet, or the file is lost; resume the run",
    ],
    [
      `predict damaged ${image}`,
      "damaged/best.safetensors is not a sound safetensors file: it does not have the checksum that its header says, so it was damaged after it was written",
    ],
  ])("fewbit %s", refused);
});
