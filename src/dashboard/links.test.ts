/** Links among run folders: they are mentioned, and not followed. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeRun } from "../runs.test.fixture.js";
import { Watch } from "./watch.js";
import { collectRuns } from "../experiments/index.js";

let folder: string;
let runs: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-links-"));
  runs = join(folder, "runs");
  mkdirSync(runs);
  writeRun(runs, "inside", { epochs: 1 });
});
afterEach(() => rmSync(folder, { recursive: true }));

/** What the report and the dashboard find: names of runs, and warnings. */
async function found(): Promise<[string[], readonly string[]]> {
  const collected = await collectRuns([runs]);
  const names = collected.runs.map(({ name }) => name);
  const watch = new Watch(runs);
  await watch.look();
  const snapshot = watch.snapshot(true);
  expect([snapshot.runs.map(({ name }) => name), snapshot.warnings]).toEqual([names, collected.warnings]);
  return [names, collected.warnings];
}

test("one that leads to a run elsewhere is reported in one line", async () => {
  writeRun(folder, "elsewhere/first", { epochs: 1 });
  symlinkSync(join(folder, "elsewhere/first"), join(runs, "linked"));
  expect(await found()).toEqual([
    ["inside"],
    [
      `left out: ${runs}/linked, which is a link; links are not followed, so give the folder that it leads to`,
    ],
  ]);
  // Given by its name it is the user's word.
  expect((await collectRuns([join(runs, "linked")])).runs).toHaveLength(1);
});

test("several, to runs and to folders of runs, are reported in one line", async () => {
  writeRun(folder, "elsewhere/first", { epochs: 1 });
  symlinkSync(join(folder, "elsewhere/first"), join(runs, "a"));
  symlinkSync(join(folder, "elsewhere"), join(runs, "b"));
  const [names, warnings] = await found();
  expect(names).toEqual(["inside"]);
  expect(warnings).toEqual([
    `left out: 2 links to runs, such as ${runs}/a; links are not followed, so give the folder that it leads to`,
  ]);
});

test("those that stay inside, go round, lead nowhere or to no run are of no interest", async () => {
  symlinkSync("inside", join(runs, "latest"));
  symlinkSync(".", join(runs, "round"));
  symlinkSync("nowhere", join(runs, "lost"));
  symlinkSync("/etc", join(runs, "system"));
  symlinkSync("/dev/zero", join(runs, "device"));
  expect(await found()).toEqual([["inside"], []]);
});
