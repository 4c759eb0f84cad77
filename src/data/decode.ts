/**
 * Image files as a network's pixels.
 *
 * Turned as the camera says, on white where transparent, scaled so that the shorter side fits and cut
 * to the middle, grey by ITU-R BT.601. The decoder is loaded when the first image is read.
 */
import type { Metadata, default as Sharp } from "sharp";
import { UserError } from "../errors.js";
import { largest, readFileAside } from "../files/read.js";
import { whyUnread } from "../files/reasons.js";
import { arrayProblem, usableCpus, usableMemory } from "../machine.js";
import type { Box } from "./enlarge.js";
import { enlarge, reach } from "./enlarge.js";
import { onDisk } from "./paths.js";
import type { DecodeRules } from "./rules.js";
import { decodeRules } from "./rules.js";

/** The extensions of the files that a folder of images is made of. */
export const extensions = [".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff", ".avif"];

/** What the decoder calls their formats; it reads more, such as drawings (SVG), which are programs rather than pixels. */
const formats: readonly string[] = ["png", "jpeg", "webp", "gif", "tiff", "heif", "avif"];

/** As long as a JPEG's can be. */
const longestSide = 65_535;

/** The decoder's default. */
const mostPixels = 0x3fff ** 2;

export interface DecodeOptions {
  /** Height, width and channels: 1 for grey, 3 for red, green and blue. */
  readonly shape: readonly [height: number, width: number, channels: number];
  /** Makes dark light and light dark. */
  readonly invert?: boolean;
  /** Default: those of runs that begin now. */
  readonly rules?: DecodeRules;
  readonly onProgress?: (done: number) => void;
}

/**
 * Images [paths, height, width, channels] as bytes.
 *
 * @throws UserError that names the files that cannot be read as images, up to 20 of them, and why.
 */
export async function decodeImages(paths: readonly string[], options: DecodeOptions): Promise<Uint8Array> {
  const { shape, invert = false, rules = decodeRules, onProgress } = options;
  const [height, width, channels] = shape;
  const size = height * width * channels;
  const images = allocate(paths.length, shape);
  const sharp = await decoder();
  const bad: Unreadable[] = [];
  let next = 0;
  let done = 0;
  const read = async (index: number): Promise<void> => {
    images.set(await decode(sharp, paths[index], shape, rules), index * size);
    onProgress?.(++done);
  };
  while (next < paths.length && bad.length < mostTold) {
    const failed: number[] = [];
    const work = async (): Promise<void> => {
      while (next < paths.length && failed.length < mostTold) {
        const index = next++;
        await read(index).catch(() => failed.push(index));
      }
    };
    await Promise.all(Array.from({ length: usableCpus() + 1 }, work));
    // Once more, one at a time: the decoder mixes the reasons of images that fail together, and what it lacked
    // may have been a thread or memory.
    for (const index of failed.sort((a, b) => a - b)) {
      await read(index).catch((error: unknown) => {
        if (!(error instanceof Unreadable)) throw error;
        bad.push(error);
      });
    }
  }
  if (bad.length > 0) throw refusal(bad);
  if (invert) images.forEach((value, i) => (images[i] = 255 - value));
  return images;
}

/** Bad files that a message lists. */
const mostTold = 20;

const readable = "PNG, JPEG, WebP, GIF, TIFF and AVIF can be read";

/** Why a file is no image for a network, and what the user may do; no remedy if it cannot even be opened. */
class Unreadable extends Error {
  constructor(
    readonly path: string,
    readonly reason: string,
    // A photograph that other programs show is never to be given up.
    readonly remedy:
      string | null = `replace it, save it anew with another program, or move it elsewhere (${readable})`,
  ) {
    super(reason);
  }
}

function refusal(bad: readonly Unreadable[]): UserError {
  const [{ path, reason, remedy }] = bad;
  if (bad.length > 1) {
    const remedies = [...new Set(bad.flatMap((one) => one.remedy ?? []))].join("; or ");
    const count = bad.length < mostTold ? `${bad.length}` : `${mostTold} or more`;
    return new UserError(
      `${count} files cannot be read as images${remedies === "" ? "" : `; with each of them: ${remedies}`}`,
      undefined,
      undefined,
      bad.slice(0, mostTold).map((one) => `${one.path}: ${one.reason}`),
    );
  }
  if (remedy === null) return new UserError(`cannot read ${path}: ${reason}`);
  return new UserError(`${path} cannot be read as an image: ${reason}; ${remedy}`);
}

async function decode(
  sharp: typeof Sharp,
  path: string,
  [height, width, channels]: DecodeOptions["shape"],
  { resize, grey }: DecodeRules,
): Promise<Uint8Array> {
  const bytes = await readFileAside(onDisk(path), largest.data).catch((error: unknown) => {
    throw new Unreadable(path, whyUnread(error), null);
  });
  if (bytes.length === 0) throw new Unreadable(path, "it is empty");
  // `check` knows the limit, and says which it is.
  const image = sharp(bytes, { failOn: "error", limitInputPixels: false });
  const unreadable = (error: unknown): never => {
    throw byDecoder(path, error as Error);
  };
  const header = await image.metadata().catch(unreadable);
  check(path, header);
  const isEnlarged = Math.max(height / header.autoOrient.height, width / header.autoOrient.width) > 1;
  image.autoOrient();
  const cut = resize === "centred" && isEnlarged ? cutFor(header.autoOrient, height, width) : undefined;
  if (cut === undefined) image.resize(width, height, { fit: "cover" });
  else image.extract(cut.region);
  const pixels: Uint8Array = await image
    .flatten({ background: "white" })
    .toColourspace(channels === 1 && grey === undefined ? "b-w" : "srgb")
    .raw({ depth: "uchar" })
    .toBuffer()
    .catch(unreadable);
  const values = channels === 1 && grey !== undefined ? greyOf(pixels) : pixels;
  if (cut === undefined) return values;
  return enlarge(values, [cut.region.height, cut.region.width], cut.box, [height, width, channels]);
}

