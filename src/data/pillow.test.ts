/** Images in other sizes, and the grey of colours, beside Pillow's (tools/golden/pillow.py). */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, describe, expect, test } from "vitest";
import { decodeEach, decodeImages } from "./decode.js";
import { images } from "./images.js";
import { decodeRules } from "./rules.js";

interface Golden {
  readonly enlarged: readonly {
    readonly height: number;
    readonly width: number;
    readonly channels: 1 | 3;
    readonly side: number;
    readonly values: readonly number[];
  }[];
  readonly bilinear: readonly {
    readonly mode: "RGB" | "L" | "RGBA" | "CMYK";
    readonly height: number;
    readonly width: number;
    readonly side: number;
    readonly pixels: readonly number[];
    readonly values: readonly number[];
  }[];
  readonly resized: readonly {
    readonly height: number;
    readonly width: number;
    readonly wanted: readonly [height: number, width: number];
    readonly box?: readonly [left: number, top: number, right: number, bottom: number];
    readonly values: readonly number[];
  }[];
  readonly grey: readonly (readonly [red: number, green: number, blue: number, grey: number])[];
}

const golden = JSON.parse(
  readFileSync(new URL("../../tools/golden/data/pillow.json", import.meta.url), "utf8"),
) as Golden;
const folder = mkdtempSync(join(tmpdir(), "fewbit-pillow-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function written(
  pixels: readonly number[],
  height: number,
  width: number,
  channels: 1 | 3,
  orientation?: number,
): Promise<string> {
  const path = join(folder, "a.png");
  const image = sharp(Buffer.from(pixels), { raw: { height, width, channels } });
  await (orientation === undefined ? image : image.withMetadata({ orientation })).png().toFile(path);
  return path;
}

/** By the formula of the script. */
const pixelsOf = (height: number, width: number, channels: number): number[] =>
  Array.from({ length: height * width * channels }, (_, i) => {
    const [y, x, c] = [Math.floor(i / channels / width), Math.floor(i / channels) % width, i % channels];
    return (y * 37 + x * 101 + c * 59 + y * x * 13) % 256;
  });

const largestError = (values: ArrayLike<number>, expected: readonly number[]): number =>
  Math.max(...expected.map((value, i) => Math.abs(values[i] - value)));

test.each(golden.resized)(
  "$height x $width pixels become $wanted, of the part $box",
  async ({ height, width, wanted, box, values }) => {
    const path = await written(pixelsOf(height, width, 3), height, width, 3);
    const shape = [...wanted, 3] as const;
    if (box === undefined) {
      expect(Array.from(await decodeImages([path], { shape }))).toEqual(values);
      return;
    }
    const [left, top, right, bottom] = box;
    const crop = () => ({ left, top, width: right - left, height: bottom - top });
    const shown: number[] = [];
    await decodeEach([{ path }], { shape, crop }, (pixels) => shown.push(...pixels));
    expect(shown).toEqual(values);
  },
);

test("a small image in grey is the grey of its colours, resized", async () => {
  const [{ height, width, wanted, values }] = golden.resized;
  const path = await written(pixelsOf(height, width, 3), height, width, 3);
  const colours = await written(values, ...wanted, 3);
  const expected = await decodeImages([colours], { shape: [...wanted, 1] });
  await written(pixelsOf(height, width, 3), height, width, 3);
  expect(await decodeImages([path], { shape: [...wanted, 1] })).toEqual(expected);
});

/** The rules of runs that began before images were resized by the triangle filter. */
const before = { ...decodeRules, resize: "centred" } as const;

test.each(golden.enlarged)(
  "$height x $width pixels of $channels channels become $side x $side in runs of before",
  async ({ height, width, channels, side, values }) => {
    const path = await written(pixelsOf(height, width, channels), height, width, channels);
    const image = await decodeImages([path], { shape: [side, side, channels], rules: before });
    expect(image).toHaveLength(values.length);
    expect(largestError(image, values)).toBeLessThan(0.51); // half a step of a byte
  },
);

describe.each(golden.bilinear)("$height x $width pixels of $mode to $side", (of) => {
  const { mode, height, width, side, pixels, values } = of;
  test("are read and resized bit for bit as the published framework does it", async () => {
    const channels = (pixels.length / height / width) as 1 | 3 | 4;
    const raw = sharp(Buffer.from(pixels as number[]), { raw: { height, width, channels } });
    const path = join(folder, mode === "CMYK" ? "a.tif" : "a.png");
    if (mode === "CMYK") writeFileSync(path, tiff(of));
    else await raw.toColourspace(mode === "L" ? "b-w" : "srgb").toFile(path);
    // Neither a profile nor what the camera says has an effect.
    const shown: number[] = [];
    const shape = [side, side, 3] as const;
    const rules = { reader: "pillow", frame: "stretched" } as const;
    await decodeEach([{ path }], { shape, rules, isFrame: true }, (decoded) => shown.push(...decoded));
    expect(shown).toEqual(values);
  });
});

/** An uncompressed TIFF of cyan, magenta, yellow and black, which the decoder cannot write without a profile. */
function tiff({ height, width, pixels }: Golden["bilinear"][number]): Buffer {
  const entries = [
    [256, 4, 1, width],
    [257, 4, 1, height],
    [258, 3, 4, 0], // bits a sample: behind the entries
    [259, 3, 1, 1],
    [262, 3, 1, 5],
    [273, 4, 1, 0], // the pixels: behind those
    [277, 3, 1, 4],
    [278, 4, 1, height],
    [279, 4, 1, pixels.length],
    [284, 3, 1, 1],
  ];
  const bitsAt = 8 + 2 + entries.length * 12 + 4;
  entries[2][3] = bitsAt;
  entries[5][3] = bitsAt + 8;
  const head = Buffer.alloc(bitsAt + 8);
  head.write("II*\0", "latin1");
  head.writeUInt32LE(8, 4);
  head.writeUInt16LE(entries.length, 8);
  entries.forEach(([tag, type, count, value], i) => {
    head.writeUInt16LE(tag, 10 + i * 12);
    head.writeUInt16LE(type, 12 + i * 12);
    head.writeUInt32LE(count, 14 + i * 12);
    head.writeUInt32LE(value, 18 + i * 12);
  });
  for (let i = 0; i < 4; i++) head.writeUInt16LE(8, bitsAt + 2 * i);
  return Buffer.concat([head, Buffer.from(pixels as number[])]);
}

test("what the camera turned is enlarged the way up that it says", async () => {
  const turned = golden.enlarged.find(({ height, width }) => height !== width);
  if (turned === undefined) throw new Error("the golden images are all square");
  const { height, width, channels, side, values } = turned;
  const pixels = pixelsOf(height, width, channels);
  // Orientation 6: what the file holds, turned clockwise, is the picture; so its rows are the picture's columns.
  const file = Array.from({ length: width }, (_, i) => width - 1 - i).flatMap((x) =>
    Array.from({ length: height }, (_, y) => pixels.slice((y * width + x) * channels).slice(0, channels)),
  );
  const path = await written(file.flat(), width, height, channels, 6);
  const image = await decodeImages([path], { shape: [side, side, channels], rules: before });
  expect(largestError(image, values)).toBeLessThan(0.51);
});

test("a grey enlarged image is the grey of its colours, enlarged", async () => {
  const [{ height, width, side, values }] = golden.enlarged;
  const pixels = pixelsOf(height, width, 1).flatMap((value) => [value, value, value]);
  const image = await decodeImages([await written(pixels, height, width, 3)], {
    shape: [side, side, 1],
    rules: before,
  });
  expect(largestError(image, values)).toBeLessThan(0.51);
});

test("runs of the first versions have their enlargement, half an output pixel right and down", async () => {
  // A ramp of 16 a pixel, at twice the size: pixel x lies at (x + 1/2) / 2 - 1/2 of it, centre to centre,
  // and lay at x / 2 - 1/2.
  const ramp = Array.from({ length: 256 }, (_, i) => 16 * (i % 16));
  const path = await written(ramp, 16, 16, 1);
  const row = async (rules: object) =>
    Array.from(await decodeImages([path], { shape: [32, 32, 1], rules })).slice(32 * 16 + 8, 32 * 16 + 24);
  const inside = Array.from({ length: 16 }, (_, i) => i + 8);
  expect(await row(before)).toEqual(inside.map((x) => 8 * x - 4));
  expect(await row({})).toEqual(inside.map((x) => 8 * x - 8));
});

test("grey is what Pillow makes of colours, bit for bit", async () => {
  const path = await written(
    golden.grey.flatMap(([r, g, b]) => [r, g, b]),
    1,
    golden.grey.length,
    3,
  );
  const expected = golden.grey.map((colour) => colour[3]);
  // One row: the image keeps its size.
  expect(Array.from(await decodeImages([path], { shape: [1, golden.grey.length, 1] }))).toEqual(expected);
  // Pure red, green and blue: 0.299, 0.587 and 0.114 of 255.
  const pure = await written([255, 0, 0, 0, 255, 0, 0, 0, 255], 1, 3, 3);
  expect(Array.from(await decodeImages([pure], { shape: [1, 3, 1] }))).toEqual([76, 150, 29]);
});

test.each([{ grey: "bt709" }, { resize: true }, { gray: "rec601" }, "rec601"])(
  "rules %j are refused",
  async (rules) => {
    const loading = images({ directory: folder, shape: [8, 8, 1], rules: rules as never });
    await expect(loading).rejects.toThrow(
      /^rules must be rules of \{ resize: "triangle" or "centred", grey: "rec601", reduce: "accurate", files: "all", frame: "covered" or "stretched", reader: "pillow" \}, all or some, got /,
    );
  },
);
