/** Photographs in another size: on both ways of the triangle filter, and where the decoder reduces them first. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import sharp from "sharp";
import { afterAll, describe, expect, test } from "vitest";
import { instructionSets, nativeResample } from "../runtime/native.js";
import { decodeEach, decodeImages } from "./decode.js";
import { jpegSize } from "./jpeg.js";
import { decodeRules } from "./rules.js";
import { numbersOf, resample, sideOf } from "./triangle.js";

const folder = mkdtempSync(join(tmpdir(), "fewbit-photograph-"));
afterAll(() => rmSync(folder, { recursive: true }));

const side = fc.record({ extent: fc.integer({ min: 1, max: 60 }), count: fc.integer({ min: 1, max: 40 }) });

test.skipIf(instructionSets().length === 0)(
  "the add-on resizes to the same bytes as TypeScript on every instruction set",
  async () => {
    const before = process.env.FEWBIT_INSTRUCTION_SET;
    try {
      await fc.assert(
        fc.asyncProperty(
          side,
          side,
          fc.nat(),
          fc.double({ min: 0, max: 0.4, noNaN: true }),
          async (y, x, seed, cut) => {
            const pixels = Uint8Array.from(
              { length: y.extent * x.extent * 3 },
              (_, i) => ((i + 1) * (seed | 1)) >>> 5,
            );
            const stretch = (extent: number) => ({ start: cut * extent, extent: extent * (1 - 2 * cut) });
            const across = sideOf(x.count, stretch(x.extent), [0, x.extent]);
            const down = sideOf(y.count, stretch(y.extent), [0, y.extent]);
            const expected = new Uint8Array(y.count * x.count * 3);
            resample(pixels, [y.extent, x.extent], { across, down }, expected);
            for (const set of instructionSets()) {
              process.env.FEWBIT_INSTRUCTION_SET = set;
              const out = new Uint8Array(expected.length);
              await nativeResample()!(pixels, numbersOf([y.extent, x.extent], across, down), out);
              expect(out).toEqual(expected);
            }
          },
        ),
        { numRuns: 100 },
      );
    } finally {
      if (before === undefined) delete process.env.FEWBIT_INSTRUCTION_SET;
      else process.env.FEWBIT_INSTRUCTION_SET = before;
    }
  },
);

test.skipIf(instructionSets().length === 0)("the add-on refuses sides that do not fit", () => {
  const native = nativeResample()!;
  const pixels = new Uint8Array(4 * 4 * 3);
  const whole = sideOf(2, { start: 0, extent: 4 }, [0, 4]);
  const out = new Uint8Array(2 * 2 * 3);
  const numbers = numbersOf([4, 4], whole, whole);
  const changed = (at: number, value: number) => numbers.map((number, i) => (i === at ? value : number));
  const refuses = (some: Int32Array, into = out) =>
    expect(() => native(pixels, some, into)).toThrow("the sides of a resampling do not fit its image");
  refuses(numbers.subarray(0, -1));
  refuses(numbers, new Uint8Array(11));
  refuses(changed(0, 5));
  refuses(changed(2, 1000));
  refuses(changed(3, 5));
  refuses(changed(4, 3));
  refuses(changed(4, -1));
  refuses(changed(6, -1));
  refuses(changed(6, 1 << 23));
  refuses(new Int32Array(1));
});

describe("a JPEG's header", () => {
  const jpeg = (height: number, width: number, options = {}) =>
    sharp({ create: { height, width, channels: 3, background: "red" } })
      .jpeg(options)
      .toBuffer();
  test.each([{}, { progressive: true }, { mozjpeg: true }])("says its size, with %j", async (options) => {
    expect(jpegSize(await jpeg(31, 277, options))).toEqual({ height: 31, width: 277, channels: 3 });
  });
  test("is found behind comments, profiles and stuffing", async () => {
    const plain = await jpeg(9, 7);
    const padded = Buffer.concat([
      plain.subarray(0, 2),
      Buffer.from([0xff, 0xff, 0xfe, 0, 6, 0xff, 0xc0, 1, 1, 0xff]),
      plain.subarray(2),
    ]);
    expect(jpegSize(padded)).toEqual({ height: 9, width: 7, channels: 3 });
    const profile = await sharp(plain)
      .withIccProfile("p3")
      .withExif({ IFD0: { Copyright: "nobody" } })
      .jpeg()
      .toBuffer();
    expect(jpegSize(profile)).toEqual({ height: 9, width: 7, channels: 3 });
  });
  test("is not found elsewhere", async () => {
    const plain = await jpeg(9, 7);
    for (let length = 0; length < 40; length++) expect(jpegSize(plain.subarray(0, length))).toBeUndefined();
    const png = await sharp(plain).png().toBuffer();
    expect(jpegSize(png)).toBeUndefined();
    expect(
      jpegSize(Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 0, ...Array<number>(20).fill(0)])),
    ).toBeUndefined();
  });
});

describe("a photograph of more than 4 million pixels", () => {
  // Smooth, so that the decoder's reduction and the filter's agree.
  const [height, width] = [1800, 2600];
  const pixels = Buffer.alloc(height * width * 3);
  for (let y = 0, o = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      pixels[o++] = Math.floor((255 * y) / height);
      pixels[o++] = Math.floor((255 * x) / width);
      pixels[o++] = 128;
    }
  }
  /** The red and green of places of an image of `shape`, of what its box shows. */
  const expected = (
    [h, w]: readonly [number, number],
    box: { readonly top: number; readonly left: number; readonly height: number; readonly width: number },
  ) =>
    Array.from({ length: h * w }, (_, i) => [
      (255 * (box.top + ((Math.floor(i / w) + 0.5) * box.height) / h)) / height,
      (255 * (box.left + (((i % w) + 0.5) * box.width) / w)) / width,
    ]);
  const differs = (shown: Uint8Array, wanted: readonly (readonly number[])[]) =>
    Math.max(
      ...wanted.flatMap(([red, green], i) => [shown[3 * i] - red, shown[3 * i + 1] - green].map(Math.abs)),
    );
  const path = join(folder, "large.png");

  test("is shown as a smaller one is: its middle, all of it stretched, and a crop", async () => {
    writeFileSync(
      path,
      await sharp(pixels, { raw: { height, width, channels: 3 } })
        .png({ compressionLevel: 1 })
        .toBuffer(),
    );
    const middle = await decodeImages([path], { shape: [32, 48, 3] });
    const box = { top: 400 / 12, left: 0, height: (2600 / 48) * 32, width };
    expect(differs(middle, expected([32, 48], box))).toBeLessThan(2.5);

    const rules = { ...decodeRules, frame: "stretched" } as const;
    const all: Uint8Array[] = [];
    await decodeEach([{ path }], { shape: [32, 48, 3], rules, isFrame: true }, (shown) => all.push(shown));
    expect(differs(all[0], expected([32, 48], { top: 0, left: 0, height, width }))).toBeLessThan(2.5);

    const crop = { top: 700, left: 100, height: 1000, width: 2300 };
    await decodeEach([{ path }], { shape: [30, 40, 3], crop: () => crop }, (shown) => all.push(shown));
    expect(differs(all[1], expected([30, 40], crop))).toBeLessThan(2.5);
    // Hardly reduced: what the decoder gives is no smaller than what is wanted.
    const close = { top: 5, left: 7, height: 50, width: 60 };
    await decodeEach([{ path }], { shape: [40, 48, 3], crop: () => close }, (shown) => all.push(shown));
    expect(differs(all[2], expected([40, 48], close))).toBeLessThan(2.5);
  });
});
