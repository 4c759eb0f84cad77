import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UserError } from "../errors.js";
import { parseImages, parseLabels } from "./idx.js";
import { readUnpacked } from "./unpack.js";
import { datasets } from "./index.js";

/** Big-endian words, then bytes. */
function idx(words: readonly number[], bytes: readonly number[]): Uint8Array {
  const head = Buffer.alloc(4 * words.length);
  words.forEach((word, i) => head.writeUInt32BE(word, 4 * i));
  return Buffer.concat([head, Buffer.from(bytes)]);
}

const pixels = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
const images = idx([0x803, 2, 2, 3], pixels);
const labels = idx([0x801, 2], [7, 0]);

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "fewbit-idx-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

test("reads images and labels", () => {
  const parsed = parseImages(images, "f");
  expect([parsed.count, parsed.height, parsed.width]).toEqual([2, 2, 3]);
  expect(Array.from(parsed.data)).toEqual(pixels);
  expect(Array.from(parseLabels(labels, "f", 10))).toEqual([7, 0]);
});

describe("names what is wrong with", () => {
  const asImages = (bytes: Uint8Array) => () => parseImages(bytes, "some-file");
  const asLabels = (bytes: Uint8Array) => () => parseLabels(bytes, "some-file", 10);
  test.each<[string, () => unknown, RegExp]>([
    ["labels given as images", asImages(Buffer.concat([labels, Buffer.alloc(8)])), /holds labels.*swapped/],
    ["images given as labels", asLabels(images), /holds images.*swapped/],
    [
      "another kind of file",
      asImages(Buffer.from("PNG, or something else")),
      /not an IDX file.*0x504e472c.*0x00000803/,
    ],
    ["an empty file", asImages(new Uint8Array(0)), /cut short: it has 0 bytes/],
    ["a header cut short", asLabels(labels.subarray(0, 7)), /cut short: it has 7 bytes/],
    ["images cut short", asImages(images.subarray(0, 27)), /cut short.*need 28 bytes, it has 27/],
    ["labels cut short", asLabels(labels.subarray(0, 9)), /cut short.*need 10 bytes, it has 9/],
    ["trailing bytes", asImages(Buffer.concat([images, Buffer.alloc(3)])), /3 bytes too many/],
    ["trailing labels", asLabels(Buffer.concat([labels, Buffer.alloc(1)])), /1 bytes too many/],
    ["no images", asImages(idx([0x803, 0, 28, 28], [])), /0 images/],
    ["images without height", asImages(idx([0x803, 2, 0, 28], [])), /2 images of 0x28/],
    [
      "a count beyond the file",
      asImages(idx([0x803, 0xffffffff, 28, 28], pixels)),
      /cut short: 4294967295 images/,
    ],
    [
      "an absurd extent",
      asImages(idx([0x803, 1, 0xffffffff, 0xffffffff], pixels)),
      /1 images of 4294967295x/,
    ],
    [
      "a label out of range",
      asLabels(idx([0x801, 3], [9, 10, 255])),
      /label 10 at position 1; labels are 0 to 9/,
    ],
  ])("%s", (_name, parse, message) => {
    expect(parse).toThrow(UserError);
    expect(parse).toThrow(message);
    expect(parse).toThrow(/^some-file /);
  });
});

describe("gzip", () => {
  const packed = gzipSync(images);
  const damaged = Buffer.from(packed);
  damaged[damaged.length - 6] ^= 1; // the checksum
  test.each([
    ["a packed file", packed, undefined],
    ["an unpacked one", images, undefined],
    ["a packed file cut short", packed.subarray(0, 20), /corrupt or cut short/],
    ["a packed file with a wrong checksum", damaged, /corrupt or cut short/],
  ])("%s", async (_name, bytes, message) => {
    const path = join(directory, "file.bin");
    writeFileSync(path, bytes);
    if (message === undefined) expect(Buffer.from(await readUnpacked(path)).equals(images)).toBe(true);
    else await expect(readUnpacked(path)).rejects.toThrow(message);
  });

  test("a missing file", async () => {
    await expect(readUnpacked(join(directory, "none"))).rejects.toThrow(
      /cannot read .*none: there is no such file/,
    );
  });
});

