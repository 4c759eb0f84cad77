#!/usr/bin/env node
/**
 * Runs dumped programs on the kernels under the address and undefined-behaviour sanitizers, then
 * under the thread sanitizer, and on what another compiler makes of the kernels:
 *
 *   FEWBIT_DUMP=FOLDER npx vitest run src/runtime    (or any other use of the native executor)
 *   node scripts/sanitize.mjs FOLDER [--compiler clang++-19]
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
import { parseArgs, promisify } from "node:util";
import {
  addOnUnit,
  compileUnits,
  findCompiler,
  findHeaders,
  link,
  linkFlags,
  noCompiler,
  units,
} from "./build-kernels.mjs";

const run = promisify(execFile);
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { compiler: { type: "string" } },
});
const [folder] = positionals;
if (folder === undefined) {
  console.error("usage: node scripts/sanitize.mjs FOLDER (of dumped programs) [--compiler COMMAND]");
  process.exit(2);
}
const compiler = findCompiler();
if (!compiler) {
  console.error(noCompiler());
  process.exit(2);
}

const debug = ["-g", "-O1", "-fno-omit-frame-pointer"];
const builds = {
  plain: {},
  "address and undefined": {
    compile: debug,
    both: ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
  },
  thread: { compile: debug, both: ["-fsanitize=thread"] },
  ...(values.compiler && { [values.compiler]: { other: { command: values.compiler } } }),
};
const environment = {
  ...process.env,
  ASAN_OPTIONS: "detect_leaks=1",
  UBSAN_OPTIONS: "print_stacktrace=1",
  TSAN_OPTIONS: "halt_on_error=1",
};

/** Fails unless the add-on that this compiler builds loads, too. */
async function loadAddOn(other, objects, directory) {
  const own = await compileUnits(other, [addOnUnit(findHeaders())], directory);
  const addOn = join(directory, "fewbit.node");
  await link(other, [...objects, ...own], addOn, linkFlags());
  await run(process.execPath, [
    "-e",
    `if (require(${JSON.stringify(addOn)}).instructionSets().length === 0) throw 1`,
  ]);
}

const work = mkdtempSync(join(tmpdir(), "fewbit-sanitize-"));
const result = join(work, "result");
let passed = 0;
let failed = 0;

try {
  const programs = {};
  for (const [name, { other, compile = [], both = [] }] of Object.entries(builds)) {
    const list = [...units, ["run", "run.cpp", ["-O2"]]];
    const directory = join(work, name.replaceAll(/\W/g, "-"));
    const objects = await compileUnits(other ?? compiler, list, directory, [...compile, ...both]);
    programs[name] = join(directory, "run");
    await link(other ?? compiler, objects, programs[name], both);
    if (other !== undefined) await loadAddOn(other, objects.slice(0, units.length), directory);
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
