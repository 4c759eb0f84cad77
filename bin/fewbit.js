#!/usr/bin/env node
// CommonJS, since Node makes the threads that read and decode images before the first ES module runs.
const { existsSync } = require("fs");
const os = require("os");
const { join } = require("path");
const { pathToFileURL } = require("url");

async function run() {
  const { nodeProblem } = await import("../scripts/node-version.mjs");
  const main = join(__dirname, "..", "dist", "cli", "main.js");
  const problem =
    nodeProblem() ||
    (existsSync(main) ? undefined : "fewbit is not built yet: run `npm run setup` in its folder first");
  if (problem === undefined) {
    await import(pathToFileURL(main).href);
  } else {
    console.error(problem);
    process.exitCode = 2;
  }
}

// Node's default is 4 whatever the machine. No more than 16: each is made, or Node ends, where a container limits them.
const cpus = os.availableParallelism ? os.availableParallelism() : 1;
process.env.UV_THREADPOOL_SIZE =
  process.env.UV_THREADPOOL_SIZE || String(Math.min(16, Math.max(4, cpus + 1)));
void run();