describe("mnist", () => {
  const square = (count: number) => idx([0x803, count, 28, 28], Array<number>(count * 784).fill(count));
  const write = (files: Record<string, Uint8Array>) => {
    const path = mkdtempSync(join(directory, "mnist-"));
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(path, name), bytes);
    return path;
  };
  const good = {
    "train-images-idx3-ubyte": square(3),
    "train-labels-idx1-ubyte.gz": gzipSync(idx([0x801, 3], [1, 2, 3])),
    "t10k-images.idx3-ubyte": square(2),
    "t10k-labels-idx1-ubyte": labels,
  };

  test("takes every usual name, packed or not, and the checksum is of the unpacked bytes", async () => {
    const one = await datasets.mnist({ directory: write(good) });
    expect([one.train.count, one.test.count, Array.from(one.train.labels)]).toEqual([3, 2, [1, 2, 3]]);
    const { "train-images-idx3-ubyte": plain, ...rest } = good;
    const other = await datasets.mnist({
      directory: write({ ...rest, "train-images-idx3-ubyte.gz": gzipSync(plain) }),
    });
    expect(other.checksum).toBe(one.checksum);
  });

  test("takes a file from a folder of its name, and passes over one that does not hold it", async () => {
    const { checksum } = await datasets.mnist({ directory: write(good) });
    const { "train-images-idx3-ubyte": images, ...rest } = good;
    const nested = write(rest);
    mkdirSync(join(nested, "train-images-idx3-ubyte"));
    writeFileSync(join(nested, "train-images-idx3-ubyte/train-images-idx3-ubyte"), images);
    expect((await datasets.mnist({ directory: nested })).checksum).toBe(checksum);
    const beside = write({ ...rest, "train-images.idx3-ubyte": images });
    mkdirSync(join(beside, "train-images-idx3-ubyte"));
    expect((await datasets.mnist({ directory: beside })).checksum).toBe(checksum);
  });

  test.each<[string, Record<string, Uint8Array>, RegExp]>([
    [
      "images without as many labels",
      { "t10k-labels-idx1-ubyte": idx([0x801, 1], [1]) },
      /2 images but .* 1 labels/,
    ],
    [
      "images of another size",
      { "t10k-images.idx3-ubyte": idx([0x803, 2, 1, 1], [0, 0]) },
      /1x1; MNIST's are 28x28/,
    ],
  ])("refuses %s", async (_name, replaced, message) => {
    await expect(datasets.mnist({ directory: write({ ...good, ...replaced }) })).rejects.toThrow(message);
  });

  test("says which file is missing, and where", async () => {
    const { "t10k-labels-idx1-ubyte": _, ...rest } = good;
    await expect(datasets.mnist({ directory: write(rest) })).rejects.toThrow(
      /t10k-labels-idx1-ubyte or .*\.gz is not in/,
    );
    for (const name of ["none", "x".repeat(5000), "nu\0l"]) {
      const missing = datasets.mnist({ directory: join(directory, name) });
      await expect(missing).rejects.toThrow(UserError);
      await expect(missing).rejects.toThrow(/is not a directory/);
    }
  });
});

describe.each(["fashionMnist", "kmnist"] as const)("%s", (name) => {
  test("reads four files of MNIST's names, and counts mean and deviation of its training pixels", async () => {
    const path = mkdtempSync(join(directory, "namesake-"));
    const square = (count: number) =>
      idx(
        [0x803, count, 28, 28],
        [...Array(count * 784).keys()].map((i) => i % 256),
      );
    writeFileSync(join(path, "train-images-idx3-ubyte"), square(3));
    writeFileSync(join(path, "train-labels-idx1-ubyte"), idx([0x801, 3], [1, 2, 3]));
    writeFileSync(join(path, "t10k-images-idx3-ubyte"), square(2));
    writeFileSync(join(path, "t10k-labels-idx1-ubyte"), labels);
    const data = await datasets[name]({ directory: path });
    expect([data.classes, data.classNames?.length, data.train.count, data.test.count]).toEqual([
      10, 10, 3, 2,
    ]);
    const values = [...Array(3 * 784).keys()].map((i) => (i % 256) / 255);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    expect([data.mean[0], data.std[0]]).toEqual([
      expect.closeTo(mean, 12),
      expect.closeTo(Math.sqrt(variance), 12),
    ]);
    rmSync(join(path, "t10k-labels-idx1-ubyte"));
    const title = { fashionMnist: "Fashion-MNIST", kmnist: "KMNIST" }[name];
    await expect(datasets[name]({ directory: path })).rejects.toThrow(
      `is not in ${path}; fetch ${title}'s four files`,
    );
  });
});

test("the shipped digits are 10,000 and 2,000 images with MNIST's share of each class", async () => {
  const { train, test: held } = await datasets.digits();
  const shares = (labels: ArrayLike<number>) =>
    Array.from({ length: 10 }, (_, k) => Array.from(labels).filter((l) => l === k).length);
  // MNIST has 5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949 of 60,000 for training.
  expect(shares(train.labels)).toEqual([987, 1124, 993, 1022, 974, 904, 986, 1044, 975, 991]);
  // 980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009 of 10,000 for test.
  expect(shares(held.labels)).toEqual([196, 227, 206, 202, 196, 178, 192, 206, 195, 202]);
  expect([train.count, held.count]).toEqual([10_000, 2_000]);
});
