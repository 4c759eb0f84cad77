import { describe, expect, test } from "vitest";
import fc from "fast-check";
import type { Placement } from "./augment.js";
import { checkAugmentation } from "./check.js";
import { middleOf, pixelSource, placementOf, resizedCropOf } from "./augment.js";

function pixels(height: number, width: number, placement: Partial<Placement>): number[] {
  const whole: Placement = { angle: 0, top: 0, left: 0, height, width, flipped: false, padding: "zeros" };
  const out = new Int32Array(height * width);
  pixelSource(height, width)({ ...whole, ...placement }, out);
  return Array.from(out);
}

test("no rotation and no shift is the identity", () => {
  expect(pixels(5, 7, { angle: 0, top: 0, left: 0 })).toEqual(Array.from({ length: 35 }, (_, i) => i));
});

test("a shift moves the window and shows nothing beyond the image", () => {
  expect(pixels(3, 3, { angle: 0, top: 1, left: -1 })).toEqual([-1, 3, 4, -1, 6, 7, -1, -1, -1]);
});

describe("a crop of another size is scaled", () => {
  test("up: each pixel shows the one that its centre lies in", () => {
    // The middle 2 x 2 of 4 x 4 pixels.
    const twice = (at: number) => [at, at, at + 1, at + 1];
    expect(pixels(4, 4, { top: 1, left: 1, height: 2, width: 2 })).toEqual([
      ...twice(5),
      ...twice(5),
      ...twice(9),
      ...twice(9),
    ]);
  });

  test("down, from beyond the image too", () => {
    // 0 1 2 3 in 8 columns with 2 outside on each side, of which the centres of four lie in -1, 1, 3 and 5.
    expect(pixels(1, 4, { left: -2, width: 8 })).toEqual([-1, 1, 3, -1]);
    expect(pixels(1, 4, { left: -2, width: 8, flipped: true })).toEqual([-1, 3, 1, -1]);
    expect(pixels(1, 4, { left: -2, width: 8, padding: "reflection" })).toEqual([1, 1, 3, 1]);
  });

  test("that begins within a pixel shows what lies at the centres", () => {
    expect(pixels(1, 4, { left: 0.25, width: 2 })).toEqual([0, 1, 1, 2]);
  });
});

test("a quarter turn is clockwise: the top row comes from the left column, read upwards", () => {
  expect(pixels(3, 3, { angle: Math.PI / 2, top: 0, left: 0 })).toEqual([6, 3, 0, 7, 4, 1, 8, 5, 2]);
});

test("a flipped image is the mirror image of the same crop", () => {
  expect(pixels(2, 3, { flipped: true })).toEqual([2, 1, 0, 5, 4, 3]);
  expect(pixels(2, 3, { left: 1, flipped: true })).toEqual([-1, 2, 1, -1, 5, 4]);
  expect(pixels(3, 3, { angle: Math.PI / 2, flipped: true })).toEqual([0, 3, 6, 1, 4, 7, 2, 5, 8]);
});

describe("reflected padding", () => {
  const reflected = (height: number, width: number, placement: Partial<Placement>) =>
    pixels(height, width, { ...placement, padding: "reflection" });

  test("mirrors the image at its edge, which is not repeated", () => {
    // 0 1 2   is padded to   5 4 3 4 5 / 2 1 0 1 2 / 5 4 3 4 5 ... around it.
    // 3 4 5
    expect(reflected(2, 3, { top: -1, left: -2 })).toEqual([5, 4, 3, 2, 1, 0]);
    expect(reflected(2, 3, { top: 1, left: 2 })).toEqual([5, 4, 3, 2, 1, 0]);
  });

  test("wider than the image goes back and forth", () => {
    expect(reflected(1, 3, { left: -6 })).toEqual([2, 1, 0]);
    expect(reflected(1, 3, { left: 5 })).toEqual([1, 2, 1]);
    expect(reflected(2, 1, { left: 7, top: 3 })).toEqual([1, 0]);
  });

  test("is that of an image padded by copying its rows and columns", () => {
    const [height, width, padding] = [5, 7, 4];
    /** NumPy's and PyTorch's padding "reflect", one dimension at a time. */
    const pad = <T>(list: readonly T[]): T[] => [
      ...list.slice(1, padding + 1).reverse(),
      ...list,
      ...list.slice(-padding - 1, -1).reverse(),
    ];
    const image = [...Array(height).keys()].map((y) => [...Array(width).keys()].map((x) => y * width + x));
    const padded = pad(image.map(pad));
    for (let top = -padding; top <= padding; top++) {
      for (let left = -padding; left <= padding; left++) {
        const expected = padded
          .slice(padding + top, padding + top + height)
          .flatMap((row) => row.slice(padding + left, padding + left + width));
        expect(reflected(height, width, { top, left })).toEqual(expected);
      }
    }
  });
});

