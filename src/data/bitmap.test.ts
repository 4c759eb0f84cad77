/** BMP and Netpbm beside what Pillow reads in them (tools/golden/bitmaps.py). */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { UserError } from "../errors.js";
import { bitmapOf } from "./bitmap.js";
import { decodeImages } from "./decode.js";

interface Golden {
  readonly name: string;
  /** The file's bytes as base64. */
  readonly file: string;
  /** Red, green and blue by rows. */
  readonly values: readonly number[];
}

const golden = JSON.parse(
  readFileSync(new URL("../../tools/golden/data/bitmaps.json", import.meta.url), "utf8"),
) as Golden[];
const bytesOf = (name: string): Buffer => {
  const one = golden.find((other) => other.name === name);
  if (one === undefined) throw new Error(`there is no golden ${name}`);
  return Buffer.from(one.file, "base64");
};

const folder = mkdtempSync(join(tmpdir(), "fewbit-bitmap-"));
afterAll(() => rmSync(folder, { recursive: true }));

const [height, width] = [3, 5];

async function decoded(bytes: Uint8Array, channels = 3): Promise<number[]> {
  const path = join(folder, "image");
  writeFileSync(path, bytes);
  return Array.from(await decodeImages([path], { shape: [height, width, channels] }));
}

test.each(golden)("$name has the pixels that Pillow reads", async ({ file, values }) => {
  const pixels = await decoded(Buffer.from(file, "base64"));
  expect(pixels).toHaveLength(values.length);
  // Pillow blends opacity, and shortens 16 bits, with another rounding.
  expect(Math.max(...values.map((value, i) => Math.abs(value - pixels[i])))).toBeLessThanOrEqual(1);
});

test("a grey image is grey, and a coloured one becomes it", async () => {
  const pgm = bytesOf("pgm of bytes");
  expect(await decoded(pgm, 1)).toEqual(Array.from(pgm.subarray(-15)));
  expect(bitmapOf(pgm)?.read().channels).toBe(1);
  const [ppm] = golden.filter(({ name }) => name === "ppm of bytes");
  const expected = Array.from({ length: 15 }, (_, i) => {
    const [r, g, b] = ppm.values.slice(3 * i);
    return (19595 * r + 38470 * g + 7471 * b + 32768) >> 16;
  });
  expect(await decoded(bytesOf("ppm of bytes"), 1)).toEqual(expected);
});

test("other files are none", () => {
  for (const text of ["", "B", "P", "P7\n", "P0 1 1", "\x89PNG"])
    expect(bitmapOf(Buffer.from(text))).toBeUndefined();
});

describe("a bitmap that cannot be read is refused with the reason:", () => {
  const refusal = async (bytes: Uint8Array): Promise<string> => {
    const error: unknown = await decoded(bytes).catch((failed: unknown) => failed);
    expect(error).toBeInstanceOf(UserError);
    return (error as UserError).message.split(": ").slice(1).join(": ").split("; ")[0];
  };

  test("each that is cut short, wherever", async () => {
    for (const { name, file } of golden) {
      const bytes = Buffer.from(file, "base64");
      // What may be missing at a text's end is its last blank.
      for (const length of [bytes.length - 4, bytes.length >> 1, 9, 3]) {
        const message = await refusal(bytes.subarray(0, length));
        expect([name, length, /cut short|format is unknown|palette lacks/.test(message)]).toEqual([
          name,
          length,
          true,
        ]);
      }
    }
  });

  test("a BMP that is compressed", async () => {
    const bytes = bytesOf("bmp of 8 bits");
    bytes.writeUInt32LE(1, 30);
    expect(await refusal(bytes)).toBe("it is a compressed BMP, of which none is read");
  });

  test("a BMP of a colour that its palette lacks", async () => {
    const bytes = bytesOf("bmp of 4 bits");
    bytes.writeUInt32LE(3, 46);
    expect(await refusal(bytes)).toBe("it has pixels of a colour that its palette lacks");
  });

  test.each([
    ["bmp of 24 bits", 18, 70_000],
    ["bmp of 24 bits", 22, -70_000],
  ])("%s with %i changed to %i", async (name, at, extent) => {
    const bytes = bytesOf(name);
    bytes.writeInt32LE(extent, at);
    expect(await refusal(bytes)).toMatch(/^its header says \d+x\d+ pixels, more than 65535 a side$/);
  });

  test.each([
    ["P5 60000 60000 255\n", "it has 60000x60000 pixels, and up to 268,402,689 are read"],
    ["P5 16000 16000 255\n", "it is cut short"],
    ["P2 2 1 255 7 x", "its header is damaged or cut short"],
    ["P2 2 1 0 7 7", "its header is damaged or cut short"],
    ["P2 0 1 255 7 7", "its header is damaged or cut short"],
    ["P1 2 1 12", "its header is damaged or cut short"],
    ["P3 99999999999 1 255", "its header is damaged or cut short"],
  ])("%j", async (text, message) => {
    expect(await refusal(Buffer.from(text))).toBe(message);
  });
});
