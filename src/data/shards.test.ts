/** WebDataset shards: what is written, what is read of others, and that their images are those of folders. */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { evaluationBatches, trainingBatches } from "./batches.js";
import type { Dataset } from "./dataset.js";
import { imagenet } from "./imagenet.js";
import { images } from "./images.js";
import type { Pixel } from "./images.test.fixture.js";
import { plain, writeImage } from "./images.test.fixture.js";
import type { ShardOptions } from "./shard-writer.js";
import { writeShards } from "./shard-writer.js";
import { membersOf } from "./tar.js";

const parent = mkdtempSync(join(tmpdir(), "fewbit-shards-"));
afterAll(() => rmSync(parent, { recursive: true }));
const at = (...names: string[]) => join(parent, ...names);

const [tench, goldfish] = ["n01440764", "n01443537"];
const shape = [7, 7, 3] as const; // frames of 8
/** Colours that tell every pixel and every image apart. */
const speckled =
  (seed: number): Pixel =>
  (row, column) => [(40 * seed + 9 * row) % 256, (30 * column + seed) % 256, (row * column * seed) % 256];

let source: string;
let shards: string;
beforeAll(async () => {
  vi.stubEnv("FEWBIT_CACHE", at("cache"));
  source = at("source");
  const files = [
    // Two would be one sample, and one is two by its dots.
    ...[`train/${tench}/1.png`, `train/${tench}/1.jpg`, `train/${tench}/a.b.png`, `train/${tench}/a-b.JPEG`],
    ...[`train/${goldfish}/10.png`, `train/${goldfish}/2.webp`, `train/${goldfish}/\u00e9.png`],
    ...[`val/${tench}/1.png`, `val/${goldfish}/x.png`, `val/${goldfish}/y.jpg`],
  ];
  for (const [i, name] of files.entries()) {
    await writeImage(join(source, name.replace(/JPEG$/, "jpg")), speckled(i + 1), [20 + i, 40 - i]);
    if (name.endsWith("JPEG")) {
      cpSync(join(source, name.replace(/JPEG$/, "jpg")), join(source, name));
      rmSync(join(source, name.replace(/JPEG$/, "jpg")));
    }
  }
  shards = at("shards");
  await write({});
});

const write = (options: Partial<ShardOptions>) => writeShards({ directory: source, out: shards, ...options });

/** The files of a set of shards, as if they were unpacked. */
async function unpacked(directory: string, to: string): Promise<string> {
  for (const name of readdirSync(directory).filter((one) => one.endsWith(".tar"))) {
    const bytes = readFileSync(join(directory, name));
    for (const file of await membersOf(join(directory, name), () => false)) {
      if (file.name.endsWith(".cls")) continue;
      const path = join(to, name.split("-")[0], file.name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, bytes.subarray(file.offset, file.offset + file.bytes));
    }
  }
  return to;
}

/** All values and labels of an epoch's batches, and of the test images. */
async function batchesOf(data: Dataset): Promise<unknown> {
  const all: unknown[] = [];
  for (const batches of [
    trainingBatches(data, { batchSize: 3, seed: 4 }),
    evaluationBatches(data.test, data, 2),
  ]) {
    for (let step = 0; step < batches.steps; step++) {
      const values = new Float32Array(batches.size(step) * shape[0] * shape[1] * shape[2]);
      const labels = new Int32Array(batches.size(step));
      await batches.prepare(1, step, values, labels);
      all.push([values, labels]);
    }
  }
  return all;
}

describe.each([
  ["images", (directory: string) => images({ directory, shape })],
  ["images, decoded for each batch", (directory: string) => images({ directory, shape, memory: 0 })],
  ["imagenet", (directory: string) => imagenet({ directory, shape })],
  ["imagenet, preset redbit", (directory: string) => imagenet({ directory, shape, preset: "redbit" })],
])("data %s", (_, load) => {
  test.each([undefined, 16])("gives the batches of the folder of the same files, size %s", async (size) => {
    const [out, folder] = [at(`of-${size}`), at(`folder-${size}`)];
    await write({ out, size });
    const [ours, theirs] = [await load(out), await load(await unpacked(out, folder))];
    expect(ours.train.count).toBe(7);
    expect(ours.classNames).toEqual(theirs.classNames);
    expect(ours.checksum).toBe(theirs.checksum);
    expect(await batchesOf(ours)).toEqual(await batchesOf(theirs));
  });
});

