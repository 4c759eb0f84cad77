/** docs/adding-a-data-set.md, followed to the letter by a user who has fewbit in node_modules. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { root, userFolder } from "./documents.test.fixture.js";
import { loadRun } from "./training/index.js";

const text = readFileSync(join(root, "docs/adding-a-data-set.md"), "utf8");
const [stripes, maps] = [...text.matchAll(/```js\n([^]*?)```/g)].map(([, code]) => code);
const [, commands] = /```sh\n([^]*?)```/.exec(text)!;
const [, onMaps] = /```\n(npx[^]*?)```/.exec(text)!;

let folder: string;
const run = (command: string): string =>
  execFileSync("sh", ["-c", command], { cwd: folder, encoding: "utf8" });

beforeAll(() => {
  folder = userFolder();
  writeFileSync(join(folder, /save this as `([\w.]+)`/.exec(text)![1]), stripes);
});
afterAll(() => rmSync(folder, { recursive: true }));

test("the stripes are learned, and the run is scored on them as it was", () => {
  const [trained, scored] = commands.trim().split("\n").map(run);
  const [, best] = /([\d.]+%) of the test images right/.exec(trained)!;
  expect(parseFloat(best)).toBeGreaterThan(90);
  expect(scored.startsWith(`${best} of 500 test images of stripes right`)).toBe(true);
  const { model, data, code } = loadRun(join(folder, "runs/stripes")).config;
  expect([model.input, model.classes, data.name]).toEqual([[16, 16, 1], 2, "stripes"]);
  expect(code).toEqual({ data: expect.stringMatching(/^[0-9a-f]{16}$/) as unknown });
});

test("a data set of files gets their folder", () => {
  writeFileSync(join(folder, "maps.mjs"), maps);
  mkdirSync(join(folder, "weather"));
  for (const [part, count] of [["train", 20] as const, ["test", 10] as const]) {
    const pixels = Uint8Array.from({ length: count * 32 * 32 * 3 }, (_, i) => (i * 31) % 256);
    writeFileSync(join(folder, "weather", `${part}-images.bin`), pixels);
    writeFileSync(
      join(folder, "weather", `${part}-labels.bin`),
      Uint8Array.from({ length: count }, (_, i) => i % 5),
    );
  }
  run(`${onMaps.trim()} --epochs 1 --batch-size 10 --out runs/maps`);
  const { model, options } = loadRun(join(folder, "runs/maps")).config;
  expect([model.classes, options?.dataDir]).toEqual([5, "weather"]);
});
