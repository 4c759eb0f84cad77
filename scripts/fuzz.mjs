#!/usr/bin/env node
/**
 * Feeds damaged files to everything that reads bytes from outside:
 *
 *   npm run fuzz -- [TARGET...] [--seconds 60] [--seed N] [--cases N] [--limit 10]
 *   npm run fuzz -- TARGET --replay FOLDER
 *
 * `--seconds` are shared by the targets; `--cases` is the most a target. The seed and a case's
 * number decide its files. A reader passes if it gives a valid value or throws a UserError of one
 * clean line; anything else, a case of more than `--limit` seconds or one that takes much memory is
 * a failure, whose files are made small and kept in `build/fuzz/`. Reads `dist/`.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";

const targets = ["idx", "cifar10", "images", "shards", "safetensors", "config", "run", "program"];
/** Misbehaves in every way there is; for the test of this script. */
const faulty = "faulty";

const root = fileURLToPath(new URL("..", import.meta.url));
const text = { type: "string" };
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: text, seed: text, cases: text, limit: text, replay: text },
});
const number = (name, otherwise) => {
  const value = Number(values[name] ?? otherwise);
  if (!(value >= 0)) stop(`--${name} must be a number that is not negative, got "${values[name]}"`);
  return value;
};
function stop(message) {
  console.error(`fuzz: ${message}`);
  process.exit(2);
}
const unknown = positionals.find((name) => ![...targets, faulty].includes(name));
if (unknown !== undefined) stop(`target must be one of ${targets.join(", ")}, got "${unknown}"`);
const chosen = positionals.length > 0 ? positionals : targets;
if (values.replay !== undefined && chosen.length !== 1) stop("--replay needs one target");

const cases = number("cases", Infinity);
const seconds = number("seconds", values.cases === undefined ? 60 : Infinity) / chosen.length;
const seed = number("seed", Math.floor(Math.random() * 2 ** 31));
const limit = number("limit", 10);
// In memory where there is such a folder: a run's files are flushed thousands of times.
const work = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "fewbit-fuzz-"));

/** Runs a worker until it ends, or one case of it takes too long; calls `heard` with its messages. */
function watch(data, progress, heard) {
  return new Promise((resolve) => {
    const worker = new Worker(new URL("../tools/fuzz/worker.mjs", import.meta.url), {
      workerData: { ...data, progress },
      resourceLimits: { maxOldGenerationSizeMb: 256 },
    });
    let since = performance.now();
    let last = -1;
    const timer = setInterval(() => {
      const now = Atomics.load(progress, 0);
      if (now !== last) [last, since] = [now, performance.now()];
      else if (performance.now() - since > 1000 * limit) end(`a case of more than ${limit} s`);
    }, 100);
    let problem;
    const end = (reason) => {
      problem = reason;
      clearInterval(timer);
      void worker.terminate();
    };
    worker.on("message", heard);
    worker.on("error", (error) => end(String(error.stack ?? error)));
    worker.on("exit", () => {
      clearInterval(timer);
      resolve(problem);
    });
  });
}

async function fuzz(name) {
  const began = performance.now();
  const until = Date.now() + 1000 * seconds;
  const progress = new Int32Array(new SharedArrayBuffer(12));
  const data = { name, seed, cases, until, folder: join(work, name), kept: join(root, "build", "fuzz") };
  const failures = new Map();
  let done = 0;
  let ready = false;
  const fail = (at, signature, message, path) => {
    const times = failures.get(signature) ?? 0;
    failures.set(signature, times + 1);
    if (times === 0) console.error(`FAILED: ${name}, seed ${seed}, case ${at}: ${message}\n  files: ${path}`);
  };
  const heard = (message) => {
    if (message.signature !== undefined)
      fail(message.number, message.signature, message.message, message.path);
    ready ||= message.ready === true;
    if (message.done !== undefined) done = message.done;
  };
  for (let first = 0; ; first = done) {
    Atomics.store(progress, 0, first);
    const problem = await watch({ ...data, first, replay: values.replay }, progress, heard);
    if (problem === undefined) break;
    if (!ready) stop(`target ${name} cannot begin: ${problem}`);
    const at = Atomics.load(progress, 0);
    let path;
    await watch({ ...data, only: at }, progress, (message) => (path = message.kept));
    fail(at, problem.slice(0, 60), problem, path);
    done = at + 1;
  }
  const count = [...failures.values()].reduce((sum, n) => sum + n, 0);
  const [, accepted, refused] = progress;
  console.log(
    `${name}: ${done} cases in ${((performance.now() - began) / 1000).toFixed(1)} s, seed ${seed}: ` +
      `${accepted} reads accepted, ${refused} refused, ${count} failures of ${failures.size} kinds`,
  );
  return count;
}

let failed = 0;
try {
  for (const name of chosen) failed += await fuzz(name);
} finally {
  rmSync(work, { recursive: true, force: true });
}
process.exitCode = failed > 0 ? 1 : 0;
