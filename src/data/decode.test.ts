/** What an image file becomes, from files made here pixel by pixel. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Sharp } from "sharp";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decodeImages } from "./decode.js";
import type { Pixel } from "./images.test.fixture.js";
import { plain, writeImage } from "./images.test.fixture.js";
import type { DecodeRules } from "./rules.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-decode-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (
  path: string,
  pixel: Pixel,
  size?: [number, number],
  change?: (s: Sharp) => Sharp,
): Promise<string> => writeImage(join(folder, path), pixel, size, change);

async function read(
  path: string,
  shape: readonly [number, number, number],
  invert = false,
): Promise<number[]> {
  return Array.from(await decodeImages([path], { shape, invert }));
}

describe("an image becomes pixels", () => {
  const ramp: Pixel = (row, column) => row * 8 + column;
  const colours: Pixel = (row, column) => [row * 30, column * 30, 255 - row];

  test.each(["png", "webp", "tiff"])("as they are, from %s without loss", async (extension) => {
    const path = await write(`a.${extension}`, ramp, [8, 8], (s) =>
      extension === "webp"
        ? s.webp({ lossless: true })
        : extension === "tiff"
          ? s.tiff({ compression: "lzw" })
          : s,
    );
    expect(await read(path, [8, 8, 1])).toEqual(Array.from({ length: 64 }, (_, i) => i));
  });

  test.each(["jpg", "jpeg", "gif", "avif", "tif"])("nearly as they are, from %s", async (extension) => {
    const half: Pixel = (row) => (row < 4 ? 30 : 220);
    const values = await read(await write(`a.${extension}`, half), [8, 8, 1]);
    values.forEach((value, i) => expect(Math.abs(value - (i < 32 ? 30 : 220))).toBeLessThan(8));
  });

  test("in colour, row by row with the channels innermost", async () => {
    const path = await write("a.png", colours);
    const expected = Array.from({ length: 64 }, (_, i) => colours(Math.floor(i / 8), i % 8)).flat();
    expect(await read(path, [8, 8, 3])).toEqual(expected);
  });

  test("of one channel or three, whatever the file has", async () => {
    const grey = await write("grey.png", ramp, [8, 8], (s) => s.toColourspace("b-w"));
    expect((await sharp(grey).metadata()).channels).toBe(1);
    expect(await read(grey, [8, 8, 3])).toEqual(Array.from({ length: 64 }, (_, i) => [i, i, i]).flat());
    const same = await write("same.png", (row, column) => [
      row * 8 + column,
      row * 8 + column,
      row * 8 + column,
    ]);
    expect(await read(same, [8, 8, 1])).toEqual(Array.from({ length: 64 }, (_, i) => i));
  });

  test("grey by luminance in linear light, for runs of the first versions", async () => {
    // Luminance of Rec. 709 primaries, between the curves of sRGB (IEC 61966-2-1).
    const linear = (v: number) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const curved = (v: number) => (v <= 0.0031308 ? v * 12.92 : 1.055 * v ** (1 / 2.4) - 0.055);
    for (const [r, g, b] of [
      [255, 0, 0],
      [0, 255, 0],
      [0, 0, 255],
      [200, 30, 90],
    ]) {
      const [lr, lg, lb] = [r, g, b].map((v) => linear(v / 255));
      const expected = 255 * curved(0.2126 * lr + 0.7152 * lg + 0.0722 * lb);
      const path = await write("a.png", () => [r, g, b]);
      const [value] = await decodeImages([path], { shape: [8, 8, 1], rules: {} });
      expect(Math.abs(value - expected)).toBeLessThan(1.5);
    }
  });

  test("of another size by scaling both ways", async () => {
    const quarters: Pixel = (row, column) => [10, 90, 170, 250][2 * Number(row >= 20) + Number(column >= 20)];
    for (const side of [8, 100]) {
      const values = await read(await write("a.png", quarters, [40, 40]), [side, side, 1]);
      const at = (y: number, x: number) => values[Math.floor(y * side) * side + Math.floor(x * side)];
      const middles = [at(0.2, 0.2), at(0.2, 0.8), at(0.8, 0.2), at(0.8, 0.8)];
      // The window of the scaling reaches over the edges, a little.
      middles.forEach((value, i) => expect(Math.abs(value - [10, 90, 170, 250][i])).toBeLessThan(3));
    }
  });

  test("cut to the middle where it is not square", async () => {
    const stripe: Pixel = (_row, column) => (column >= 10 && column < 20 ? 200 : 7);
    expect(await read(await write("wide.png", stripe, [10, 30]), [10, 10, 1])).toEqual(Array(100).fill(200));
    const band: Pixel = (row) => (row >= 10 && row < 20 ? 200 : 7);
    expect(await read(await write("tall.png", band, [30, 10]), [10, 10, 1])).toEqual(Array(100).fill(200));
  });

  test("the way up that the camera says", async () => {
    // Orientation 6: the top of the picture is the file's left column turned clockwise.
    const path = await write("a.png", ramp, [8, 8], (s) => s.withMetadata({ orientation: 6 }));
    const expected = Array.from({ length: 64 }, (_, i) => ramp(7 - (i % 8), Math.floor(i / 8)));
    expect(await read(path, [8, 8, 1])).toEqual(expected);
  });

  test("on white where it is transparent", async () => {
    const path = await write("a.png", (_row, column) => [40, 40, 40, column < 4 ? 255 : 0]);
    const expected = Array.from({ length: 64 }, (_, i) => (i % 8 < 4 ? 40 : 255));
    expect(await read(path, [8, 8, 1])).toEqual(expected);
  });

  test("reduced, from JPEG nearly as from PNG", async () => {
    // Fine texture and edges, as the decoder's fast reduction blurs or shifts them.
    const texture: Pixel = (row, column) => {
      const bright = (row >> 3) % 5 < 2 !== (column >> 2) % 7 < 3 ? 150 : 40;
      return [bright + ((row * 7 + column * 13) % 60), bright, 255 - bright];
    };
    const jpeg = await write("a.jpg", texture, [200, 250], (s) => s.jpeg({ quality: 95 }));
    const png = join(folder, "a.png");
    await sharp(jpeg).png().toFile(png);
    const difference = async (side: number, rules?: DecodeRules): Promise<number> => {
      const [a, b] = await Promise.all(
        [jpeg, png].map((path) => decodeImages([path], { shape: [side, side, 3], rules })),
      );
      return a.reduce((sum, value, i) => sum + Math.abs(value - b[i]), 0) / a.length;
    };
    const first = { resize: "centred", grey: "rec601" } as const;
    // What is reduced by 7.1, 6.25 and 3.1.
    for (const side of [28, 32, 64])
      expect(3 * (await difference(side))).toBeLessThan(await difference(side, first));
    // Less than by two: nothing is left to the fast reduction.
    expect(await difference(110)).toBe(0);
  });

  test("with light and dark exchanged if asked", async () => {
    const path = await write("a.png", ramp);
    expect(await read(path, [8, 8, 1], true)).toEqual(Array.from({ length: 64 }, (_, i) => 255 - i));
  });

  test("each file's own in a long row of files", async () => {
    const paths = await Promise.all(Array.from({ length: 30 }, (_, i) => write(`${i}.png`, plain(i))));
    const reported: number[] = [];
    const all = await decodeImages(paths, { shape: [8, 8, 1], onProgress: (done) => reported.push(done) });
    expect(Array.from(all)).toEqual(paths.flatMap((_, i) => Array<number>(64).fill(i)));
    expect(reported).toEqual(paths.map((_, i) => i + 1));
  });

  test("not if they need more memory than there is", async () => {
    const path = await write("a.png", ramp);
    await expect(
      decodeImages(Array<string>(100_000).fill(path), { shape: [65536, 65536, 3] }),
    ).rejects.toThrow(
      /^100000 images of 65536x65536x3 need 1200000\.0 GiB of memory, more than there is \([\d.]+ GiB\); choose a smaller imageSize$/,
    );
  });
});
