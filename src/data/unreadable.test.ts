/** Files that are no images for a network: damaged ones, and sound ones that the decoder cannot make pixels of. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { UserError } from "../errors.js";
import { decodeImages } from "./decode.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-unreadable-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return path;
}

async function refusal(...paths: string[]): Promise<string> {
  const error: unknown = await decodeImages(paths, { shape: [8, 8, 1] }).catch((failed: unknown) => failed);
  expect(error).toBeInstanceOf(UserError);
  return (error as UserError).message;
}

const noise = (side = 64) =>
  sharp(Buffer.from(Array.from({ length: side * side }, (_, i) => (i ** 2 * 2_654_435_761) % 251)), {
    raw: { height: side, width: side, channels: 1 },
  });

const whatToDo =
  "; replace it, save it again with another program, or move it elsewhere (PNG, JPEG, WebP, GIF, TIFF, AVIF, BMP and PNM can be read)";

/** A PNG's width is the first number after its signature and the name of its header. */
function widened(good: Buffer): Buffer {
  const bytes = Buffer.from(good);
  bytes.writeUInt32BE(3_000_000, 16);
  return bytes;
}

describe("a damaged image is named, with what the decoder says: one", () => {
  test.each<[string, "png" | "jpeg" | "webp", (good: Buffer) => Buffer, RegExp]>([
    ["that is empty", "png", () => Buffer.alloc(0), /: it is empty$/],
    ["of text", "png", () => Buffer.from("<html>not found</html>"), /: its format is unknown$/],
    ["cut in its head", "png", (good) => good.subarray(0, 20), /: its header is damaged or cut short$/],
    [
      "of three million pixels a row",
      "png",
      widened,
      /: its header says 3000000x64 pixels, more than 65535 a side$/,
    ],
    [
      "cut in its pixels",
      "png",
      (good) => good.subarray(0, good.length - 200),
      /: the decoder says ".*png.*"$/,
    ],
    [
      "cut in its pixels",
      "jpeg",
      (good) => good.subarray(0, good.length / 2),
      /: the decoder says "VipsJpeg: premature end of JPEG image"$/,
    ],
    [
      "cut in its pixels",
      "webp",
      (good) => good.subarray(0, good.length / 2),
      /: the decoder says "webp: .*"$/,
    ],
    [
      "with a flipped bit",
      "png",
      (good) => Buffer.from(good).fill(good[good.length / 2] ^ 1, good.length / 2, good.length / 2 + 1),
      /: the decoder says ".*png.*"$/,
    ],
  ])("%s (%s)", async (_name, format, damage, reason) => {
    const good = await noise().toFormat(format).toBuffer();
    const path = file(`a.${format}`, good);
    await expect(decodeImages([path], { shape: [8, 8, 1] })).resolves.toHaveLength(64);
    const message = await refusal(file(`a.${format}`, damage(good.subarray(0, good.length & ~1))));
    expect(message.startsWith(`${path} cannot be read as an image: `)).toBe(true);
    expect(message.endsWith(whatToDo)).toBe(true);
    expect(message.slice(0, -whatToDo.length)).toMatch(reason);
    expect(message).not.toContain("\n");
  });
});

/** Samples of a TIFF: how many bits, and 1 for unsigned, 2 for signed integers, 3 for floating-point numbers. */
interface Samples {
  readonly bits: number;
  readonly format?: 1 | 2 | 3;
  readonly channels?: number;
}

/** A TIFF of zeros, as the specification (TIFF 6.0, sections 2 and 8) lays it out: a header, one directory, one strip. */
function tiff(
  side: number,
  { bits, format = 1, channels = 1 }: Samples,
  others: readonly [number, number][] = [],
) {
  const strip = Buffer.alloc((side * side * channels * bits) / 8);
  const entries = [
    [256, side],
    [257, side],
    [258, bits],
    [259, 1],
    [262, channels === 3 ? 2 : 1],
    [273, 0],
    [277, channels],
    [278, side],
    [279, strip.length],
    [339, format],
    ...others,
  ].sort(([a], [b]) => a - b);
  const head = Buffer.alloc(8 + 2 + 12 * entries.length + 4 + 2 * channels * 2);
  head.write("II*\0", "latin1");
  head.writeUInt32LE(8, 4);
  head.writeUInt16LE(entries.length, 8);
  let free = 14 + 12 * entries.length;
  entries.forEach(([tag, value], i) => {
    const at = 10 + 12 * i;
    const perChannel = tag === 258 || tag === 339;
    const count = perChannel ? channels : 1;
    head.writeUInt16LE(tag, at);
    head.writeUInt16LE(perChannel ? 3 : 4, at + 2); // 16 bits or 32
    head.writeUInt32LE(count, at + 4);
    if (perChannel && count > 2) {
      head.writeUInt32LE(free, at + 8);
      for (let c = 0; c < count; c++, free += 2) head.writeUInt16LE(value, free);
    } else if (perChannel) {
      for (let c = 0; c < count; c++) head.writeUInt16LE(value, at + 8 + 2 * c);
    } else head.writeUInt32LE(tag === 273 ? head.length : value, at + 8);
  });
  return Buffer.concat([head, strip]);
}