test("a sample is an image and its class, and its name ends at its first dot", async () => {
  const train = await membersOf(join(shards, "train-000000.tar"), (name) => name.endsWith(".cls"));
  const names = train.map(({ name }) => name);
  expect([...names].sort()).toEqual([
    ...[`${tench}/1.cls`, `${tench}/1.jpg`, `${tench}/1_1.cls`, `${tench}/1_1.png`],
    ...[`${tench}/a-b.JPEG`, `${tench}/a-b.cls`, `${tench}/a_b.cls`, `${tench}/a_b.png`],
    ...[`${goldfish}/10.cls`, `${goldfish}/10.png`, `${goldfish}/2.cls`, `${goldfish}/2.webp`],
    ...[`${goldfish}/\u00e9.cls`, `${goldfish}/\u00e9.png`],
  ]);
  for (const [i, { name, content }] of train.entries()) {
    if (!name.endsWith(".cls")) continue;
    expect(content?.toString()).toBe(name.startsWith(tench) ? "0" : "1");
    expect(names[i - 1].startsWith(name.slice(0, -3))).toBe(true);
  }
  // Not by class: other readers take them as they come.
  const labels = train.flatMap(({ content }) => content?.toString() ?? []);
  expect(labels.join("")).not.toBe("0000111");
  expect(readFileSync(join(shards, "classes.txt"), "utf8")).toBe(`${tench}\n${goldfish}\n`);
  // Without a size, files are copied.
  const [{ offset, bytes }] = train.filter(({ name }) => name === `${tench}/a_b.png`);
  const copy = readFileSync(join(shards, "train-000000.tar")).subarray(offset, offset + bytes);
  expect(copy.equals(readFileSync(join(source, "train", tench, "a.b.png")))).toBe(true);
});

test("the shorter side of a larger image becomes the size, and an image that is not larger is copied", async () => {
  const [directory, out] = [at("sizes"), at("sized")];
  const sizes = { a: [64, 32], b: [33, 90], c: [16, 100], d: [15, 15] } as const;
  for (const [name, size] of Object.entries(sizes)) {
    for (const set of ["train/x", "train/y", "val/x"])
      await writeImage(join(directory, set, `${name}.png`), plain(90), size);
  }
  await writeShards({ directory, out, size: 16 });
  const found: Record<string, unknown> = {};
  for (const name of readdirSync((await unpacked(out, at("unsized"))) + "/val/x")) {
    const { format, height, width } = await sharp(at("unsized", "val", "x", name)).metadata();
    found[name] = [format, height, width];
  }
  expect(found).toEqual({
    "a.jpg": ["jpeg", 32, 16],
    "b.jpg": ["jpeg", 16, 44],
    "c.png": ["png", 16, 100],
    "d.png": ["png", 15, 15],
  });
});

describe("a writing that was interrupted", () => {
  const contents = (folder: string) =>
    Object.fromEntries(
      readdirSync(folder).map((name) => [name, readFileSync(join(folder, name)).toString("base64")]),
    );

  test("goes on, and ends with the same bytes", async () => {
    const out = at("interrupted");
    const options = { out, shardBytes: 8000 };
    expect((await write(options)).wereThere).toBe(false);
    const whole = contents(out);
    const tars = Object.keys(whole).filter((name) => name.startsWith("train-"));
    expect(tars.length).toBeGreaterThan(2);
    expect((await write(options)).wereThere).toBe(true);
    for (const lost of [
      ["fewbit.index"],
      tars.slice(1),
      [tars[0], "val-000000.tar"],
      ["classes.txt", "fewbit.index", ...tars],
    ]) {
      for (const name of lost) rmSync(join(out, name));
      expect((await write(options)).wereThere).toBe(false);
      expect(contents(out)).toEqual(whole);
    }
  });

  test("leaves nothing behind once it is whole", async () => {
    const left = join(shards, "train-000000.tar.0123456789ab.tmp");
    writeFileSync(left, "half of a shard");
    utimesSync(left, new Date(), new Date(Date.now() - 120_000));
    expect((await write({})).wereThere).toBe(true);
    expect(readdirSync(shards)).not.toContain("train-000000.tar.0123456789ab.tmp");
  });

  test("goes on with the same images and size alone", async () => {
    const refused = /holds shards of other images, or of another size; choose a new folder$/;
    await expect(write({ size: 16 })).rejects.toThrow(refused);
    await writeImage(join(source, "val", tench, "2.png"), plain(8));
    try {
      await expect(write({})).rejects.toThrow(refused);
    } finally {
      rmSync(join(source, "val", tench, "2.png"));
    }
    const before = contents(shards);
    writeFileSync(join(shards, "notes.md"), "");
    await expect(write({})).rejects.toThrow(/holds other files, such as notes.md; choose a new folder$/);
    rmSync(join(shards, "notes.md"));
    expect(contents(shards)).toEqual(before);
  });
});

