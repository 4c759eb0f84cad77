#!/usr/bin/env node
/**
 * Builds the kernels' own test programs as the add-on is built, and runs them:
 *
 *   node scripts/test-kernels.mjs               kernels/*_test.cpp
 *   node scripts/test-kernels.mjs --sanitize    the same under the address and undefined-behaviour sanitizers
 *   node scripts/test-kernels.mjs --bench ...   kernels/product_bench.cpp with the arguments that follow
 *
 * Exits with 1 where a program fails.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileUnits, findCompiler, link, noCompiler, units } from "./build-kernels.mjs";

const [mode, ...rest] = process.argv.slice(2);
const compiler = findCompiler();
if (!compiler) {
  console.error(noCompiler());
  process.exit(2);
}

const flags =
  mode === "--sanitize"
    ? ["-g", "-O1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    : [];
const programs =
  mode === "--bench" ? ["product_bench"] : ["pool_test", "product_test", "map_test", "map_code_test"];
const kernels = units.filter(([name]) => name !== "executor");
const work = mkdtempSync(join(tmpdir(), "fewbit-test-kernels-"));
try {
  const list = [...kernels, ...programs.map((name) => [name, `${name}.cpp`, ["-O2"]])];
  const objects = await compileUnits(compiler, list, work, flags);
  for (const [i, name] of programs.entries()) {
    const program = join(work, name);
    await link(compiler, [...objects.slice(0, kernels.length), objects[kernels.length + i]], program, flags);
    const { status } = spawnSync(program, mode === "--bench" ? rest : [], { stdio: "inherit" });
    if (status !== 0) process.exitCode = 1;
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
