#!/usr/bin/env node
/**
 * Builds `wasm/fewbit.wasm`, the kernels for WebAssembly, with clang-19 and lld-19 (Debian's packages
 * of these names). The built file is committed, so that only who changes kernels needs a compiler.
 *
 *   node scripts/build-wasm.mjs                    builds
 *   node scripts/build-wasm.mjs --check            says whether the file is of these sources; needs no compiler
 *   node scripts/build-wasm.mjs --check --rebuild  and whether the same compiler gives the same bytes
 *
 * The file carries a section "fewbit" with the hash of its sources and flags, and the compiler.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { sourcesOf } from "./build-kernels.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const kernels = join(root, "kernels");
const target = join(root, "wasm", "fewbit.wasm");
const version = 19;
const [clang, linker] = [`clang-${version}`, `wasm-ld-${version}`];
const section = "fewbit";

// No system headers: the kernels are free-standing here. No contraction, as in the native build.
const common = [
  "--target=wasm32",
  "-nostdlibinc",
  "-std=c++17",
  "-Wall",
  "-Wextra",
  "-O3",
  "-msimd128",
  "-ffp-contract=off",
  "-fno-exceptions",
  "-fno-rtti",
  "-fvisibility=hidden",
];
/** [object, source, flags]; the memory functions must not be compiled into calls of themselves. */
const units = [
  ...["isa", "isa_map", "isa_product"].map((name) => [name, `${name}.cpp`, ["-DFEWBIT_ISA=simd128"]]),
  ["wasm", "wasm.cpp", ["-fno-builtin"]],
];
// A stack at the bottom of memory traps when it overflows.
const linkFlags = ["--no-entry", "--stack-first", "--strip-all", "--max-memory=4294967296"];

function sourceHash() {
  const files = new Set(units.flatMap(([, source]) => sourcesOf(source)));
  const hash = createHash("sha256").update(JSON.stringify([common, units, linkFlags]));
  for (const file of [...files].sort()) hash.update(`${file}\0`).update(readFileSync(join(kernels, file)));
  return hash.digest("hex");
}

/** Numbers and lengths in WebAssembly's binary format. */
function leb128(n) {
  return n < 128 ? [n] : [(n & 127) | 128, ...leb128(n >>> 7)];
}

function customSection(text) {
  const name = Buffer.from(section);
  const content = Buffer.concat([Buffer.from(leb128(name.length)), name, Buffer.from(text)]);
  return Buffer.concat([Buffer.from([0, ...leb128(content.length)]), content]);
}

function readSection(bytes) {
  const [content] = WebAssembly.Module.customSections(new WebAssembly.Module(bytes), section);
  return content === undefined ? {} : JSON.parse(Buffer.from(content).toString());
}

function compilerVersion() {
  return execFileSync(clang, ["--version"], { encoding: "utf8" }).split("\n")[0];
}

/** The built file's bytes. */
function build() {
  const work = mkdtempSync(join(tmpdir(), "fewbit-wasm-"));
  try {
    const objects = units.map(([name, source, flags]) => {
      const object = join(work, `${name}.o`);
      execFileSync(clang, [...common, ...flags, "-c", source, "-o", object], {
        cwd: kernels,
        stdio: "inherit",
      });
      return object;
    });
    const linked = join(work, basename(target));
    execFileSync(linker, [...linkFlags, ...objects, "-o", linked], { stdio: "inherit" });
    const about = JSON.stringify({ hash: sourceHash(), compiler: compilerVersion() });
    return Buffer.concat([readFileSync(linked), customSection(about)]);
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** What is wrong with the committed file, or undefined. */
function problem(rebuild) {
  const bytes = readFileSync(target);
  const { hash, compiler } = readSection(bytes);
  if (hash !== sourceHash()) return "wasm/fewbit.wasm is not of these kernels; run scripts/build-wasm.mjs";
  if (!rebuild) return undefined;
  const here = compilerVersion();
  if (here !== compiler) {
    console.log(`not rebuilt: wasm/fewbit.wasm was built by ${compiler}, and here is ${here}`);
    return undefined;
  }
  return build().equals(bytes)
    ? undefined
    : `wasm/fewbit.wasm is not what ${compiler} makes of these kernels`;
}

const { check, rebuild } = parseArgs({
  options: { check: { type: "boolean" }, rebuild: { type: "boolean" } },
}).values;
try {
  if (check) {
    const wrong = problem(rebuild);
    if (wrong !== undefined) throw new Error(wrong);
    console.log("wasm/fewbit.wasm is current");
  } else {
    const bytes = build();
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, bytes);
    console.log(`wasm/fewbit.wasm: ${(bytes.length / 1000).toFixed(0)} kB`);
  }
} catch (error) {
  console.error(
    `error: ${error.code === "ENOENT" && error.path === clang ? `${clang} is not installed` : error.message}`,
  );
  process.exitCode = 1;
}
