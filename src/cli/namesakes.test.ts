/** Files that have MNIST's names and sizes, and are not MNIST's. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { build, expectRefusal, fewbit, newFolder, training } from "./cli.test.fixture.js";

let folder: string;
/** A digest of the four files' bytes. */
const clothes = createHash("sha256");
beforeAll(() => {
  build();
  folder = newFolder();
  const header = (...words: readonly number[]) => {
    const bytes = Buffer.alloc(4 * words.length);
    words.forEach((word, i) => bytes.writeUInt32BE(word, 4 * i));
    return bytes;
  };
  mkdirSync(join(folder, "clothes"));
  for (const [set, count] of [
    ["train", 60_000],
    ["t10k", 10_000],
  ] as const) {
    const images = Buffer.alloc(784 * count, "some texture of cloth");
    const labels = Buffer.from(Array.from({ length: count }, (_, i) => i % 10));
    const write = (name: string, bytes: Buffer) => {
      clothes.update(bytes);
      writeFileSync(join(folder, "clothes", `${set}-${name}-ubyte.gz`), gzipSync(bytes, { level: 1 }));
    };
    write("images-idx3", Buffer.concat([header(0x803, count, 28, 28), images]));
    write("labels-idx1", Buffer.concat([header(0x801, count), labels]));
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const refusal =
  "clothes holds as many images as MNIST, but not MNIST's own, by their checksum; Fashion-MNIST and KMNIST have files of these names, and are data fashion-mnist and kmnist (from --data-dir)";

test("no run begins on them as on MNIST", async () => {
  await expectRefusal(folder, "train lenet5 --data mnist --data-dir clothes --out new", refusal);
});

test("they are what they are called by, without what is published for MNIST", async () => {
  const command =
    "train lenet5 --method dorefa --bits 1/2 --data fashion-mnist --data-dir clothes --epochs 1000";
  let text = "";
  await fewbit(folder, `${command} --out clothed`, {
    interruptWhen: (stdout) => {
      text = stdout;
      return stdout.includes("learning rate");
    },
  });
  expect(text).toContain("Adam, learning rate 0.001\n");
});

test("a run that was started on them as MNIST is scored on them and goes on", async () => {
  const one = await fewbit(folder, `${training} --epochs 1 --quiet --out run`);
  expect(one.code).toBe(0);
  const path = join(folder, "run/config.json");
  const config = readFileSync(path, "utf8");
  const { data, ...rest } = JSON.parse(config) as { data: object };
  writeFileSync(path, JSON.stringify({ ...rest, data: { ...data, checksum: clothes.digest("hex") } }));
  const scored = await fewbit(folder, "eval run --data-dir clothes");
  expect([scored.code, scored.stderr]).toEqual([0, ""]);
  expect(scored.stdout).toMatch(/ of 10,000 test images of mnist right/);
  const resumed = await fewbit(folder, "train --resume run --data-dir clothes --quiet");
  expect([resumed.code, resumed.stderr]).toEqual([0, ""]);
});