test("rotating then cropping in two separate steps gives the same image", () => {
  const size = 28;
  fc.assert(
    fc.property(
      fc.record({
        angle: fc.double({ min: -0.2, max: 0.2, noNaN: true }),
        top: fc.integer({ min: -4, max: 4 }),
        left: fc.integer({ min: -4, max: 4 }),
      }),
      ({ angle, top, left }) => {
        // The rotated image, by polar coordinates about the centre; -2 where rounding could decide.
        const rotated = Array.from({ length: size * size }, (_, i) => {
          const dx = (i % size) + 0.5 - size / 2;
          const dy = Math.floor(i / size) + 0.5 - size / 2;
          const radius = Math.hypot(dx, dy);
          const turned = Math.atan2(dy, dx) - angle;
          const [x, y] = [size / 2 + radius * Math.cos(turned), size / 2 + radius * Math.sin(turned)];
          if ([x, y].some((v) => Math.abs(v - Math.round(v)) < 1e-9)) return -2;
          return x < 0 || y < 0 || x >= size || y >= size ? -1 : Math.floor(y) * size + Math.floor(x);
        });
        // Padded with 4 on each side, then cropped.
        const padded = Array<number>(36 * 36).fill(-1);
        rotated.forEach((v, i) => (padded[(Math.floor(i / size) + 4) * 36 + (i % size) + 4] = v));
        const expected = Array.from(
          { length: size * size },
          (_, i) => padded[(Math.floor(i / size) + top + 4) * 36 + (i % size) + left + 4],
        );
        const actual = pixels(size, size, { angle, top, left });
        expect(actual.map((v, i) => (expected[i] === -2 ? -2 : v))).toEqual(expected);
      },
    ),
    { numRuns: 50 },
  );
});

describe("draws", () => {
  const draw = (...words: [number, number, number]) =>
    placementOf({ rotation: 10, cropPadding: 4 }, Uint32Array.of(...words, 0), [28, 28]);

  test("reach both ends of their ranges and no further", () => {
    const low = draw(0, 0, 0);
    const high = draw(0xffffffff, 0xffffffff, 0xffffffff);
    expect([(low.angle * 180) / Math.PI, low.top, low.left]).toEqual([expect.closeTo(-10), -4, -4]);
    expect([(high.angle * 180) / Math.PI, high.top, high.left]).toEqual([expect.closeTo(10), 4, 4]);
  });

  test("give each of the nine crop places the same share of the words", () => {
    const counts = new Map<number, number>();
    for (let i = 0; i < 9000; i++) {
      const { top } = draw(0, i * Math.floor(2 ** 32 / 9000), 0);
      counts.set(top, (counts.get(top) ?? 0) + 1);
    }
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual([-4, -3, -2, -1, 0, 1, 2, 3, 4]);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThanOrEqual(1);
  });

  test("flip half of the words, and none where flipping is off", () => {
    const flipped = (flip: boolean | undefined, word: number) =>
      placementOf({ flip }, Uint32Array.of(0, 0, 0, word), [28, 28]).flipped;
    expect([0, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1].map((word) => flipped(true, word))).toEqual([
      ...[false, false],
      ...[true, true],
    ]);
    expect([undefined, false].map((flip) => flipped(flip, 2 ** 32 - 1))).toEqual([false, false]);
  });

  test("without augmentation change nothing", () => {
    const { angle, top, left, height, width, flipped } = placementOf(
      {},
      Uint32Array.of(7, 8, 9, 2 ** 31),
      [28, 20],
    );
    expect([Math.abs(angle), Math.abs(top), Math.abs(left), flipped]).toEqual([0, 0, 0, false]);
    expect([height, width]).toEqual([28, 20]);
  });
});

