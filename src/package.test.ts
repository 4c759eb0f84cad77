/** package.json: what it says is what the README, the command line and the scripts say. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const { description, engines } = JSON.parse(read("package.json")) as {
  description: string;
  engines: { node: string };
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
