import fc from "fast-check";
import { expect, test } from "vitest";
import { differenceOf, paretoFront, spreadOf } from "./statistics.js";

test("the spread of several values", () => {
  expect(spreadOf([2, 4, 4, 4, 5, 5, 7, 9])).toEqual({
    count: 8,
    mean: 5,
    least: 2,
    most: 9,
    deviation: Math.sqrt(32 / 7),
  });
  expect(spreadOf([3])).toEqual({ count: 1, mean: 3, deviation: null, least: 3, most: 3 });
});

test("differences have no rounding error of binary fractions", () => {
  expect(differenceOf(99.25, 99.55)).toBe(-0.3);
  expect(differenceOf(99.2, 98.9)).toBe(0.3);
});

test("nothing on the front is dominated, and all else is", () => {
  const value = fc.integer({ min: 0, max: 12 });
  const points = fc.array(fc.record({ cost: value, gain: value }), { maxLength: 40 });
  type Point = { readonly cost: number; readonly gain: number };
  const dominates = (a: Point, b: Point) =>
    a.cost <= b.cost && a.gain >= b.gain && (a.cost < b.cost || a.gain > b.gain);
  fc.assert(
    fc.property(points, (all) => {
      const front = paretoFront(all);
      all.forEach((point, i) => {
        expect(front[i]).toBe(!all.some((other) => dominates(other, point)));
      });
    }),
  );
  expect(
    paretoFront([
      { cost: 1, gain: 2 },
      { cost: 1, gain: 2 },
      { cost: 2, gain: 2 },
    ]),
  ).toEqual([true, true, false]);
});
