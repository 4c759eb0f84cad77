/** Image files as the decoder opens them. */
import type Sharp from "sharp";
import type { Metadata } from "sharp";
import { UserError } from "../errors.js";
import { whyUnread } from "../files/reasons.js";
import { bitmapOf } from "./bitmap.js";
import type { DecodeRules } from "./rules.js";
import type { StoredImage } from "./stored.js";
import { readStored } from "./stored.js";
import { Unreadable, check, checkSize } from "./unreadable.js";

/** The bytes of an image. @throws Unreadable where there are none */
export async function imageBytes(file: StoredImage): Promise<Buffer> {
  const bytes = await readStored(file).catch((error: unknown) => {
    throw new Unreadable(file.path, whyUnread(error), null);
  });
  if (bytes.length === 0) throw new Unreadable(file.path, "it is empty");
  return bytes;
}

/** Height and width of an image the way up that it is shown. */
type Size = Metadata["autoOrient"];

export interface Opened {
  readonly image: ReturnType<typeof Sharp>;
  readonly size: Size;
  /** The decoder's name of its colours. */
  readonly space: Metadata["space"];
}

/** How the decoder opens a file. Its limit of pixels is left to `check`, which says what it is. */
export const decoderOptions = (reader: DecodeRules["reader"]) =>
  ({ failOn: "error", limitInputPixels: false, ignoreIcc: reader === "pillow" }) as const;

/** An image to be decoded, and its size. @throws Unreadable, and the decoder's errors. */
export async function openImage(
  sharp: typeof Sharp,
  path: string,
  bytes: Uint8Array,
  reader: DecodeRules["reader"],
): Promise<Opened> {
  const bitmap = bitmapOf(bytes);
  if (bitmap !== undefined) {
    checkSize(path, bitmap);
    const { data, ...raw } = bitmap.read();
    return { image: sharp(data, { raw, limitInputPixels: false }), size: raw, space: "srgb" };
  }
  const image = sharp(bytes, decoderOptions(reader));
  const header = await image.metadata();
  check(path, header);
  const { height, width, space, autoOrient } = header;
  return reader === "pillow"
    ? { image, size: { height, width }, space }
    : { image: image.autoOrient(), size: autoOrient, space };
}

/** The package that decodes images. @throws UserError where it cannot be loaded */
export async function decoder(): Promise<typeof Sharp> {
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
