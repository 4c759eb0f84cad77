/** What a JPEG's header says of its size, without the decoder, which takes longer for that than to read a small photograph. */

/** Markers that stand alone: what follows them is no segment. */
const isAlone = (marker: number): boolean => marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7);

/** Start of frame, of any coding; the other three of the range are tables. */
const isFrame = (marker: number): boolean =>
  marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;

interface JpegSize {
  readonly height: number;
  readonly width: number;
  /** 1 is grey, 3 are colours, 4 are inks. */
  readonly channels: number;
}

/**
 * The size of a JPEG as it is stored, whichever way up that is; undefined for another file, and for a header that is not
 * understood.
 *
 * Source: ITU-T T.81, B.1.1 and B.2.2.
 */
export function jpegSize(bytes: Uint8Array): JpegSize | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return undefined;
  const word = (at: number): number => bytes[at] * 256 + bytes[at + 1];
  for (let at = 2; at + 9 < bytes.length;) {
    if (bytes[at] !== 0xff) return undefined;
    const marker = bytes[at + 1];
    if (marker === 0xff) at++;
    else if (isAlone(marker)) at += 2;
    else if (isFrame(marker)) {
      const [height, width] = [word(at + 5), word(at + 7)];
      return height > 0 && width > 0 ? { height, width, channels: bytes[at + 9] } : undefined;
    } else at += 2 + word(at + 2);
  }
  return undefined;
}
