/** `fewbit data shard`, and training on what it writes. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadRun } from "../training/index.js";
import { build, expectRefusal, fewbit, newFolder } from "./cli.test.fixture.js";
import { writeColour } from "./pictures.test.fixture.js";

let folder: string;
beforeAll(async () => {
  build();
  folder = newFolder();
  for (const [name, red] of [
    ["cat", 200],
    ["dog", 20],
  ] as const) {
    for (let i = 0; i < 6; i++) {
      const set = i < 4 ? "train" : "val";
      await writeColour(join(folder, "pets", set, name, `${i}.png`), [red, 30 + 12 * i, 220 - red], [40, 50]);
    }
  }
  writeFileSync(join(folder, "notes.txt"), "no folder");
});
afterAll(() => rmSync(folder, { recursive: true }));

test("writes shards, which are trained on and scored as the folder is", async () => {
  const first = await fewbit(folder, "data shard pets --out shards");
  expect(first).toEqual({
    code: 0,
    stdout:
      "8 images to train on and 4 to test with, of 2 classes, are in shards\ntrain on them with: npx fewbit train resnet18 --data images --data-dir shards\n",
    stderr: "",
  });
  const again = await fewbit(folder, "data shard pets --out shards --quiet");
  expect(again.stdout).toBe("8 images to train on and 4 to test with, of 2 classes, are already in shards\n");
  const { stdout } = await fewbit(folder, "data shard pets --out shards --json");
  expect(JSON.parse(stdout)).toEqual({ directory: "shards", data: "images", classes: 2, train: 8, val: 4 });
  const settings = "--batch-size 4 --epochs 1 --quiet";
  for (const data of ["pets", "shards"]) {
    const run = await fewbit(
      folder,
      `train lenet5 --data images --data-dir ${data} ${settings} --out runs/${data}`,
    );
    expect([run.code, run.stderr]).toEqual([0, ""]);
  }
  const [pets, shards] = ["pets", "shards"].map((name) => loadRun(join(folder, "runs", name)));
  expect(shards.config.data).toEqual(pets.config.data);
  expect(shards.metrics.map(({ trainLoss, test: scores }) => [trainLoss, scores])).toEqual(
    pets.metrics.map(({ trainLoss, test: scores }) => [trainLoss, scores]),
  );
  const scored = await fewbit(folder, "eval runs/pets --data-dir shards --json");
  expect(JSON.parse(scored.stdout)).toMatchObject({ top1: pets.metrics[0].test.top1 });
});

describe("is refused", () => {
  test.each([
    ["--out new", "missing required argument 'folder'; see fewbit data shard --help"],
    ["pets", "required option '--out <folder>' not specified; see fewbit data shard --help"],
    [
      "pets pets --out new",
      "too many arguments for 'shard'. Expected 1 argument but got 2; see fewbit data shard --help",
    ],
    ["nowhere --out new", "nowhere is not a directory; give the one that holds the images"],
    ["pets --out new --size small", 'size must be an integer from 16 to 4096, got "small" (from --size)'],
    ["pets --out new --size 8", "size must be an integer from 16 to 4096, got 8 (from --size)"],
    ["pets --out new --force", "unknown option '--force'; see fewbit data shard --help"],
    ["pets --out pets/new", "out must be a folder outside of pets, got pets/new (from --out)"],
    ["pets --out notes.txt", "notes.txt is not a folder; choose another (from --out)"],
    [
      "pets --out mnist",
      "mnist holds other files, such as t10k-images-idx3-ubyte.gz; choose a new folder (from --out)",
    ],
  ] as const)("data shard %s", async (args, message) => {
    await expectRefusal(folder, `data shard ${args}`, message as string);
  });

  test("with options of `fewbit data`", async () => {
    await expectRefusal(
      folder,
      "data --force shard pets --out new",
      '--force stands before "shard", where it has no effect; leave it out, or give it after that',
    );
  });
});
