/** Image files whose pixels a function gives. */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { Sharp } from "sharp";
import sharp from "sharp";

/** The value of a pixel, or its red, green, blue and perhaps opacity. */
export type Pixel = (row: number, column: number) => number | readonly number[];

/** Writes an image, in the format that the file's name says, and returns the file. */
export async function writeImage(
  file: string,
  pixel: Pixel,
  [height, width]: readonly [number, number] = [8, 8],
  change = (s: Sharp) => s,
): Promise<string> {
  const values = Array.from({ length: height * width }, (_, i) =>
    pixel(Math.floor(i / width), i % width),
  ).flat();
  const channels = (values.length / (height * width)) as 1 | 3 | 4;
  mkdirSync(dirname(file), { recursive: true });
  await change(sharp(Buffer.from(values as number[]), { raw: { height, width, channels } })).toFile(file);
  return file;
}

/** Every pixel of one value. */
export const plain =
  (value: number): Pixel =>
  () =>
    value;
