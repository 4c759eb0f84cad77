/** Where the pixels of an image are in a batch of bytes. */
import { expect, test } from "vitest";
import { byteWriter } from "./writer.js";

const [shape, frame] = [
  [3, 4, 3],
  [5, 7, 3],
] as const;
const image = Uint8Array.from({ length: 5 * 7 * 3 }, (_, i) => i + 1);
const nothing = { angle: 0, flipped: false, padding: "zeros" } as const;

/** The bytes of the second place of a batch, whose first place stays empty. */
function written(placement?: Parameters<ReturnType<typeof byteWriter>>[2]): number[] {
  const out = new Uint8Array(2 * 36);
  byteWriter(shape, frame)(image, 0, placement, out, 1);
  expect(out.subarray(0, 36).every((value) => value === 0)).toBe(true);
  return Array.from(out.subarray(36));
}

/** Pixel by pixel; 0 outside of the image. */
const expected = (top: number, left: number, flipped: boolean): number[] =>
  Array.from({ length: 36 }, (_, i) => {
    const [y, x, c] = [Math.floor(i / 12), Math.floor((i % 12) / 3), i % 3];
    const [row, column] = [top + y, left + (flipped ? 3 - x : x)];
    return row < 0 || row > 4 || column < 0 || column > 6 ? 0 : 1 + (row * 7 + column) * 3 + c;
  });

test("a crop within the image or beyond it, mirrored or not", () => {
  for (const flipped of [false, true]) {
    for (let top = -2; top <= 3; top++) {
      for (let left = -2; left <= 4; left++) {
        const placement = { ...nothing, top, left, height: 3, width: 4, flipped };
        expect(written(placement)).toEqual(expected(top, left, flipped));
      }
    }
  }
});

test("the middle without a placement", () => {
  expect(written()).toEqual(expected(1, 1, false));
});

test("a crop that begins within a pixel takes the pixels that its own lie in", () => {
  const placement = { ...nothing, top: 0.25, left: 1.25, height: 3, width: 4 };
  expect(written(placement)).toEqual(expected(0, 1, false));
});
