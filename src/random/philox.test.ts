import { describe, expect, test } from "vitest";
import { permutation, philox, uniforms } from "./philox.js";

const hex = (out: Uint32Array) => Array.from(out, (word) => word.toString(16).padStart(8, "0")).join(" ");

describe("philox", () => {
  // The known answers published with Random123 (kat_vectors, "philox4x32 10").
  test.each([
    [[0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
    [[-1, -1, -1, -1], [-1, -1], "408f276d 41c83b0e a20bc7c6 6d5451fd"],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      "d16cfe09 94fdcceb 5001e420 24126ea1",
    ],
  ] as [[number, number, number, number], [number, number], string][])(
    "counter %j with key %j",
    (counter, key, expected) => {
      const out = new Uint32Array(4);
      philox(counter, key, out);
      expect(hex(out)).toBe(expected);
    },
  );
});

describe("uniforms", () => {
  test("are the upper 24 bits of successive blocks", () => {
    const numbers = uniforms([0, 0], 0, 6);
    expect(numbers[0]).toBe(0x6627e8 / 2 ** 24);
    expect(numbers[3]).toBe(0x9b00db / 2 ** 24);
    const second = new Uint32Array(4);
    philox([1, 0, 0, 0], [0, 0], second);
    expect(numbers[5]).toBe((second[1] >>> 8) / 2 ** 24);
  });

  test("do not depend on how many are drawn", () => {
    expect(uniforms([1, 2], 3, 100).subarray(0, 7)).toEqual(uniforms([1, 2], 3, 7));
    expect(uniforms([1, 2], 3, 0)).toHaveLength(0);
  });

  test("differ between streams and keys, and have the mean and variance of [0, 1)", () => {
    const numbers = uniforms([1, 2], 3, 100_000);
    expect(uniforms([1, 2], 4, 4)).not.toEqual(numbers.subarray(0, 4));
    expect(uniforms([2, 2], 3, 4)).not.toEqual(numbers.subarray(0, 4));
    const mean = numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
    const variance = numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / numbers.length;
    expect(mean).toBeCloseTo(1 / 2, 2);
    expect(variance).toBeCloseTo(1 / 12, 2);
    expect(numbers.every((x) => x >= 0 && x < 1)).toBe(true);
  });
});

describe("permutation", () => {
  test("holds every index once, in an order that the key decides", () => {
    const order = permutation(1000, [7, 0], 1);
    expect(Array.from(order).sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(permutation(1000, [7, 0], 1)).toEqual(order);
    expect(permutation(1000, [8, 0], 1)).not.toEqual(order);
    expect(permutation(0, [7, 0], 1)).toHaveLength(0);
  });

  test("reaches each of the 6 orders of 3 about equally often", () => {
    const seen = new Map<string, number>();
    for (let key = 0; key < 6000; key++) {
      const order = permutation(3, [key, 0], 0).join("");
      seen.set(order, (seen.get(order) ?? 0) + 1);
    }
    expect(seen.size).toBe(6);
    for (const count of seen.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});
