/** What streaming takes of memory, whose figure docs/data.md has: it does not grow with the images, but for their list. */
import { execFile } from "node:child_process";
import { linkSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { writeWhole } from "../data/cache.js";
import { writeImage } from "../data/images.test.fixture.js";
import { placeOf } from "../data/manifest.js";
import { pack } from "../data/packed.js";

const runner = createRequire(import.meta.url).resolve("vite-node/vite-node.mjs");
const child = fileURLToPath(new URL("streamed-memory.test.child.ts", import.meta.url));

const parent = mkdtempSync(join(tmpdir(), "fewbit-memory-"));
const folder = join(parent, "photographs");
const mostFiles = 1300;
const nameOf = (file: number): string => `n01440764_${String(file).padStart(5, "0")}.JPEG`;

/** Photographs of the size that most of ImageNet's have: a few, and links to them. */
beforeAll(async () => {
  vi.stubEnv("FEWBIT_CACHE", join(parent, "cache"));
  mkdirSync(folder);
  const originals = await Promise.all(
    [0, 1, 2, 3].map((i) =>
      writeImage(
        join(parent, `${i}.jpg`),
        (row, column) => [(row * 3 + i * 40) % 256, (column * 5) % 256, (row * column) % 256],
        [375, 500],
      ),
    ),
  );
  for (let i = 0; i < mostFiles; i++) linkSync(originals[i % 4], join(folder, nameOf(i)));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(parent, { recursive: true });
});

/** ImageNet's folder whose classes are all the same folder, listed in the cache, since a million files take long to look at. */
function imagenetOf(classes: number, each: number): string {
  const root = join(parent, `${classes}-${each}`);
  const wnids = Array.from({ length: classes }, (_, i) => `n${String(i).padStart(8, "0")}`);
  for (const set of ["train", "val"]) {
    mkdirSync(join(root, set), { recursive: true });
    const listed = set === "train" ? wnids : wnids.slice(0, 1);
    for (const wnid of listed) symlinkSync(folder, join(root, set, wnid));
  }
  const time = statSync(folder).mtimeMs;
  const names = Buffer.from(Array.from({ length: each }, (_, file) => nameOf(file)).join(""));
  const length = names.length / each;
  const sizesOfEach = Array.from({ length: each }, (_, file) => statSync(join(folder, nameOf(file))).size);
  const count = classes * each;
  const sizes = new Uint32Array(count).map((_, i) => sizesOfEach[i % each]);
  const ends = new Uint32Array(count).map((_, i) => (i + 1) * length);
  const folders = wnids.map((name) => ({ name, time, count: each }));
  const packed = pack(
    { version: 1, folders, count },
    [sizes, ends],
    Buffer.alloc(classes * names.length, names),
  );
  writeWhole(placeOf(join(root, "train")) as string, packed);
  return root;
}

test.each([
  [4, 250],
  [1000, mostFiles],
])(
  "%d classes of %d photographs each: less than 500 MB, Node and the decoder included",
  async (classes, each) => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      runner,
      child,
      imagenetOf(classes, each),
    ]);
    const { listed, images, bytes } = JSON.parse(stdout) as Record<string, number>;
    expect([listed, images]).toEqual([classes * each, 128]);
    expect(bytes).toBeLessThan(500e6);
  },
);
