#!/usr/bin/env node
import { existsSync } from "node:fs";

const main = new URL("../dist/cli/main.js", import.meta.url);
if (existsSync(main)) {
  await import(main);
} else {
  console.error("fewbit is not built yet: run `npm run setup` in its folder first");
  process.exitCode = 2;
}
