/** Sizes that no kernel could count: refused when the graph is recorded, in one line. */
import { expect, test } from "vitest";
import { UserError } from "../errors.js";
import * as g from "./index.js";

const x = g.leaf("x", [1, 4, 4, 2]);
const w = g.leaf("w", [1, 1, 2, 3]);

const cases: [string, () => unknown, string][] = [
  [
    "padding of 2^51 and a stride of 2^52",
    () => g.convolution(x, w, { padding: 2 ** 51, stride: 2 ** 52 }),
    "convolution: size [1, 1] and stride [4503599627370496, 4503599627370496] must be whole numbers from 1, " +
      "padding [2251799813685248, 2251799813685248] from 0, all at most 2147483647",
  ],
  [
    "padding of 2^30 on every side",
    () => g.convolution(x, w, { padding: 2 ** 30, stride: 2 ** 31 - 1 }),
    "convolution: images of the shape [1, 4, 4, 2] with padding [1073741824, 1073741824] and stride " +
      "[2147483647, 2147483647] have more than 2^50 elements",
  ],
  [
    "a pool's stride of 2^31",
    () => g.averagePool(x, { size: 2, stride: 2 ** 31 }),
    "windowSum: size [2, 2] and stride [2147483648, 2147483648] must be whole numbers from 1, padding [0, 0] from 0, " +
      "all at most 2147483647",
  ],
  [
    "a maximum over more pixels than a float numbers",
    () => g.maxPool(g.leaf("large", [1, 5000, 5000, 1]), { size: 5000 }),
    "windowMax: a window of 5000x5000 has more than 2^24 pixels",
  ],
  [
    "2^64 elements",
    () => g.broadcastTo(g.leaf("one", []), [2 ** 32, 2 ** 32]),
    "broadcast: a value of the shape [4294967296, 4294967296] has more than 2^50 elements",
  ],
  [
    "2^51 multiply-adds",
    () => g.matmul(g.leaf("a", [2 ** 25, 2 ** 13]), g.leaf("b", [2 ** 13, 2 ** 13])),
    "convolution: [33554432, 1, 1, 8192] with the filter [1, 1, 8192, 8192] takes more than 2^50 multiply-adds",
  ],
];

test.each(cases)("%s", (_, record, message) => {
  expect(record).toThrow(UserError);
  expect(record).toThrow(message);
});

test("padding beyond the filter, and a stride beyond the image, are allowed", () => {
  expect(g.convolution(x, w, { padding: 3, stride: 100 }).shape).toEqual([1, 1, 1, 3]);
});
