/**
 * Bitmaps that the image decoder does not read: BMP and Netpbm (PBM, PGM and PPM), as grey or red, green and blue.
 *
 * Sources: "Bitmap storage" and "BITMAPV5HEADER" of the Windows documentation; the formats pbm, pgm and ppm of Netpbm.
 * A reader believes a header only as far as the file is long enough for it.
 */

/** Pixels [height, width, channels] as bytes. */
export interface Bitmap {
  readonly height: number;
  readonly width: number;
  /** 1 is grey; 4 is red, green, blue and opacity. */
  readonly channels: 1 | 3 | 4;
  readonly data: Uint8Array;
}

/** The size that a bitmap's header says, and its pixels, which are read when they are asked for. */
export interface BitmapFile {
  readonly height: number;
  readonly width: number;
  /** @throws BitmapError for a file that is cut short. */
  read(): Bitmap;
}

/** Why a bitmap cannot be read, and perhaps what the user may do. */
export class BitmapError extends Error {
  constructor(
    message: string,
    readonly remedy?: string,
  ) {
    super(message);
  }
}

/** The bitmap that bytes are; undefined for another file. @throws BitmapError for a header that cannot be read. */
export function bitmapOf(bytes: Uint8Array): BitmapFile | undefined {
  const [first, second] = bytes;
  if (first === 0x42 && second === 0x4d) return bmp(bytes);
  if (first === 0x50 && second >= 0x31 && second <= 0x36) return netpbm(bytes);
  return undefined;
}

const damaged = () => new BitmapError("its header is damaged or cut short");
const cutShort = () => new BitmapError("it is cut short");

/** Values 0 to `most` as bytes, rounded. */
const scaled = (value: number, most: number): number => Math.round((Math.min(value, most) * 255) / most);

function bmp(bytes: Uint8Array): BitmapFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 26) throw damaged();
  const headerBytes = view.getUint32(14, true);
  const isCore = headerBytes === 12; // of OS/2, with 16-bit extents
  if (!(isCore || headerBytes >= 40) || bytes.length < 14 + headerBytes) throw damaged();
  const width = isCore ? view.getUint16(18, true) : view.getInt32(18, true);
  const signedHeight = isCore ? view.getInt16(20, true) : view.getInt32(22, true);
  const bits = view.getUint16(isCore ? 24 : 28, true);
  const compression = isCore ? 0 : view.getUint32(30, true);
  const height = Math.abs(signedHeight);
  if (width <= 0 || height === 0 || ![1, 4, 8, 16, 24, 32].includes(bits)) throw damaged();
  const hasMasks = compression === 3 || compression === 6;
  if (compression !== 0 && !(hasMasks && bits >= 16)) {
    throw new BitmapError("it is a compressed BMP, of which none is read", "save it again as PNG");
  }
  const rowBytes = 4 * Math.ceil((width * bits) / 32);
  const pixelsAt = view.getUint32(10, true);
  const rowAt = (row: number) => pixelsAt + rowBytes * (signedHeight < 0 ? row : height - 1 - row);
  const checkLength = () => {
    if (bytes.length < pixelsAt + rowBytes * height) throw cutShort();
  };
  if (bits <= 8) {
    const entryBytes = isCore ? 3 : 4;
    const paletteAt = 14 + headerBytes;
    const stated = isCore ? 0 : view.getUint32(46, true);
    const colours = Math.min(stated === 0 ? 2 ** bits : stated, 2 ** bits);
    return {
      height,
      width,
      read() {
        checkLength();
        if (bytes.length < paletteAt + entryBytes * colours) throw damaged();
        const data = new Uint8Array(height * width * 3);
        for (let row = 0, o = 0; row < height; row++) {
          const from = rowAt(row);
          for (let column = 0; column < width; column++, o += 3) {
            const bit = column * bits;
            const value = (bytes[from + (bit >> 3)] >> (8 - bits - (bit & 7))) & (2 ** bits - 1);
            if (value >= colours) throw new BitmapError("it has pixels of a colour that its palette lacks");
            const entry = paletteAt + entryBytes * value;
            for (let c = 0; c < 3; c++) data[o + c] = bytes[entry + 2 - c];
          }
        }
        return { height, width, channels: 3, data };
      },
    };
  }
  const masks = hasMasks ? masksOf(view, headerBytes, compression) : bits === 16 ? masks555 : masks888;
  if (masks === undefined) throw damaged();
  const channels = masks.length as 3 | 4;
  const shifts = masks.map((mask) => (mask === 0 ? 0 : 31 - Math.clz32(mask & -mask)));
  const most = masks.map((mask, c) => Math.max(1, mask >>> shifts[c]));
  return {
    height,
    width,
    read() {
      checkLength();
      const data = new Uint8Array(height * width * channels);
      for (let row = 0, o = 0; row < height; row++) {
        for (let column = 0, at = rowAt(row); column < width; column++, at += bits / 8) {
          let pixel = bytes[at] | (bytes[at + 1] << 8);
          if (bits >= 24) pixel |= bytes[at + 2] << 16;
          if (bits === 32) pixel |= bytes[at + 3] << 24;
          for (let c = 0; c < channels; c++, o++) {
            data[o] = scaled((pixel & masks[c]) >>> shifts[c], most[c]);
          }
        }
      }
      return { height, width, channels, data };
    },
  };
}

