/** package.json: what it says is what the README, the command line and the scripts say, and what npm packs. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { packedFiles } from "./packed.test.fixture.js";

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const { description, engines, exports } = JSON.parse(read("package.json")) as {
  description: string;
  engines: { node: string };
  exports: Readonly<Record<string, string | { types: string; default: string }>>;
};
const readme = read("README.md");

test("the README begins with the description, which promises no more than there is", () => {
  expect(readme.split("\n")[2]).toBe(description);
  expect(description).not.toMatch(/\bship/);
});

test("the README names the oldest Node, and no other", () => {
  expect(engines.node).toMatch(/^>=\d+\.\d+$/);
  expect(new Set(readme.match(/(?<=Node )\d[\d.]*\d/g))).toEqual(new Set([engines.node.slice(2)]));
});

test("versions of Node are compared as numbers, and one that is too old is refused in one line", async () => {
  const script = new URL("../scripts/node-version.mjs", import.meta.url).href;
  const { nodeProblem } = (await import(script)) as { nodeProblem(version?: string): string | undefined };
  for (const version of ["20.19.0", "20.20.2", "21.0.0", "22.1.0", "100.0.0"]) {
    expect(nodeProblem(version), version).toBeUndefined();
  }
  for (const version of ["20.18.3", "20.9.0", "18.20.8", "9.99.0"]) {
    expect(nodeProblem(version)).toBe(
      `fewbit needs Node 20.19 or newer, and this is ${version}; see https://nodejs.org`,
    );
  }
  expect(nodeProblem()).toBeUndefined();
});

test("npm run bench says how it is called", () => {
  const script = fileURLToPath(new URL("../bench/run.mjs", import.meta.url));
  const run = (...words: string[]) => spawnSync(process.execPath, [script, ...words], { encoding: "utf8" });
  const usage = /^usage: npm run bench -- NAME \[--json\] /m;
  expect(run("--help")).toMatchObject({
    status: 0,
    stderr: "",
    stdout: expect.stringMatching(usage) as unknown,
  });
  const refused = run("lenet5", "--round", "3");
  expect([refused.status, refused.stderr.split("\n")[0]]).toEqual([2, "Unknown option '--round'"]);
  expect(refused.stderr).toMatch(usage);
});

/** The files that a page links to, with the heading in them that is meant, if one is. */
function linksOf(page: string): { target: string; heading: string | undefined }[] {
  const text = read(page).replace(/```[^]*?```/g, "");
  return [...text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].map(([, path, heading]) => ({
    target: path === "" ? page : posix.join(posix.dirname(page), path),
    heading,
  }));
}

/** The anchors of a page's headings, as pages on the web name them. */
const places = (page: string): string[] =>
  [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\d -]/gu, "")
      .replaceAll(" ", "-"),
  );

const packed = packedFiles();

test("the package holds what the README links to", () => {
  const links = linksOf("README.md");
  expect(links.length).toBeGreaterThan(15);
  const missing = links.filter(({ target }) => !packed.some((path) => `${path}/`.startsWith(`${target}/`)));
  expect(missing).toEqual([]);
});

test("every page links to files and headings that there are", () => {
  const pages = [
    "README.md",
    ...readdirSync(new URL("../docs", import.meta.url)).map((name) => `docs/${name}`),
  ];
  const dead = pages
    .filter((page) => page.endsWith(".md"))
    .flatMap((page) => linksOf(page).map((link) => ({ page, ...link })))
    .filter(
      ({ target, heading }) =>
        !existsSync(fileURLToPath(new URL(`../${target}`, import.meta.url))) ||
        (heading !== undefined && !places(target).includes(heading)),
    );
  expect(dead).toEqual([]);
});

test("the package holds what it exports and builds the kernels from, and no tests", async () => {
  const script = new URL("../scripts/build-kernels.mjs", import.meta.url).href;
  const { units } = (await import(script)) as { units: readonly (readonly [string, string, ...unknown[]])[] };
  const entries = Object.values(exports).flatMap((entry) =>
    typeof entry === "string" ? [entry] : [entry.types, entry.default],
  );
  const kernels = packed.filter((path) => path.startsWith("kernels/"));
  const included = kernels.flatMap((path) =>
    [...read(path).matchAll(/^#include "(\w+\.h)"/gm)].map(([, name]) => name),
  );
  const needed = [
    ...entries.map((path) => posix.normalize(path)),
    ...["addon.cpp", ...units.map(([, source]) => source), ...included].map((name) => `kernels/${name}`),
    ...["scripts/build-kernels.mjs", "bin/fewbit.js"],
  ];
  expect(included.length).toBeGreaterThan(20);
  expect(needed.filter((path) => !packed.includes(path))).toEqual([]);
  expect(packed.filter((path) => /[._]test\.|\/test\.h|\/(make|test)-.*mjs$/.test(path))).toEqual([]);
});
