/**
 * Image files as a network's pixels.
 *
 * Turned as the camera says, on white where transparent, scaled so that the shorter side fits and cut
 * to the middle, grey by ITU-R BT.601. The decoder is loaded when the first image is read.
 */
import type Sharp from "sharp";
import { UserError } from "../errors.js";
import { arrayProblem, defaultImageThreads, usableMemory } from "../machine.js";
import type { Placement } from "./augment.js";
import { middleOf } from "./augment.js";
import { greyOf } from "./colours.js";
import { enlarge, reach } from "./enlarge.js";
import type { Opened } from "./opened.js";
import { decoder, imageBytes, openImage } from "./opened.js";
import { photograph } from "./photograph.js";
import type { DecodeRules } from "./rules.js";
import { decodeRules, frameOf } from "./rules.js";
import type { StoredImage } from "./stored.js";
import type { Box } from "./triangle.js";
import { inTurn } from "./turns.js";
import { Unreadable, byDecoder, mostTold, refusal } from "./unreadable.js";

export interface DecodeOptions {
  /** Height, width and channels: 1 for grey, 3 for red, green and blue. */
  readonly shape: readonly [height: number, width: number, channels: number];
  /** Makes dark light and light dark. */
  readonly invert?: boolean;
  /** Default: those of runs that begin now. */
  readonly rules?: DecodeRules;
  readonly onProgress?: (done: number) => void;
  /** Images that are decoded at a time. Default: the CPUs, at most 8. */
  readonly imageThreads?: number;
}

/** How each of many files is decoded. */
interface EachOptions extends Pick<DecodeOptions, "shape" | "rules" | "onProgress" | "imageThreads"> {
  /** Whether `shape` is that of the frame of the rules, and all of the frame is wanted. */
  readonly isFrame?: boolean;
  /** The part of each file, by its index and its height and width, that becomes `shape`, in place of the whole. */
  readonly crop?: (index: number, size: readonly [height: number, width: number]) => Rectangle;
  /** The bytes that each file had when it was listed. One that has others is refused. */
  readonly sizes?: readonly number[];
  /** Gets the files that were read and are no images for a network, which are then left out. Default: they are refused. */
  readonly onDamaged?: (file: Unreadable, index: number) => void;
}

/** A part of an image, in whole pixels. */
type Rectangle = Pick<Placement, "top" | "left" | "height" | "width">;

/**
 * Decodes files and hands their pixels on, in the order of the files, while the next ones are being read and decoded.
 *
 * The decoder works on Node's threads beside this one, so that several files under way keep all processors busy; worker
 * threads would share those (docs/benchmarks.md). What is decoded does not depend on how many are under way.
 *
 * @param use gets the bytes [height, width, channels] of a file, and the file's index.
 * @throws UserError that names the files that cannot be read as images, up to 20 of them, and why.
 */
export async function decodeEach(
  files: readonly StoredImage[],
  {
    shape,
    rules = decodeRules,
    onProgress,
    imageThreads = defaultImageThreads(),
    isFrame,
    crop,
    sizes,
    onDamaged,
  }: EachOptions,
  use: (pixels: Uint8Array, index: number) => void,
): Promise<void> {
  const sharp = await decoder();
  const read = (index: number) =>
    decode(sharp, files[index], {
      shape,
      rules,
      isFrame,
      crop: crop && ((size) => crop(index, size)),
      bytes: sizes?.[index],
    });
  const turn = inTurn(imageThreads);
  const underWay: Promise<Uint8Array | undefined>[] = [];
  const bad: Unreadable[] = [];
  let next = 0;
  let done = 0;
  for (let index = 0; index < files.length && bad.length < mostTold; index++) {
    // Some wait for their turn or to be handed on, so that the threads have work while one image takes long.
    for (; next < files.length && underWay.length < 2 * (imageThreads + 1); next++) {
      const own = next;
      underWay.push(turn(() => read(own)).catch(() => undefined));
    }
    let pixels = await underWay.shift();
    if (pixels === undefined) {
      // Once more, alone: the decoder mixes the reasons of images that fail together, and what it lacked may have been a
      // thread or memory.
      await Promise.all(underWay);
      pixels = await read(index).catch((error: unknown) => {
        if (!(error instanceof Unreadable)) throw error;
        if (onDamaged !== undefined && error.isDamaged) onDamaged(error, index);
        else bad.push(error);
        return undefined;
      });
    }
    if (pixels === undefined) continue;
    use(pixels, index);
    onProgress?.(++done);
  }
  await Promise.all(underWay);
  if (bad.length > 0) throw refusal(bad);
}

