/** Manifests of more files than a test can make, and what the cache keeps of real ones. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { listFiles, Manifest } from "./manifest.js";

let parent: string;
let directory: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "fewbit-manifest-"));
  vi.stubEnv("FEWBIT_CACHE", join(parent, "cache"));
  directory = join(parent, "images");
  for (const [folder, names] of Object.entries({
    b: ["2.jpg", "10.jpg"],
    a: ["é.png", "notes.txt"],
    c: [],
  })) {
    mkdirSync(join(directory, folder), { recursive: true });
    for (const name of names) writeFileSync(join(directory, folder, name), name);
  }
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(parent, { recursive: true });
});

const filesOf = (manifest: Manifest) =>
  Array.from({ length: manifest.count }, (_, i) => [manifest.path(i), manifest.sizes[i]]);

test("image files stand in the order of folders and names, with their sizes", () => {
  const manifest = listFiles(directory, ["b", "c", "a"]);
  const inside = (...parts: string[]) => join(directory, ...parts);
  expect(filesOf(manifest)).toEqual([
    [inside("b", "10.jpg"), 6],
    [inside("b", "2.jpg"), 5],
    [inside("a", "é.png"), 6],
  ]);
  expect(Array.from(manifest.folderIndices())).toEqual([0, 0, 2]);
});

test("a second listing reads no folder that has not changed, and gives the same", () => {
  const first = listFiles(directory, ["a", "b", "c"]);
  // Unseen, since the folder keeps its time: sizes are looked at when a file is opened.
  writeFileSync(join(directory, "b", "2.jpg"), "longer than before");
  expect(filesOf(listFiles(directory, ["a", "b", "c"]))).toEqual(filesOf(first));
  writeFileSync(join(directory, "c", "new.webp"), "w");
  utimesSync(join(directory, "c"), new Date(), new Date(Date.now() + 5000));
  expect(filesOf(listFiles(directory, ["a", "b", "c"])).map(([path]) => path)).toEqual([
    ...filesOf(first).map(([path]) => path),
    join(directory, "c", "new.webp"),
  ]);
});

test("listing some folders keeps what is known of the others", () => {
  listFiles(directory, ["a", "b", "c"]);
  const kept = join(parent, "cache", "manifests");
  const before = readFileSync(join(kept, readdirSync(kept)[0]));
  expect(filesOf(listFiles(directory, ["a"]))).toEqual([[join(directory, "a", "é.png"), 6]]);
  expect(readFileSync(join(kept, readdirSync(kept)[0])).equals(before)).toBe(true);
});

test("a damaged file of the cache is as none", () => {
  const first = filesOf(listFiles(directory, ["a", "b"]));
  const kept = join(parent, "cache", "manifests");
  const [name] = readdirSync(kept);
  const bytes = readFileSync(join(kept, name));
  for (const at of [0, 10, bytes.length >> 1, bytes.length - 1]) {
    const damaged = Uint8Array.from(bytes);
    damaged[at] ^= 1;
    writeFileSync(join(kept, name), damaged);
    expect(filesOf(listFiles(directory, ["a", "b"]))).toEqual(first);
  }
  writeFileSync(join(kept, name), "");
  expect(filesOf(listFiles(directory, ["a", "b"]))).toEqual(first);
});

test("1.3 million names take less than 60 MB", () => {
  const [classes, each] = [1000, 1300];
  const names = Buffer.from(
    Array.from({ length: each }, (_, i) => `n01440764_${String(i).padStart(5, "0")}.JPEG`).join(""),
  );
  const all = new Uint8Array(classes * names.length);
  for (let i = 0; i < classes; i++) all.set(names, i * names.length);
  const length = names.length / each;
  const folders = Array.from({ length: classes }, (_, i) => ({ name: `n${i}`, time: 0, count: each }));
  const ends = new Uint32Array(classes * each).map((_, i) => (i + 1) * length);
  const manifest = new Manifest("/data", folders, all, ends, new Uint32Array(classes * each));
  const bytes = [manifest.names, manifest.ends, manifest.sizes, manifest.folderIndices()].reduce(
    (sum, { byteLength }) => sum + byteLength,
    0,
  );
  expect(bytes).toBeLessThan(60e6);
  expect(manifest.path(1_299_999)).toBe(join("/data", "n999", "n01440764_01299.JPEG"));
  expect(manifest.path(1300)).toBe(join("/data", "n1", "n01440764_00000.JPEG"));
});