describe("a sound image that cannot be read is refused with the reason, not called damaged:", () => {
  test("a plain TIFF by this writer can be read", async () => {
    for (const bits of [8, 16]) {
      const path = file("a.tif", tiff(8, { bits }));
      expect(Array.from(await decodeImages([path], { shape: [8, 8, 1] }))).toEqual(Array(64).fill(0));
    }
  });

  test.each<[Samples, string]>([
    [{ bits: 8, format: 2 }, "8-bit integers with a sign"],
    [{ bits: 16, format: 2 }, "16-bit integers with a sign"],
    [{ bits: 32, format: 2 }, "32-bit integers with a sign"],
    [{ bits: 32, format: 1 }, "32-bit integers"],
    [{ bits: 32, format: 3 }, "floating-point numbers"],
  ])("%j", async (samples, words) => {
    const path = file("a.tif", tiff(8, samples));
    expect(await refusal(path)).toBe(
      `${path} cannot be read as an image: its samples are ${words}, of which a file does not say what is black and what is white; save it again with 8 or 16 bits without a sign`,
    );
  });

  test.each([4, 5])("%i channels of grey", async (channels) => {
    const path = file("a.tif", tiff(8, { bits: 8, channels }));
    expect(await refusal(path)).toBe(
      `${path} cannot be read as an image: it has ${channels} channels, where grey and opacity are 2; save it again with 1, 3 or 4 channels`,
    );
  });

  test("tiles of separate planes", async () => {
    const tiles: [number, number][] = [
      [284, 2],
      [322, 16],
      [323, 16],
      [324, 8],
      [325, 256],
    ];
    const path = file("a.tif", tiff(16, { bits: 8, channels: 3 }, tiles));
    expect(await refusal(path)).toMatch(/: the decoder says "tiff2vips: .*"; replace it, save it again/);
  });

  test("more pixels than the decoder takes", async () => {
    const bytes = await noise().png().toBuffer();
    bytes.writeUInt32BE(16_400, 16);
    bytes.writeUInt32BE(16_400, 20);
    const path = file("a.png", bytes);
    expect(await refusal(path)).toBe(
      `${path} cannot be read as an image: it has 16400x16400 pixels, and up to 268,402,689 are read; make it smaller`,
    );
  });

  test("a codec that the decoder lacks (HEIC in a file called .jpg)", async () => {
    // An AVIF says its codec by these names; with HEIC's it is a file whose codec is not built in.
    const avif = await noise().avif().toBuffer();
    const text = avif.toString("latin1").replaceAll("av01", "hvc1").replaceAll("av1C", "hvcC");
    const heic = text.replace("ftypavif", "ftypheic");
    const path = file("photograph.jpg", Buffer.from(heic, "latin1"));
    expect(await refusal(path)).toMatch(/: the decoder says "heif: .*"; replace it, save it again/);
  });
});

describe("of many files", () => {
  const names = (count: number) =>
    Array.from({ length: count }, (_, i) => `${String(i).padStart(2, "0")}.png`);

  test("all bad ones are reported at once, in order, and no good one", async () => {
    const good = await noise(8).png().toBuffer();
    const bad = new Map([
      ["03.png", Buffer.from("text")],
      ["17.png", Buffer.alloc(0)],
      ["29.png", good.subarray(0, 20)],
    ]);
    const paths = names(30).map((name) => file(name, bad.get(name) ?? good));
    expect((await refusal(...paths)).split("\n")).toEqual([
      `3 files cannot be read as images; with each of them${whatToDo.replace(";", ":")}`,
      `  ${paths[3]}: its format is unknown`,
      `  ${paths[17]}: it is empty`,
      `  ${paths[29]}: its header is damaged or cut short`,
    ]);
  });

  test("the first twenty bad ones are reported", async () => {
    const paths = names(70).map((name) => file(name, Buffer.alloc(0)));
    const [first, ...rest] = (await refusal(...paths)).split("\n");
    expect(first).toContain("20 or more files cannot be read as images");
    expect(rest).toEqual(paths.slice(0, 20).map((path) => `  ${path}: it is empty`));
  });

  test("a name that the command line did not take for UTF-8 is reported as such", async () => {
    const path = join(folder, "caf\ufffd.png");
    expect(await refusal(path)).toBe(
      `cannot read ${path}: there is no such file; one whose name is not UTF-8 can only be reached by giving the folder that it is in`,
    );
  });

  test("those that cannot be opened are reported too", async () => {
    const lost = ["lost.png", "gone.png"].map((name) => join(folder, name));
    expect(await refusal(lost[0])).toBe(`cannot read ${lost[0]}: there is no such file`);
    expect((await refusal(...lost)).split("\n")).toEqual([
      "2 files cannot be read as images",
      ...lost.map((path) => `  ${path}: there is no such file`),
    ]);
  });
});