/**
 * Images [paths, height, width, channels] as bytes.
 *
 * @throws UserError that names the files that cannot be read as images, up to 20 of them, and why.
 */
export async function decodeImages(paths: readonly string[], options: DecodeOptions): Promise<Uint8Array> {
  const { shape, invert = false } = options;
  const size = shape[0] * shape[1] * shape[2];
  const images = allocateImages(paths.length, shape);
  const files = paths.map((path) => ({ path }));
  await decodeEach(files, options, (pixels, index) => images.set(pixels, index * size));
  if (invert) images.forEach((value, i) => (images[i] = 255 - value));
  return images;
}

interface OneOptions extends Pick<EachOptions, "isFrame"> {
  readonly shape: DecodeOptions["shape"];
  readonly rules: DecodeRules;
  readonly crop: ((size: readonly [height: number, width: number]) => Rectangle) | undefined;
  readonly bytes: number | undefined;
}

async function decode(sharp: typeof Sharp, file: StoredImage, options: OneOptions): Promise<Uint8Array> {
  const { shape, rules, isFrame = false, crop } = options;
  if (rules.frame === undefined || isFrame || crop !== undefined) return decodeWhole(sharp, file, options);
  const frame = frameOf(shape);
  return cutOut(await decodeWhole(sharp, file, { ...options, shape: frame }), frame, middleOf(shape, frame));
}

/** The part of an image [height, width, channels] that a rectangle bounds. */
function cutOut(
  pixels: Uint8Array,
  [, width, channels]: DecodeOptions["shape"],
  { top, left, ...size }: Rectangle,
): Uint8Array {
  const row = size.width * channels;
  const cut = new Uint8Array(size.height * row);
  for (let y = 0; y < size.height; y++) {
    const from = ((top + y) * width + left) * channels;
    cut.set(pixels.subarray(from, from + row), y * row);
  }
  return cut;
}

async function decodeWhole(
  sharp: typeof Sharp,
  file: StoredImage,
  { shape: [height, width, channels], rules, crop, bytes: listed }: OneOptions,
): Promise<Uint8Array> {
  const { resize, grey, reduce, frame, reader } = rules;
  const { path } = file;
  const bytes = await imageBytes(file);
  if (listed !== undefined && Math.min(bytes.length, 2 ** 32 - 1) !== listed) {
    throw new Unreadable(path, `it has ${bytes.length} bytes, and had ${listed} when it was listed`, null);
  }
  const unreadable = (error: unknown): never => {
    throw byDecoder(path, error as Error);
  };
  if (reader === "pillow" || resize === "triangle") {
    return photograph(sharp, path, bytes, { shape: [height, width, channels], rules, crop }).catch(
      unreadable,
    );
  }
  const { image, size } = await openImage(sharp, path, bytes, undefined).catch(unreadable);
  const part = crop?.([size.height, size.width]);
  const isEnlarged = Math.max(height / size.height, width / size.width) > 1;
  const isCovered = part === undefined && frame !== "stretched";
  const cut = isCovered && resize === "centred" && isEnlarged ? cutFor(size, height, width) : undefined;
  if (part !== undefined) image.extract(part);
  if (cut === undefined) {
    image.resize(width, height, {
      fit: isCovered ? "cover" : "fill",
      fastShrinkOnLoad: reduce === undefined,
    });
  } else image.extract(cut.region);
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
function cutFor(small: Opened["size"], height: number, width: number): Record<"region" | "box", Box> {
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

/** Room for images. @throws UserError where there is not as much memory. */
export function allocateImages(count: number, shape: DecodeOptions["shape"]): Uint8Array {
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
