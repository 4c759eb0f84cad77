/** Image files made smaller, as JPEG. */
import { decoder, openImage } from "./opened.js";
import type { StoredImage } from "./stored.js";
import { byDecoder } from "./unreadable.js";

/** The quality of JPEGs that fewbit writes, of 100; colours have half the resolution, as is usual for photographs. */
export const jpegQuality = 90;

/**
 * An image whose shorter side is `size` pixels, as JPEG; undefined for one whose shorter side is no longer. It is upright,
 * in the colours of sRGB, on white where it is transparent, and has no metadata.
 *
 * @throws Unreadable
 */
export async function shrunk(image: StoredImage, bytes: Buffer, size: number): Promise<Buffer | undefined> {
  try {
    const sharp = await decoder();
    const { image: opened, size: own } = await openImage(sharp, image.path, bytes, undefined);
    if (Math.min(own.height, own.width) <= size) return undefined;
    const side = own.height < own.width ? { height: size } : { width: size };
    return await opened
      .resize({ ...side, fastShrinkOnLoad: false })
      .flatten({ background: "white" })
      .toColourspace("srgb")
      .jpeg({ quality: jpegQuality, chromaSubsampling: "4:2:0" })
      .toBuffer();
  } catch (error) {
    throw byDecoder(image.path, error as Error);
  }
}
