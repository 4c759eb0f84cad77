#!/usr/bin/env node
/**
 * Runs dumped programs on the kernels under the address and undefined-behaviour sanitizers, then
 * under the thread sanitizer:
 *
 *   FEWBIT_DUMP=FOLDER npx vitest run src/runtime    (or any other use of the native executor)
 *   node scripts/sanitize.mjs FOLDER
 *
 * The programs run on every instruction set of this CPU with 1 and 3 threads and must give the bits
 * of a plain build. Exits with 1 at any report or difference.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { compileUnits, findCompiler, link, units } from "./build-kernels.mjs";

const run = promisify(execFile);
const folder = process.argv[2];
if (folder === undefined) {
  console.error("usage: node scripts/sanitize.mjs FOLDER (of dumped programs)");
  process.exit(2);
}
const compiler = findCompiler();
if (!compiler) {
  console.error("no C++ compiler found (looked for $CXX, g++ and clang++)");
  process.exit(2);
}

const builds = {
  plain: [],
  "address and undefined": ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
  thread: ["-fsanitize=thread"],
};
const environment = {
  ...process.env,
  ASAN_OPTIONS: "detect_leaks=1",
  UBSAN_OPTIONS: "print_stacktrace=1",
  TSAN_OPTIONS: "halt_on_error=1",
};
const work = mkdtempSync(join(tmpdir(), "fewbit-sanitize-"));
const result = join(work, "result");
let passed = 0;
let failed = 0;

try {
  const programs = {};
  for (const [name, flags] of Object.entries(builds)) {
    const debug = flags.length > 0 ? ["-g", "-O1", "-fno-omit-frame-pointer", ...flags] : [];
    const list = [...units, ["run", "run.cpp", ["-O2"]]];
    const objects = await compileUnits(compiler, list, join(work, name.replaceAll(" ", "-")), debug);
    programs[name] = join(work, `run-${name.replaceAll(" ", "-")}`);
    await link(compiler, objects, programs[name], flags);
  }
  const { instructionSets } = createRequire(import.meta.url)("../build/fewbit.node");
  const files = readdirSync(folder)
    .filter((file) => file.endsWith(".program"))
    .sort();
  if (files.length === 0) throw new Error(`${folder} has no dumped programs`);
  const execute = async (name, instructionSet, threads) => {
    const args = [threads, instructionSet, result, ...files];
    await run(programs[name], args, { env: environment, cwd: folder, maxBuffer: 1 << 26 });
    return createHash("sha256").update(readFileSync(result)).digest("hex");
  };
  const expected = await execute("plain", instructionSets()[0], 1);
  console.log(`${files.length} programs`);
  for (const name of Object.keys(builds)) {
    for (const instructionSet of instructionSets()) {
      for (const threads of [1, 3]) {
        const label = `${name}, ${instructionSet}, threads ${threads}`;
        try {
          const actual = await execute(name, instructionSet, threads);
          if (actual !== expected) throw new Error("other bits than the plain build");
          console.log(`ok: ${label}`);
          passed++;
        } catch (error) {
          failed++;
          console.error(
            `failed: ${label}\n${(error.stderr || error.message).split("\n").slice(-60).join("\n")}`,
          );
        }
      }
    }
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
