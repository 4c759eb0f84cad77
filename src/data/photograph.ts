/** Image files as pixels of one size, by the triangle filter: the rules `resize: "triangle"` and `reader: "pillow"`. */
import type Sharp from "sharp";
import { greyOf, withoutInk } from "./colours.js";
import { jpegSize } from "./jpeg.js";
import type { Opened } from "./opened.js";
import { decoderOptions, openImage } from "./opened.js";
import type { DecodeRules } from "./rules.js";
import type { Box } from "./triangle.js";
import { triangle } from "./triangle.js";

/** Pixels that are decoded as they are, 12 MB of them. The decoder reduces what has more while it reads it. */
const mostWhole = 2 ** 22;

/** What is made of an image. */
interface Shown {
  readonly shape: readonly [height: number, width: number, channels: number];
  readonly rules: DecodeRules;
  /** The part that is shown of an image of a size, in whole pixels, in place of what the rules show. */
  readonly crop: ((size: readonly [height: number, width: number]) => Box) | undefined;
}

/** Red, green and blue [height, width, 3]. */
interface Pixels {
  readonly height: number;
  readonly width: number;
  readonly data: Uint8Array;
}

/** The pixels [height, width, channels] of an image file. @throws Unreadable, and the decoder's errors. */
export async function photograph(
  sharp: typeof Sharp,
  path: string,
  bytes: Uint8Array,
  shown: Shown,
): Promise<Uint8Array> {
  const { shape, rules, crop } = shown;
  const { reader, frame } = rules;
  const boxIn = (size: Pixels | Opened["size"]) =>
    crop?.([size.height, size.width]) ??
    (frame === "stretched" ? allOf(size) : middleOf(size, shape[0], shape[1]));
  const pixels = await readJpeg(sharp, bytes, reader);
  if (pixels !== undefined) return show(pixels, boxIn(pixels), crop !== undefined, shape);
  const opened = await openImage(sharp, path, bytes, reader);
  const { height, width } = opened.size;
  const box = boxIn(opened.size);
  if (reader === "pillow" || height * width <= mostWhole) {
    return show(await read(opened.image, reader, opened.space), box, crop !== undefined, shape);
  }
  const part = await readPart(opened.image, box, shown);
  return show(part, allOf(part), false, shape);
}

/** A JPEG of usual size and colours; undefined for another file, and for one that cannot be decoded. */
async function readJpeg(
  sharp: typeof Sharp,
  bytes: Uint8Array,
  reader: DecodeRules["reader"],
): Promise<Pixels | undefined> {
  const header = jpegSize(bytes);
  if (header === undefined || header.channels > 3 || header.height * header.width > mostWhole)
    return undefined;
  const image = sharp(bytes, decoderOptions(reader));
  // Why a file cannot be read is said by the longer way, which asks the decoder for the header first.
  return read(reader === "pillow" ? image : image.autoOrient(), reader).catch(() => undefined);
}

async function read(
  image: Opened["image"],
  reader: DecodeRules["reader"],
  space?: Opened["space"],
): Promise<Pixels> {
  const isInk = reader === "pillow" && space === "cmyk";
  const coloured = isInk
    ? image.pipelineColourspace("cmyk").toColourspace("cmyk")
    : (reader === "pillow" ? image.removeAlpha() : image.flatten({ background: "white" })).toColourspace(
        "srgb",
      );
  const { data, info } = await coloured.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  return { height: info.height, width: info.width, data: isInk ? withoutInk(data) : data };
}

/** A part of a large image in twice the size that it is to have, or in its own if that is smaller. */
async function readPart(
  image: Opened["image"],
  box: Box,
  { shape: [height, width], rules, crop }: Shown,
): Promise<Pixels> {
  if (crop !== undefined) image.extract(box);
  const fit = crop !== undefined || rules.frame === "stretched" ? "fill" : "cover";
  const least = (extent: number, wanted: number): number => Math.min(Math.round(extent), 2 * wanted);
  image.resize(least(box.width, width), least(box.height, height), { fit, fastShrinkOnLoad: false });
  return read(image, undefined);
}

/** A part of pixels in another size. */
async function show(
  { height, width, data }: Pixels,
  box: Box,
  isCrop: boolean,
  [toHeight, toWidth, channels]: Shown["shape"],
): Promise<Uint8Array> {
  const within = isCrop ? box : allOf({ height, width });
  const colours = await triangle(data, [height, width], box, within, [toHeight, toWidth]);
  return channels === 1 ? greyOf(colours) : colours;
}

const allOf = ({ height, width }: { readonly height: number; readonly width: number }): Box => ({
  top: 0,
  left: 0,
  height,
  width,
});

/** The largest part of an image's middle that has the form of `height` and `width`. */
function middleOf(
  size: { readonly height: number; readonly width: number },
  height: number,
  width: number,
): Box {
  const scale = Math.max(height / size.height, width / size.width);
  const [inHeight, inWidth] = [Math.min(size.height, height / scale), Math.min(size.width, width / scale)];
  return {
    top: (size.height - inHeight) / 2,
    left: (size.width - inWidth) / 2,
    height: inHeight,
    width: inWidth,
  };
}
