/** What a study's runs take here, said before they begin. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { build, expectRefusal, fewbit, listing, newFolder } from "./cli.test.fixture.js";
import { writeColour } from "./pictures.test.fixture.js";

let folder: string;
beforeAll(async () => {
  build();
  folder = newFolder();
  for (const [set, count] of [
    ["train", 10],
    ["val", 2],
  ] as const) {
    for (const wnid of ["n01440764", "n01443537"])
      for (let i = 0; i < count; i++)
        await writeColour(join(folder, "photos", set, wnid, `${wnid}_${i}.png`), [9 * i, 20, 200], [80, 70]);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The cells of a run's line. */
const cellsOf = (stdout: string): string[] =>
  (/^resnet18-.*$/m.exec(stdout) ?? [""])[0].trimEnd().split(/ {2,}/);
const rows = "reproduce imagenet/resnet18 --method dorefa --bits 4/4 --image-size 64";

test("time, memory and disk of the images that are there, and nothing is changed", async () => {
  const before = listing(folder);
  const env = { FEWBIT_CACHE: join(folder, "cache") };
  const { code, stdout, stderr } = await fewbit(folder, `${rows} --data-dir photos --dry-run`, { env });
  expect([code, stderr]).toEqual([0, ""]);
  const [, , epochs, state, time, memory, disk] = cellsOf(stdout);
  // 20 images in batches of 48: an epoch is less than a step, and 100 of them end within the hour.
  expect([epochs, state]).toEqual(["0/100", "open"]);
  expect(time).toMatch(/^[\d.]+ (s|min)$/);
  expect(memory).toMatch(/^\d+\.\d\d MiB$/);
  // Adam has two arrays of the 11.2 million parameters besides: four times as many with the best weights.
  expect(disk).toMatch(/^17\d\.\d\d MiB$/);
  expect(stdout).toMatch(/steps measured here \(resnet18 with \d+ images?\)/);
  expect(stdout).not.toContain("over a month");
  expect(listing(folder).filter((path) => !path.startsWith("cache"))).toEqual(before);
  // What was measured is kept, so that a second look says the same.
  const again = await fewbit(folder, `${rows} --data-dir photos --dry-run`, { env });
  expect(again.stdout).toBe(stdout);
  const divided = await fewbit(folder, `${rows} --data-dir photos --accumulate 8 --dry-run`, { env });
  expect(parseFloat(cellsOf(divided.stdout)[5])).toBeLessThan(parseFloat(memory));
});

test("all of ImageNet takes months, and what would shorten it is said", async () => {
  const { stdout } = await fewbit(folder, `${rows.replace("64", "224")} --dry-run`);
  expect(stdout).toMatch(
    /^1 run takes over a month: --epochs 10 or --classes 100 takes .*, --image-size 112 about a quarter$/m,
  );
  expect(Math.max(...stdout.split("\n").map(({ length }) => length))).toBeLessThanOrEqual(120);
});

test.each([
  ["reproduce mnist --classes 3", "classes has no effect without data imagenet (from --classes)"],
  [
    "reproduce cifar10/resnet20 --image-size 64",
    "imageSize has no effect without data imagenet or images (from --image-size)",
  ],
  [
    "reproduce imagenet/resnet18 --method dorefa --bits 4/4 --accumulate 32",
    "accumulate must divide batchSize 48, as 24 or 48 does, got 32 (from --accumulate)",
  ],
  [
    "reproduce imagenet/vgg16 --method qnn --bits 1/1 --image-size 0",
    "imageSize must be an integer from 1 to 4096, got 0 (from --image-size)",
  ],
])("%s is refused", async (words, message) => {
  await expectRefusal(folder, words, message);
});
