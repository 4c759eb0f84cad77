/** Networks for CIFAR-10 from the command line, on the shipped sample: killed and resumed, scored, asked. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { datasets } from "../data/index.js";
import { build, digests, execute, expectRefusal, fewbit, program } from "./cli.test.fixture.js";

const job = "train resnet --depth 8 --method dorefa --weight-bits 2 --activation-bits 2 --epochs 2";

let folder: string;
const config = (run: string) =>
  JSON.parse(readFileSync(join(folder, run, "config.json"), "utf8")) as Record<string, unknown>;
const succeeds = async (args: string) => {
  const result = await fewbit(folder, args);
  expect(result).toMatchObject({ code: 0, stderr: "" });
  return result.stdout;
};

beforeAll(async () => {
  build();
  folder = mkdtempSync(join(tmpdir(), "fewbit-cifar10-"));
  await succeeds(`${job} --out whole`);
});
afterAll(() => rmSync(folder, { recursive: true }));

test("a network for 32x32 colour images trains on the shipped sample, with CIFAR-10's augmentation and classes", () => {
  expect(config("whole")).toMatchObject({
    options: { data: "cifar10-sample" },
    data: {
      name: "cifar10-sample",
      augmentation: { cropPadding: 4, padding: "reflection", flip: true },
    },
    model: { input: [32, 32, 3], classes: 10 },
    preparation: { classNames: expect.arrayContaining(["airplane", "truck"]) as unknown },
  });
});

test("a run that is killed in its second epoch ends with the bits of one that is not", async () => {
  const { code } = await execute(process.execPath, [program, ...`${job} --out broken`.split(" ")], folder, {
    interruptWhen: (text) => text.includes("epoch 1/2"),
    signal: "SIGKILL",
  });
  expect(code).toBeNull();
  await succeeds("train --resume broken");
  expect(digests(join(folder, "broken"))).toEqual(digests(join(folder, "whole")));
});

test("eval and predict give the classes' names", async () => {
  expect(await succeeds("eval whole")).toMatch(/of 400 test images of cifar10-sample right/);
  const { test: held } = await datasets.cifar10Sample();
  const ship = 8 * 40;
  const pixels = Buffer.from(held.images.slice(ship * 3072, (ship + 1) * 3072) as Uint8Array);
  await sharp(pixels, { raw: { width: 32, height: 32, channels: 3 } })
    .png()
    .toFile(join(folder, "ship.png"));
  const { classes, predictions } = JSON.parse(await succeeds("predict whole ship.png --json")) as {
    classes: string[];
    predictions: { probabilities: number[] }[];
  };
  expect(classes).toEqual([...(await datasets.cifar10Sample()).classNames!]);
  expect(predictions[0].probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1);
});

test.each([
  [
    "train resnet20 --data-dir cifar10",
    'dataDir "cifar10" goes with data mnist, fashion-mnist, kmnist, cifar10, imagenet or images, and not with the shipped sample of CIFAR-10 (from --data-dir)',
  ],
  [
    "train --resume whole --epochs 3 --data cifar10",
    'data is "cifar10", but whole was started with "cifar10-sample"; resume it with the same, or start another run (from --data)',
  ],
  [
    "eval whole --data digits",
    "whole was trained to tell airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck apart, but the classes of digits are 0, 1, 2, 3, 4, 5, 6, 7, 8, 9; give images of the same classes in the same order (from --data)",
  ],
])("fewbit %s is refused", (args, message) => expectRefusal(folder, args, message));
