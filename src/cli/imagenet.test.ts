/** The networks for ImageNet on folders of images, small ones here. Steps with every method: src/training/golden-imagenet.test.ts. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadRun } from "../training/index.js";
import { build, expectRefusal, fewbit, newFolder } from "./cli.test.fixture.js";
import { writeColour } from "./pictures.test.fixture.js";

let folder: string;

beforeAll(async () => {
  build();
  folder = newFolder();
  const hues = { blue: [20, 30, 200], red: [210, 30, 20] } as const;
  for (const [name, [r, g, b]] of Object.entries(hues)) {
    for (let i = 0; i < 12; i++) {
      const set = i < 10 ? "train" : "test";
      await writeColour(join(folder, "hues", set, name, `${i}.png`), [r + i, g + i, b + i], [80, 70]);
    }
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const settings =
  "--data images --data-dir hues --optimizer sgd --momentum 0 --learning-rate 0.01 --batch-size 20";

/** Trains for the one step that an epoch has. */
async function trained(command: string, out: string) {
  const run = await fewbit(folder, `train ${command} ${settings} --epochs 1 --quiet --out ${out}`);
  expect([run.code, run.stderr]).toEqual([0, ""]);
  return loadRun(join(folder, out));
}

test("ResNet-18 trains", async () => {
  const { config, metrics } = await trained(
    "resnet --depth 18 --method dorefa --bits 2/2 --image-size 64",
    "resnet",
  );
  expect(config.model).toEqual({ name: "resnet18", input: [64, 64, 3], classes: 2 });
  expect(metrics).toMatchObject([{ epoch: 1, step: 1, test: { loss: expect.any(Number) as number } }]);
});

test("AlexNet is scored in the form of its preset, with Baseline too, and goes on in no other", async () => {
  const { config, metrics } = await trained("alexnet --preset redbit --image-size 67", "alexnet");
  expect(config.model).toEqual({ name: "alexnet", input: [67, 67, 3], classes: 2, preset: "redbit" });
  const scored = await fewbit(folder, "eval alexnet --json");
  expect([scored.code, scored.stderr]).toEqual([0, ""]);
  expect((JSON.parse(scored.stdout) as { loss: number }).loss).toBeCloseTo(metrics[0].test.loss, 6);
  await expectRefusal(
    folder,
    "train --resume alexnet --preset paper --epochs 2",
    'preset is "paper", but alexnet was started with "redbit"; resume it with the same, or start another run (from --preset)',
  );
});

test.each([
  ["alexnet", "62,388,912"],
  ["alexnet --method xnor --bits 1/1 --preset redbit", "62,405,024"],
  ["alexnet --method qnn --bits 1/1 --preset redbit", "62,388,912"],
  ["resnet18 --method dorefa --bits 2/2", "11,687,616"],
  ["resnet18 --method twn", "11,688,512"],
  ["resnet --depth 34 --method ttq", "21,796,672"],
  // Of 224 pixels ImageNet's network, less 990 of its 1,000 classes; grey, two of three channels of the first layer less.
  ["vgg16 --image-size 224", "134,297,536"],
  ["resnet18 --channels 1", "11,682,240"],
])("summary %s", async (command, parameters) => {
  const { code, stdout } = await fewbit(folder, `summary ${command}`);
  expect(code).toBe(0);
  expect(stdout).toMatch(new RegExp(`^total +${parameters} `, "m"));
});
