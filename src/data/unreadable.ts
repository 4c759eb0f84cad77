/** Why a file cannot be an image for a network, in words, and how such files are reported. */
import type { Metadata } from "sharp";
import { UserError } from "../errors.js";
import { BitmapError } from "./bitmap.js";

/** What the decoder calls their formats; it reads more, such as drawings (SVG), which are programs rather than pixels. */
const formats: readonly string[] = ["png", "jpeg", "webp", "gif", "tiff", "heif", "avif"];

/** The longest side that a JPEG can have. */
const longestSide = 65_535;

/** The decoder's default. */
const mostPixels = 0x3fff ** 2;

/** Bad files that a message lists. */
export const mostTold = 20;

const readable = "PNG, JPEG, WebP, GIF, TIFF, AVIF, BMP and PNM can be read";

/** Why a file is no image for a network, and what the user may do; no remedy if it cannot even be opened. */
export class Unreadable extends Error {
  constructor(
    readonly path: string,
    readonly reason: string,
    // A photograph that other programs show is never to be given up.
    readonly remedy:
      string | null = `replace it, save it again with another program, or move it elsewhere (${readable})`,
  ) {
    super(reason);
  }

  /** Whether the file itself is the cause: it was read, and what is in it is no image for a network. */
  get isDamaged(): boolean {
    return this.remedy !== null && this.remedy !== shortage;
  }
}

const shortage = "the file may be sound; close other programs, or raise the limits of processes and memory";

export function refusal(bad: readonly Unreadable[]): UserError {
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

/** Refuses what the decoder would take too much memory for, or make something else of. @throws Unreadable */
export function check(path: string, { format, width, height, channels, space, depth }: Metadata): void {
  if (!formats.includes(format)) throw new Unreadable(path, `its format is ${format}`);
  checkSize(path, { height, width });
  const [what, most] = spaces[space] ?? ["colours and opacity", 4];
  if (channels > most) {
    const reason = `it has ${channels} channels, where ${what} are ${most}`;
    throw new Unreadable(path, reason, "save it again with 1, 3 or 4 channels");
  }
  const samples = strange[depth];
  if (samples !== undefined) {
    const reason = `its samples are ${samples}, of which a file does not say what is black and what is white`;
    throw new Unreadable(path, reason, "save it again with 8 or 16 bits without a sign");
  }
}

/** @throws Unreadable for an image that would take too much memory. */
export function checkSize(
  path: string,
  { height, width }: { readonly height: number; readonly width: number },
): void {
  // A header that claims more would have the decoder take gigabytes for its rows.
  if (Math.max(width, height) > longestSide) {
    const reason = `its header says ${width}x${height} pixels, more than ${longestSide} a side`;
    throw new Unreadable(path, reason);
  }
  if (width * height > mostPixels) {
    const reason = `it has ${width}x${height} pixels, and up to ${mostPixels.toLocaleString("en-US")} are read`;
    throw new Unreadable(path, reason, "make it smaller");
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
export function byDecoder(path: string, error: Error): Unreadable {
  if (error instanceof Unreadable) return error;
  if (error instanceof BitmapError) return new Unreadable(path, error.message, error.remedy);
  const { message } = error;
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
    shortage,
  );
}
