#!/usr/bin/env node
/**
 * Builds the kernels' own test programs as the add-on is built, and runs them:
 *
 *   npm run test:kernels                     kernels/*_test.cpp, on every instruction set of this CPU
 *   npm run test:kernels -- map product      some of them
 *   npm run test:kernels -- map --isa avx2   for one instruction set, which compiles the least
 *   npm run test:kernels -- --sanitize       under the address and undefined-behaviour sanitizers
 *   npm run test:kernels -- --bench -- ...   kernels/product_bench.cpp with the arguments that follow
 *
 * In a clone, objects are kept: what a changed file does not reach is not compiled again. Exits with 1 where a program
 * fails, with 2 for a name that there is not.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  compileUnits,
  findCompiler,
  instructionSets,
  link,
  noCompiler,
  setOf,
  units,
} from "./build-kernels.mjs";

const tests = ["pool", "product", "map", "map_code", "resample"];

function fail(message) {
  console.error(message);
  process.exit(2);
}

const raw = process.argv.slice(2);
const end = raw.includes("--") ? raw.indexOf("--") : raw.length;
const { values, positionals } = parseArgs({
  args: raw.slice(0, end),
  allowPositionals: true,
  options: { sanitize: { type: "boolean" }, bench: { type: "boolean" }, isa: { type: "string" } },
});
const unknown = positionals.find((name) => !tests.includes(name));
if (unknown !== undefined) fail(`a test of kernels must be one of ${tests.join(", ")}, got ${unknown}`);
if (values.bench && positionals.length > 0) fail("--bench takes no names of tests; leave them out");
if (!values.bench && end < raw.length)
  fail("what follows -- is for --bench alone; leave it out, or add --bench");
const compiler = findCompiler();
if (!compiler) fail(noCompiler());

const here = setsOfThisCpu();
if (values.isa !== undefined && !here.includes(values.isa)) {
  fail(`--isa must be one of ${here.join(", ")}, got ${values.isa}`);
}
const sets = values.isa === undefined ? here : [values.isa, "avx2"];
const without = instructionSets.filter((set) => !sets.includes(set)).map((set) => `-DFEWBIT_NO_${set}`);

/** By the add-on's word; all where it is not built, since programs leave out what they cannot run. */
function setsOfThisCpu() {
  try {
    return createRequire(import.meta.url)("../build/fewbit.node").instructionSets();
  } catch {
    return instructionSets;
  }
}

const flags = values.sanitize
  ? ["-g", "-O1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
  : [];
const programs = values.bench
  ? ["product_bench"]
  : (positionals.length === 0 ? tests : positionals).map((name) => `${name}_test`);
const kernels = units.filter(
  ([name]) => name !== "executor" && (setOf(name) === undefined || sets.includes(setOf(name))),
);
const work = mkdtempSync(join(tmpdir(), "fewbit-test-kernels-"));
try {
  const list = [...kernels, ...programs.map((name) => [name, `${name}.cpp`, ["-O2", ...without]])];
  const objects = await compileUnits(compiler, list, work, flags);
  for (const [i, name] of programs.entries()) {
    const program = join(work, name);
    await link(compiler, [...objects.slice(0, kernels.length), objects[kernels.length + i]], program, flags);
    const { status } = spawnSync(program, values.bench ? raw.slice(end + 1) : [], { stdio: "inherit" });
    if (status !== 0) process.exitCode = 1;
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
