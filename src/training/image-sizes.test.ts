/** Default sizes of the images that networks get, by data and preset. */
import { expect, test } from "vitest";
import { reproduction } from "../experiments/published.js";
import { parseRunOptions, resolveNetwork } from "./config.js";

function sideOf(values: Record<string, unknown>): number {
  const options = parseRunOptions({ dataDir: "there", ...values }, () => "a test");
  const [height, width] = resolveNetwork(options).model.input;
  expect(width).toBe(height);
  return height;
}

test.each([
  ["alexnet", 224, 227, 224, 227],
  ["resnet18", 224, 227, 224, 227],
  // Its own images are CIFAR-10's.
  ["vgg16", 224, 227, 32, 32],
  ["resnet20", 32, 32, 32, 32],
])("%s", (model, ...sides) => {
  const found = ["imagenet", "images"].flatMap((data) =>
    ["paper", "redbit"].map((preset) => sideOf({ model, data, preset })),
  );
  expect(found).toEqual(sides);
  expect(sideOf({ model, data: "imagenet", imageSize: 112 })).toBe(112);
});

test("the rows of ImageNet's table have 227 pixels", () => {
  const sides = reproduction({ table: "imagenet", dataDir: "there" }).map(
    ({ options }) => resolveNetwork(options).model.input,
  );
  expect(new Set(sides.map((side) => side.join("x")))).toEqual(new Set(["227x227x3"]));
});
