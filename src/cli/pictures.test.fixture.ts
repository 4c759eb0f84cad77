/** Image files for the tests of the command line: digits that ship with the project, and plain colours. */
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import sharp from "sharp";

export interface Digit {
  readonly pixels: Buffer;
  readonly label: number;
}

const side = 28;

/** The digits of two of MNIST's files. */
export function digitsOf(folder: string, set: "train" | "t10k"): Digit[] {
  const read = (name: string) => gunzipSync(readFileSync(join(folder, `${set}-${name}-ubyte.gz`)));
  const [images, labels] = [read("images-idx3").subarray(16), read("labels-idx1").subarray(8)];
  return Array.from(labels, (label, i) => ({
    pixels: images.subarray(i * side * side, (i + 1) * side * side),
    label,
  }));
}

/** Writes digits as FOLDER/LABEL/INDEX.png, as they are or with light and dark exchanged; returns the paths. */
export function writeDigits(folder: string, digits: readonly Digit[], inverted = false): Promise<string[]> {
  return Promise.all(
    digits.map(async ({ pixels, label }, i) => {
      const path = join(folder, String(label), `${i}.png`);
      mkdirSync(dirname(path), { recursive: true });
      const grey = inverted ? pixels.map((value) => 255 - value) : pixels;
      await sharp(grey, { raw: { width: side, height: side, channels: 1 } }).toFile(path);
      return path;
    }),
  );
}

/** Writes an image of one colour but for a darker corner. */
export async function writeColour(
  path: string,
  [r, g, b]: readonly [number, number, number],
  [width, height] = [30, 20],
): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  const corner = { create: { width: 5, height: 5, channels: 3, background: { r: 9, g: 9, b: 9 } } } as const;
  const whole = { create: { width, height, channels: 3, background: { r, g, b } } } as const;
  await sharp(whole)
    .composite([{ input: await sharp(corner).png().toBuffer(), top: 8, left: 8 }])
    .toFile(path);
}