/** Where red, green and blue lie in a pixel of 16 bits, and of 24 or 32. */
const masks555: readonly number[] = [0x7c00, 0x3e0, 0x1f];
const masks888: readonly number[] = [0xff0000, 0xff00, 0xff];

/** The masks of red, green and blue, and of opacity where the header has one; they stand after the first 40 bytes of it. */
function masksOf(view: DataView, headerBytes: number, compression: number): readonly number[] | undefined {
  const hasOpacity = compression === 6 || headerBytes >= 56;
  const count = hasOpacity ? 4 : 3;
  if (view.byteLength < 54 + 4 * count) return undefined;
  const masks = Array.from({ length: count }, (_, i) => view.getUint32(54 + 4 * i, true));
  return masks[3] === 0 ? masks.slice(0, 3) : masks;
}

function netpbm(bytes: Uint8Array): BitmapFile {
  const kind = bytes[1] - 0x30; // 1 to 6: bits, grey, colours as text, then the same as bytes
  const isText = kind <= 3;
  const hasBits = kind === 1 || kind === 4;
  const channels = kind === 3 || kind === 6 ? 3 : 1;
  const scan = new Scan(bytes, 2);
  const [width, height] = [scan.number(), scan.number()];
  const most = hasBits ? 1 : scan.number();
  if (width < 1 || height < 1 || most < 1 || most > 65_535) throw damaged();
  const start = scan.at + 1; // one blank ends the header
  const count = height * width * channels;
  const asText = (data: Uint8Array) => {
    for (let i = 0; i < count; i++) {
      data[i] = hasBits ? 255 * (1 - scan.digit()) : scaled(scan.number(), most);
    }
  };
  const asBits = (data: Uint8Array) => {
    const rowBytes = Math.ceil(width / 8);
    for (let i = 0; i < count; i++) {
      const column = i % width;
      const byte = bytes[start + rowBytes * Math.floor(i / width) + (column >> 3)];
      data[i] = (byte >> (7 - (column & 7))) & 1 ? 0 : 255; // 1 is black
    }
  };
  const asBytes = (data: Uint8Array) => {
    const table = Uint8Array.from({ length: 256 }, (_, value) => scaled(value, most));
    for (let i = 0; i < count; i++) data[i] = table[bytes[start + i]];
  };
  const asWords = (data: Uint8Array) => {
    for (let i = 0; i < count; i++) {
      data[i] = scaled((bytes[start + 2 * i] << 8) | bytes[start + 2 * i + 1], most);
    }
  };
  const [length, fill] = isText
    ? [0, asText]
    : hasBits
      ? [height * Math.ceil(width / 8), asBits]
      : most < 256
        ? [count, asBytes]
        : [2 * count, asWords];
  return {
    height,
    width,
    read() {
      if (bytes.length < start + length) throw cutShort();
      const data = new Uint8Array(count);
      fill(data);
      return { height, width, channels, data };
    },
  };
}

/** Reads numbers in a text, past blanks and comments, which begin with # and end with their line. */
class Scan {
  constructor(
    private readonly bytes: Uint8Array,
    public at: number,
  ) {}

  /** @throws BitmapError where there is none. */
  number(): number {
    this.skip();
    let value = 0;
    const from = this.at;
    for (; isDigit(this.bytes[this.at]); this.at++) {
      value = 10 * value + this.bytes[this.at] - 0x30;
      if (value > 2 ** 31) throw damaged();
    }
    if (this.at === from) throw this.at >= this.bytes.length ? cutShort() : damaged();
    return value;
  }

  /** A single bit, which need not be apart from the next. @throws BitmapError where there is none. */
  digit(): number {
    this.skip();
    const bit = this.bytes[this.at++] - 0x30;
    if (bit === 0 || bit === 1) return bit;
    throw this.at > this.bytes.length ? cutShort() : damaged();
  }

  private skip(): void {
    for (;;) {
      const byte = this.bytes[this.at];
      if (byte === 0x23) while (this.at < this.bytes.length && this.bytes[this.at] !== 0x0a) this.at++;
      else if (byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)) this.at++;
      else return;
    }
  }
}

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;