/**
 * The middle of a small image that is enlarged to `height` and `width`: the part of the file that the
 * decoder is to give, and the middle's place in that.
 */
function cutFor(small: Metadata["autoOrient"], height: number, width: number): Record<"region" | "box", Box> {
  const scale = Math.max(height / small.height, width / small.width);
  const along = (extent: number, wanted: number) => {
    const inside = Math.min(extent, wanted / scale);
    const start = (extent - inside) / 2;
    const first = Math.max(0, Math.floor(start) - reach);
    const end = Math.min(extent, Math.ceil(start + inside) + reach);
    return { first, count: end - first, start: start - first, inside };
  };
  const [y, x] = [along(small.height, height), along(small.width, width)];
  return {
    region: { top: y.first, left: x.first, height: y.count, width: x.count },
    box: { top: y.start, left: x.start, height: y.inside, width: x.inside },
  };
}

/** Grey of red, green and blue by ITU-R BT.601, rounded as Pillow does it: grey pixels stay what they are. */
function greyOf(pixels: Uint8Array): Uint8Array {
  const grey = new Uint8Array(pixels.length / 3);
  for (let i = 0, p = 0; i < grey.length; i++, p += 3) {
    grey[i] = (19595 * pixels[p] + 38470 * pixels[p + 1] + 7471 * pixels[p + 2] + 32768) >> 16;
  }
  return grey;
}

/** Refuses what the decoder would take too much memory for, or make something else of. @throws Unreadable */
function check(path: string, { format, width, height, channels, space, depth }: Metadata): void {
  if (!formats.includes(format)) throw new Unreadable(path, `its format is ${format}`);
  // A header that claims more would have the decoder take gigabytes for its rows.
  if (Math.max(width, height) > longestSide) {
    const reason = `its header says ${width}x${height} pixels, more than ${longestSide} a side`;
    throw new Unreadable(path, reason);
  }
  if (width * height > mostPixels) {
    const reason = `it has ${width}x${height} pixels, and up to ${mostPixels.toLocaleString("en-US")} are read`;
    throw new Unreadable(path, reason, "make it smaller");
  }
  const [what, most] = spaces[space] ?? ["colours and opacity", 4];
  if (channels > most) {
    const reason = `it has ${channels} channels, where ${what} are ${most}`;
    throw new Unreadable(path, reason, "save it anew with 1, 3 or 4 channels");
  }
  const samples = strange[depth];
  if (samples !== undefined) {
    const reason = `its samples are ${samples}, of which a file does not say what is black and what is white`;
    throw new Unreadable(path, reason, "save it anew with 8 or 16 bits without a sign");
  }
}

/** Channels that a colour space has at most; others have 4. */
const spaces: Readonly<Partial<Record<string, readonly [what: string, channels: number]>>> = {
  "b-w": ["grey and opacity", 2],
  grey16: ["grey and opacity", 2],
  cmyk: ["inks and opacity", 5],
};

/** Samples that are not from black at 0 to white at the largest. */
const strange: Readonly<Record<string, string>> = {
  char: "8-bit integers with a sign",
  short: "16-bit integers with a sign",
  int: "32-bit integers with a sign",
  uint: "32-bit integers",
  float: "floating-point numbers",
  double: "floating-point numbers",
  complex: "complex numbers",
  dpcomplex: "complex numbers",
};

/** An error of the decoder's, in its words. */
function byDecoder(path: string, { message }: Error): Unreadable {
  if (message.includes("unsupported image format")) return new Unreadable(path, "its format is unknown");
  // Where a file is looked through from its end, the lines before the reason are of that.
  const lines = message.replace("Input buffer has corrupt header:", "").split("\n");
  const words = lines.map((line) => line.trim()).find((line) => line !== "" && !/bad seek/.test(line));
  if (words === undefined) return new Unreadable(path, "its header is damaged or cut short");
  const reason = `the decoder says "${words}"`;
  if (!/creating thread|create thread|out of memory|cannot allocate/i.test(message)) {
    return new Unreadable(path, reason);
  }
  return new Unreadable(
    path,
    `there is no thread or no memory left for the decoder, which says "${words}"`,
    "the file may be sound; close other programs, or raise the limits of processes and memory",
  );
}

function allocate(count: number, shape: DecodeOptions["shape"]): Uint8Array {
  const bytes = count * shape[0] * shape[1] * shape[2];
  try {
    if (bytes <= usableMemory()) return new Uint8Array(bytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  const gigabytes = (bytes / 2 ** 30).toFixed(1);
  throw new UserError(
    `${count} images of ${shape.join("x")} need ${gigabytes} GiB of memory, ${arrayProblem(bytes)}; choose a smaller imageSize`,
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
