/** `fewbit report` on runs that were trained. */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { dataSetNamed } from "../data/index.js";
import { build, dorefa, expectRefusal, fewbit, listing, newFolder, training } from "./cli.test.fixture.js";

let folder: string;
let best: number;
/** The configurations as they were written. */
const stored = new Map<string, string>();
const configOf = (name: string) => join(folder, "runs", name, "config.json");
/** A configuration with the checksum of all of MNIST, of which the runs have a part: only all of it is compared. */
const asWhole = (config: string): string => {
  const { data, ...rest } = JSON.parse(config) as { data: object };
  return JSON.stringify({ ...rest, data: { ...data, checksum: dataSetNamed("mnist")?.published?.checksum } });
};
beforeAll(build);
beforeAll(async () => {
  folder = newFolder();
  mkdirSync(join(folder, "none"));
  const first = await fewbit(folder, `${training} ${dorefa} --epochs 2 --out runs/one --json`);
  expect(first.code).toBe(0);
  best = (JSON.parse(first.stdout.trim().split("\n").at(-1)!) as { bestTop1: number }).bestTop1;
  const other = `${training} --method twn --epochs 300 --out runs/other`;
  await fewbit(folder, other, { interruptWhen: (text) => /epoch +1\/300/.test(text) });
  for (const name of ["one", "other"]) {
    stored.set(name, readFileSync(configOf(name), "utf8"));
    writeFileSync(configOf(name), asWhole(stored.get(name)!));
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

test("a report is written beside the runs, and again to the same bytes", async () => {
  const { code, stdout, stderr } = await fewbit(folder, "report runs");
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout.split("\n").slice(1)).toEqual(["wrote runs/report.md", "wrote runs/report.html", ""]);
  expect(stdout).toMatch(
    /^2 runs in 1 table, 1 of them unfinished\. 1 of 24 published cells trained: 0 within/,
  );
  const [md, html] = ["report.md", "report.html"].map((name) =>
    readFileSync(join(folder, "runs", name), "utf8"),
  );
  expect(md).toContain(`| ${best.toFixed(2)} / 99.61 / −`);
  expect(md).toMatch(/\| TWN .*\| unfinished: \d+ of 300 epochs \/ 99\.63 \|/);
  expect(/class="fb-ours"\s*>([\d.]+)</.exec(html)?.[1]).toBe(best.toFixed(2));
  await fewbit(folder, "report runs");
  expect(readFileSync(join(folder, "runs", "report.html"), "utf8")).toBe(html);
  // A run's folder with a report in it is a run as before.
  expect((await fewbit(folder, "report runs/one")).code).toBe(0);
  writeFileSync(configOf("one"), stored.get("one")!);
  expect((await fewbit(folder, "train --resume runs/one")).code).toBe(0);
  expect((await fewbit(folder, "report runs/one")).stdout).not.toContain("published");
  writeFileSync(configOf("one"), asWhole(stored.get("one")!));
});

test("another folder, heading, CSV and JSON", async () => {
  const { code } = await fewbit(folder, [
    "report",
    "runs",
    "--out",
    "new/place",
    "--title",
    "Two runs",
    "--csv",
    "--json",
  ]);
  expect(code).toBe(0);
  expect(readdirSync(join(folder, "new/place")).sort()).toEqual(
    ["report.csv", "report.html", "report.json", "report.md"].sort(),
  );
  const { title, runs } = JSON.parse(readFileSync(join(folder, "new/place/report.json"), "utf8")) as {
    title: string;
    runs: { name: string; best: { top1: number } }[];
  };
  expect([title, runs[0].name, runs[0].best.top1]).toEqual(["Two runs", "one", best]);
  expect(readFileSync(join(folder, "new/place/report.csv"), "utf8").trim().split("\r\n")).toHaveLength(3);
});

test("a folder that cannot be read as a run is left out with a warning", async () => {
  for (const name of ["torn", "foreign"]) mkdirSync(join(folder, "mixed", name), { recursive: true });
  writeFileSync(join(folder, "mixed/torn/config.json"), "{");
  writeFileSync(join(folder, "mixed/foreign/config.json"), JSON.stringify({ formatVersion: "\u001b[31m" }));
  const { code, stdout, stderr } = await fewbit(folder, "report mixed runs --out said");
  expect(code).toBe(0);
  expect(stderr).toBe(
    'warning: left out: mixed/foreign/config.json has formatVersion "\\u001b[31m"; this fewbit reads 1\n' +
      "warning: left out: mixed/torn/config.json is damaged: it is not JSON\n",
  );
  expect(stdout).toMatch(/^2 runs/);
  expect(readFileSync(join(folder, "said/report.md"), "utf8")).toContain("mixed/torn/config.json is damaged");
  const before = listing(folder);
  const alone = await fewbit(folder, "report mixed");
  expect(alone.code).toBe(2);
  expect(alone.stderr.split("\n").at(-2)).toBe(
    "fewbit: no run can be read in mixed; give run folders, or folders that hold some",
  );
  expect(listing(folder)).toEqual(before);
});

test.each([
  ["report nowhere", "nowhere is not a folder; give run folders, or folders that hold some"],
  ["report none", "no run can be read in none; give run folders, or folders that hold some"],
  [
    "report runs --out runs/one/config.json",
    "runs/one/config.json is not a folder; choose another with --out",
  ],
  [
    "report runs --out runs/one/config.json/x",
    "runs/one/config.json is not a folder; choose another with --out",
  ],
  // Where even root cannot make a folder.
  ...(process.platform === "linux"
    ? [
        [
          "report runs --out /proc/report",
          "cannot make /proc/report: nothing can be made there; choose another folder with --out",
        ],
      ]
    : []),
  ["report", "missing required argument 'folders'; see fewbit report --help"],
])("%s is refused", (command, message) => expectRefusal(folder, command, message));