describe("frames", () => {
  test("the middle of 256 begins at 14 for 227 pixels and at 16 for 224", () => {
    expect([227, 224].map((side) => middleOf([side, side], [256, 256]).top)).toEqual([14, 16]);
  });

  test("a crop is uniform in the places that a frame has", () => {
    const tops = Array.from({ length: 8 }, (_, i) => {
      const words = Uint32Array.of(0, i * 2 ** 29, 2 ** 32 - 1, 0);
      const { top, left } = placementOf({ flip: true }, words, [4, 5], [7, 9]);
      return [top, left];
    });
    expect(tops).toEqual([0, 0, 1, 1, 2, 2, 3, 3].map((top) => [top, 4]));
  });

  test("what is shown of a larger frame has its pixels", () => {
    const out = new Int32Array(6);
    const placement = { ...middleOf([2, 3], [4, 5]), top: 1, left: 2 };
    pixelSource(4, 5, 2, 3)(placement, out);
    expect(Array.from(out)).toEqual([7, 8, 9, 12, 13, 14]);
    pixelSource(4, 5, 2, 3)({ ...placement, flipped: true }, out);
    expect(Array.from(out)).toEqual([9, 8, 7, 14, 13, 12]);
  });
});

describe("resized crops", () => {
  const augmentation = { resizedCrop: { area: [0.08, 1], ratio: [3 / 4, 4 / 3] }, flip: true } as const;
  const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const draws = fc.array(fc.tuple(word, word, word, word), { minLength: 11, maxLength: 11 });
  const size = fc.tuple(fc.integer({ min: 8, max: 600 }), fc.integer({ min: 8, max: 600 }));

  test("lie in the image, with an area and an aspect ratio in their ranges, but for rounding to pixels", () => {
    fc.assert(
      fc.property(draws, size, (words, [height, width]) => {
        const crop = resizedCropOf(augmentation, (draw) => Uint32Array.from(words[draw]), [height, width]);
        expect(crop.top).toBeGreaterThanOrEqual(0);
        expect(crop.left).toBeGreaterThanOrEqual(0);
        expect(crop.top + crop.height).toBeLessThanOrEqual(height);
        expect(crop.left + crop.width).toBeLessThanOrEqual(width);
        expect((crop.width + 0.5) / (crop.height - 0.5)).toBeGreaterThanOrEqual(3 / 4);
        expect((crop.width - 0.5) / (crop.height + 0.5)).toBeLessThanOrEqual(4 / 3);
        expect(crop.flipped).toBe(words[10][0] >= 2 ** 31);
      }),
    );
  });

  test("go with a flip alone: what else they would replace is refused", () => {
    expect(() => checkAugmentation(augmentation)).not.toThrow();
    for (const other of [{ rotation: 5 }, { cropPadding: 0 }, { padding: "zeros" }]) {
      const [key] = Object.keys(other);
      expect(() => checkAugmentation({ ...augmentation, ...other })).toThrow(
        `augmentation.${key} has no effect with augmentation.resizedCrop; leave one of them out`,
      );
    }
  });

  test("are the middle where no draw fits", () => {
    const none = () => Uint32Array.of(2 ** 32 - 1, 2 ** 32 - 1, 0, 0); // all of the area, four by three
    expect(resizedCropOf(augmentation, none, [100, 400])).toMatchObject({
      top: 0,
      left: 133,
      height: 100,
      width: 133,
    });
    expect(resizedCropOf(augmentation, none, [400, 100])).toMatchObject({
      top: 133,
      left: 0,
      height: 133,
      width: 100,
    });
  });
});
