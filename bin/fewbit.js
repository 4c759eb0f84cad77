#!/usr/bin/env node
import { existsSync } from "node:fs";
import { nodeProblem } from "../scripts/node-version.mjs";

const main = new URL("../dist/cli/main.js", import.meta.url);
const problem =
  nodeProblem() ??
  (existsSync(main) ? undefined : "fewbit is not built yet: run `npm run setup` in its folder first");
if (problem === undefined) {
  await import(main);
} else {
  console.error(problem);
  process.exitCode = 2;
}