test("images that cannot be read are named together, and whole shards stay", async () => {
  const directory = at("spoilt");
  cpSync(source, directory, { recursive: true });
  for (const name of ["10.png", "2.webp"]) writeFileSync(join(directory, "train", goldfish, name), "none");
  const writing = writeShards({ directory, out: at("unspoilt"), size: 16 });
  await expect(writing).rejects.toThrow(/^2 files cannot be read as images/);
  await expect(writing).rejects.toThrow(
    `${join(directory, "train", goldfish, "2.webp")}: its format is unknown`,
  );
  expect(readdirSync(at("unspoilt")).sort()).toEqual(["classes.txt", "shards.json"]);
});

test("shards are written from shards, too", async () => {
  const out = at("again");
  await writeShards({ directory: shards, out });
  const [again, before] = [
    await imagenet({ directory: out, shape }),
    await imagenet({ directory: shards, shape }),
  ];
  expect(again.checksum).toBe(before.checksum);
});

describe("shards of others", () => {
  const golden = (name: string) =>
    gunzipSync(
      readFileSync(fileURLToPath(new URL(`../../tools/golden/data/${name}.tar.gz`, import.meta.url))),
    );
  /** A folder with the two golden shards, of which one may be changed. */
  const others = (name: string, change: (bytes: Buffer) => Buffer | void = () => {}): string => {
    mkdirSync(at(name), { recursive: true });
    for (const shard of ["webdataset-train", "gnu-val"]) {
      const bytes = golden(shard);
      writeFileSync(at(name, `${shard}.tar`), shard === "gnu-val" ? (change(bytes) ?? bytes) : bytes);
    }
    return at(name);
  };
  const load = async (directory: string) => {
    const warnings: string[] = [];
    const data = await images({ directory, shape: [8, 8, 3], onWarning: (text) => warnings.push(text) });
    return { data, warnings };
  };

  test("are read with the headers of pax and of GNU, classes from .cls or .json", async () => {
    const { data, warnings } = await load(others("golden"));
    expect(data.classNames).toEqual(["0", "1", "2"]);
    expect([...data.train.labels, ...data.test.labels]).toEqual([0, 0, 1, 2, 0, 1, 2]);
    const { images: pixels } = data.train as { images: Uint8Array };
    const colours = [0, 1, 2, 3].map((i) => [...pixels.subarray(192 * i, 192 * i + 3)]);
    const written = [
      [220, 40, 40],
      [200, 20, 20],
      [20, 200, 20],
      [20, 20, 200],
    ];
    for (const [i, colour] of colours.entries()) {
      for (const [c, value] of colour.entries()) expect(Math.abs(value - written[i][c])).toBeLessThan(4);
    }
    expect(warnings[0]).toBe(`ignored in ${at("golden")}: 1 sample without an image`);
    // And from the index that the first reading left in the cache.
    expect((await load(at("golden"))).data.checksum).toBe(data.checksum);
  });

  test("lie in folders of sets as well, with names of the classes beside them", async () => {
    const directory = at("nested");
    for (const [set, shard] of [
      ["train", "webdataset-train"],
      ["validation", "gnu-val"],
    ]) {
      mkdirSync(join(directory, set), { recursive: true });
      writeFileSync(join(directory, set, "0000.tar"), golden(shard));
    }
    writeFileSync(join(directory, "classes.txt"), "red\ngreen\nblue\n");
    const { data } = await load(directory);
    expect([data.classNames, data.train.count, data.test.count]).toEqual([["red", "green", "blue"], 4, 3]);
    // As ImageNet's, without names they are its classes in order.
    rmSync(join(directory, "classes.txt"));
    const { classNames, test: scored } = await imagenet({ directory, shape });
    expect([classNames, scored.count]).toEqual([["tench", "goldfish", "great white shark"], 3]);
    const some = await imagenet({ directory, shape, classes: 2 });
    expect([some.train.count, [...some.test.labels]]).toEqual([3, [0, 1]]);
  });

  test.each([
    [
      "cut",
      (bytes: Buffer) => bytes.subarray(0, 3000),
      /gnu-val.tar cannot be read as a tar archive: it is cut short: it ends after 3000 bytes without the mark of its end$/,
    ],
    [
      "cut within a file",
      (bytes: Buffer) => bytes.subarray(0, 1600),
      /gnu-val.tar cannot .*: it is cut short: (long_)+.PNG at byte 1536 has 77 bytes, and the archive ends after 1600$/,
    ],
    [
      "damaged",
      (bytes: Buffer) => void bytes.fill(7, 2048, 2060),
      /gnu-val.tar cannot .*: it is damaged: there is no header of a file at byte 2048$/,
    ],
    [
      "of another class",
      (bytes: Buffer) => void bytes.write("x", bytes.indexOf("a.cls") + 512),
      /gnu-val.tar has "x" for the class of a \(a.cls at byte 4608\); it must be a number from 0$/,
    ],
    [
      "of no class",
      (bytes: Buffer) => void bytes.write("labels", bytes.indexOf('"label"') + 1),
      /for the class of b \(b.json at byte/,
    ],
  ])("that are %s are refused with the place", async (name, change, message) => {
    await expect(load(others(name, change))).rejects.toThrow(message);
  });

  test("that change later are refused with the image, when it is read", async () => {
    const directory = others("later");
    const data = await images({ directory, shape: [8, 8, 3], memory: 0 });
    const read = () =>
      evaluationBatches(data.test, data, 3).prepare(0, 0, new Float32Array(3 * 192), new Int32Array(3));
    await read();
    const path = join(directory, "gnu-val.tar");
    const bytes = readFileSync(path);
    const header = bytes.indexOf("b.png");
    bytes.write("c", header);
    writeFileSync(path, bytes);
    await expect(read()).rejects.toThrow(
      `cannot read ${path}: b.png at byte ${header + 512}: the archive is damaged or another there`,
    );
    writeFileSync(path, bytes.subarray(0, header + 520));
    await expect(read()).rejects.toThrow(
      `cannot read ${path}: b.png at byte ${header + 512}: the archive ends after ${header + 520} bytes`,
    );
  });

  test("need names that say what is to be trained on, and both sets", async () => {
    const directory = at("nameless");
    mkdirSync(directory);
    writeFileSync(join(directory, "0000.tar"), golden("gnu-val"));
    await expect(load(directory)).rejects.toThrow(
      /^the names of the archives in .*nameless, such as 0000.tar, do not say what is to be trained on; /,
    );
    writeFileSync(join(directory, "train-0.tar"), golden("webdataset-train"));
    await expect(load(directory)).rejects.toThrow(
      /nameless has shards to train on, but none to test with, such as val-000000.tar; add some$/,
    );
    writeFileSync(join(directory, "classes.txt"), "red\ngreen");
    await expect(load(directory)).rejects.toThrow(
      /classes.txt names 2 classes, but an image is of class 2; classes are counted from 0, in the order of its lines$/,
    );
    writeFileSync(join(directory, "classes.txt"), "red\ngreen\nred");
    await expect(load(directory)).rejects.toThrow(/classes.txt names the class red twice; /);
  });

  test("beside folders of classes, archives are no shards", async () => {
    const directory = at("beside");
    cpSync(source, directory, { recursive: true });
    writeFileSync(join(directory, "ILSVRC2012_img_train.tar"), "whatever");
    expect((await imagenet({ directory, shape })).train.count).toBe(7);
  });
});
