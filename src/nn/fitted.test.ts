/** A network for other images and classes than it was written for. */
import { expect, test } from "vitest";
import { lenet5 } from "../models/lenet5.js";
import { baseline } from "../quantization/index.js";
import { describe as describeNetwork, fitted, network } from "./index.js";

const shapes = (of: typeof lenet5) =>
  Object.fromEntries(describeNetwork(of, baseline()).parameters.map(({ name, shape }) => [name, shape]));

test("LeNet-5 for 32x32 colour images of 7 classes has other first, fourth and last weights", () => {
  const other = fitted(lenet5, { input: [32, 32, 3], classes: 7 });
  expect({ name: other.name, input: other.input, classes: other.classes }).toEqual({
    name: "lenet5",
    input: [32, 32, 3],
    classes: 7,
  });
  // 32 -> 28 -> 14 -> 10 -> 5: 50 channels of 5x5.
  expect(shapes(other)).toEqual({
    ...shapes(lenet5),
    "conv1.weight": [5, 5, 3, 20],
    "fc1.weight": [1250, 500],
    "fc3.weight": [250, 7],
  });
});

test("a network that fits is returned as it is", () => {
  expect(fitted(lenet5, { input: [28, 28, 1], classes: 10 })).toBe(lenet5);
  const there = fitted(lenet5, { input: [40, 36, 3], classes: 3 });
  expect(shapes(fitted(there, lenet5))).toEqual(shapes(lenet5));
});

test("what cannot be built is refused with the reason", () => {
  expect(() => fitted(lenet5, { input: [11, 11, 1], classes: 10 })).toThrow(
    "lenet5 cannot take images of 11x11x1 to 10 classes: conv2: convolution: a window of 5x5 does not fit in an image of 3x3",
  );
  const stubborn = network("stubborn", { input: [2, 2, 1], classes: 2 }, (net, x) =>
    net.linear("fc", net.flatten(x), { features: 2 }),
  );
  expect(() => fitted(stubborn, { input: [2, 2, 1], classes: 3 })).toThrow(
    "stubborn cannot take images of 2x2x1 to 3 classes: network stubborn must return logits [1, 3], got [1, 2]",
  );
  expect(() => fitted(lenet5, { input: [0, 28, 1], classes: 10 })).toThrow(
    /input must be \[height, width, channels\]/,
  );
});
