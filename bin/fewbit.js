#!/usr/bin/env node
// CommonJS, since Node makes the threads that read and decode images before the first ES module runs.
const { existsSync, readFileSync } = require("fs");
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

/** A number in a file of the system's; Infinity where there is none. */
function numberIn(path, pattern) {
  try {
    return Number(pattern.exec(readFileSync(path, "utf8"))[1]);
  } catch {
    return Infinity;
  }
}

// As many as --image-threads may ask for (src/machine.ts), where Node's default is 4. How many of them decode images at a
// time is decided when there are images. Node ends if one of them cannot be made, so no more than a quarter of what the user
// or a container may have.
const most = Math.min(
  numberIn("/proc/self/limits", /^Max processes +(\d+)/m),
  numberIn("/sys/fs/cgroup/pids.max", /^(\d+)$/m),
);
process.env.UV_THREADPOOL_SIZE =
  process.env.UV_THREADPOOL_SIZE || String(Math.min(16, Math.max(4, Math.floor(most / 4))));
void run();
