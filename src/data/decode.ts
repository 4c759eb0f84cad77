/**
 * Image files as a network's pixels.
 *
 * Turned as the camera says, on white where transparent, scaled so that the shorter side fits and cut
 * to the middle, grey by luminance in linear light. The decoder is loaded when the first image is read.
 */
import { readFile } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import type Sharp from "sharp";
import { UserError } from "../errors.js";

/** The extensions of the files that a folder of images is made of. */
export const extensions = [".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff", ".avif"];

/** What the decoder calls their formats; it reads more, such as drawings (SVG), which are programs rather than pixels. */
const formats: readonly string[] = ["png", "jpeg", "webp", "gif", "tiff", "heif", "avif"];

/** As long as a JPEG's can be. */
const longestSide = 65_535;

export interface DecodeOptions {
  /** Height, width and channels: 1 for grey, 3 for red, green and blue. */
  readonly shape: readonly [height: number, width: number, channels: number];
  /** Makes dark light and light dark. */
  readonly invert?: boolean;
  readonly onProgress?: (done: number) => void;
}

/**
 * Images [paths, height, width, channels] as bytes.
 *
 * @throws UserError that names the first file that cannot be read as an image.
 */
export async function decodeImages(paths: readonly string[], options: DecodeOptions): Promise<Uint8Array> {
  const { shape, invert = false, onProgress } = options;
  const [height, width, channels] = shape;
  const size = height * width * channels;
  const images = allocate(paths.length, shape);
  const sharp = await decoder();
  const failures: { index: number; error: unknown }[] = [];
  let next = 0;
  let done = 0;
  const work = async (): Promise<void> => {
    while (next < paths.length && failures.length === 0) {
      const index = next++;
      try {
        images.set(await decode(sharp, paths[index], shape), index * size);
        onProgress?.(++done);
      } catch (error) {
        failures.push({ index, error });
      }
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() + 1 }, work));
  // Files are begun in order, so the first of the bad ones is always among them.
  if (failures.length > 0) throw failures.reduce((a, b) => (a.index < b.index ? a : b)).error;
  if (invert) images.forEach((value, i) => (images[i] = 255 - value));
  return images;
}

async function decode(
  sharp: typeof Sharp,
  path: string,
  [height, width, channels]: DecodeOptions["shape"],
): Promise<Uint8Array> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new UserError(`cannot read ${path}: ${reasonOf(error)}`);
  });
  // Not in the decoder's words: those of several images that fail at a time are mixed.
  const unreadable = (reason: string): UserError =>
    new UserError(
      `${path} cannot be read as an image: ${reason}; mend or remove it (PNG, JPEG, WebP, GIF, TIFF and AVIF can be read)`,
    );
  if (bytes.length === 0) throw unreadable("it is empty");
  const image = sharp(bytes, { failOn: "error" });
  const sides = await image.metadata().catch(() => {
    throw unreadable("its format is unknown, or its header damaged");
  });
  if (!formats.includes(sides.format)) throw unreadable(`its format is ${sides.format}`);
  // A header that claims more would have the decoder take gigabytes for its rows.
  if (Math.max(sides.width, sides.height) > longestSide) {
    const size = `${sides.width}x${sides.height}`;
    throw unreadable(`its header says ${size} pixels, more than ${longestSide} a side`);
  }
  try {
    return await image
      .autoOrient()
      .resize(width, height, { fit: "cover" })
      .flatten({ background: "white" })
      .toColourspace(channels === 1 ? "b-w" : "srgb")
      .raw({ depth: "uchar" })
      .toBuffer();
  } catch {
    throw unreadable("it is damaged or cut short");
  }
}

/** Why a file or folder cannot be read, in words. */
export function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: "there is no such file",
    EACCES: "reading it is not allowed",
    EISDIR: "it is a folder",
    ELOOP: "its symbolic links go in a circle",
  };
  return reasons[code ?? ""] ?? code ?? message;
}

function allocate(count: number, shape: DecodeOptions["shape"]): Uint8Array {
  const bytes = count * shape[0] * shape[1] * shape[2];
  try {
    if (bytes <= totalmem()) return new Uint8Array(bytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  const gigabytes = (bytes / 2 ** 30).toFixed(1);
  throw new UserError(
    `${count} images of ${shape.join("x")} need ${gigabytes} GiB of memory, more than there is; choose a smaller imageSize`,
    "imageSize",
  );
}

async function decoder(): Promise<typeof Sharp> {
  try {
    process.env.VIPS_WARNING ??= "0"; // set at all, it keeps the decoder's warnings from standard error
    const { default: sharp } = await import("sharp");
    sharp.cache(false); // no file is read twice
    sharp.concurrency(1); // an image has one thread, several are read at a time
    return sharp;
  } catch (error) {
    const [reason] = (error as Error).message.split("\n");
    throw new UserError(
      `images are read by the package sharp, which does not load: ${reason}; mend it with npm install --include=optional sharp`,
    );
  }
}
