#!/usr/bin/env node
/**
 * Builds the native kernels, `build/fewbit.node`, with the system's C++ compiler. Skips what is up
 * to date. Where it cannot build it says why in one line and succeeds: fewbit then uses its
 * kernels in WebAssembly. An instruction set that the compiler does not know is left out, and said.
 * Needs nothing but Node and the headers of `node-api-headers`.
 */
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const kernels = join(root, "kernels");
const build = join(root, "build");
const target = join(build, "fewbit.node");
const record = join(build, "kernels.json");

const common = ["-std=c++17", "-Wall", "-Wextra", "-fPIC", "-pthread", "-fvisibility=hidden"];
// No contraction: AVX2 and AVX-512 must give the same bits. GCC 12 warns of its own intrinsics, and clang of that option.
const fast = [
  "-O3",
  "-ffp-contract=off",
  "-fno-math-errno",
  "-fno-exceptions",
  "-fno-rtti",
  "-Wno-unknown-warning-option",
  "-Wno-maybe-uninitialized",
];
const avx2 = ["-mavx2", "-mfma"];
const avx512 = ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"];

// Integer products use VNNI in units of their own; AVX-VNNI is what CPUs without AVX-512 have of it.
const avx512vnni = [...avx512, "-mavx512vnni"];
const avx512bf16 = [...avx512vnni, "-mavx512bf16"];
const avx2vnni = [...avx2, "-mavxvnni"];

/** AVX2 is what every CPU that is served has. */
const flagsOfSets = [
  ["avx512bf16", avx512bf16],
  ["avx512vnni", avx512vnni],
  ["avx512", avx512],
  ["avx2vnni", avx2vnni],
  ["avx2", avx2],
];

/** The instruction sets, fastest first. */
export const instructionSets = flagsOfSets.map(([set]) => set);

/** Each instruction set's translation units, a family of kernels each: [object, source, flags]. The longest to compile come first. */
export const instructionSetUnits = ["isa_product", "isa_map", "isa"].flatMap((family) =>
  flagsOfSets.map(([set, flags]) => [
    `${set}.${family}`,
    `${family}.cpp`,
    [...fast, ...flags, `-DFEWBIT_ISA=${set}`],
  ]),
);
/** The instruction set of a unit, if it is of one. */
export const setOf = (name) => instructionSets.find((set) => name.startsWith(`${set}.`));

/** The translation units that a plain program needs, with their flags: [object, source, flags]. */
export const units = [
  ...instructionSetUnits,
  ["executor", "executor.cpp", ["-O2"]],
  ["pool", "pool.cpp", ["-O2"]],
  ["pools", "pools.cpp", ["-O2"]],
  ["runner", "runner.cpp", ["-O2"]],
  ["code_memory", "code_memory.cpp", ["-O2"]],
];

const candidates = () => (process.env.CXX ? [process.env.CXX] : ["g++", "clang++"]);

/** The C++ compiler: $CXX alone where that is set, else g++ or clang++. */
export function findCompiler() {
  for (const command of candidates()) {
    try {
      const text = execFileSync(command, ["--version"], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });
      return { command, version: text.split("\n")[0] };
    } catch {
      // Not installed: try the next.
    }
  }
  return undefined;
}

/** What is said where there is no compiler. */
export const noCompiler = () =>
  process.env.CXX
    ? `no C++ compiler: CXX is "${process.env.CXX}", which does not run`
    : "no C++ compiler found (looked for $CXX, g++ and clang++)";

function run(command, args) {
  return new Promise((resolve, reject) => {
    execFile(command, args, { maxBuffer: 1 << 26 }, (error, _, stderr) =>
      error ? reject(new Error(stderr || error.message)) : resolve(stderr),
    );
  });
}

/** A unit's files, sorted: what quoted includes reach. */
export function sourcesOf(file) {
  const found = new Set();
  const visit = (name) => {
    if (found.has(name) || !existsSync(join(kernels, name))) return;
    found.add(name);
    const includes = readFileSync(join(kernels, name), "utf8").matchAll(/^\s*#include "([^"]+)"/gm);
    for (const [, included] of includes) visit(included);
  };
  visit(file);
  return [...found].sort();
}

/** Who works on fewbit keeps objects, so that a changed file compiles what includes it, and nothing else. */
const kept = existsSync(join(root, ".git")) ? join(build, "objects") : undefined;
/** Kept objects that nobody has asked for so long are of sources that are gone. */
const keptMilliseconds = 7 * 24 * 3_600_000;

function keptObject(compiler, [name, source, flags], extraFlags) {
  const hash = createHash("sha256").update(JSON.stringify([compiler, common, flags, extraFlags]));
  for (const file of sourcesOf(source)) hash.update(`${file}\0`).update(readFileSync(join(kernels, file)));
  return join(kept, `${name}-${hash.digest("hex").slice(0, 16)}.o`);
}

function forgetOldObjects() {
  if (kept === undefined || !existsSync(kept)) return;
  for (const name of readdirSync(kept)) {
    const path = join(kept, name);
    const found = statSync(path, { throwIfNoEntry: false });
    if (found !== undefined && Date.now() - found.mtimeMs > keptMilliseconds) rmSync(path, { force: true });
  }
}

/**
 * Compiles units, two at a time, into `directory`, or in a clone of the repository into the objects that are kept; gives
 * the objects' paths. Where a unit of an instruction set fails and `leaveOut(set, error)` takes it, the set is left out;
 * otherwise the error is thrown.
 */
export async function compileUnits(compiler, list, directory, extraFlags = [], leaveOut) {
  const folder = kept ?? directory;
  for (const path of [directory, folder]) mkdirSync(path, { recursive: true });
  const waiting = [...list];
  const objects = new Map();
  const left = new Set();
  const compile = async (unit) => {
    const [name, source, flags] = unit;
    const object = kept === undefined ? join(folder, `${name}.o`) : keptObject(compiler, unit, extraFlags);
    objects.set(name, object);
    if (kept !== undefined && existsSync(object)) {
      utimesSync(object, new Date(), new Date());
      return;
    }
    // Another process may be making the same object.
    const made = `${object}.${process.pid}`;
    await run(compiler.command, [
      ...common,
      ...flags,
      ...extraFlags,
      "-c",
      join(kernels, source),
      "-o",
      made,
    ]);
    renameSync(made, object);
  };
  let failure;
  const fail = (error) => {
    failure ??= error;
    waiting.length = 0;
  };
  const worker = async () => {
    for (let unit = waiting.shift(); unit; unit = waiting.shift()) {
      const set = setOf(unit[0]);
      if (left.has(set)) continue;
      try {
        await compile(unit);
      } catch (error) {
        if (failure !== undefined || left.has(set)) continue;
        if (leaveOut === undefined) fail(error);
        else {
          left.add(set);
          try {
            leaveOut(set, error);
          } catch (final) {
            fail(final);
          }
        }
      }
    }
  };
  // Both are waited for, so that nothing is written to a folder that is gone.
  await Promise.all([worker(), worker()]);
  if (failure !== undefined) throw failure;
  return list.filter(([name]) => !left.has(setOf(name))).map(([name]) => objects.get(name));
}

/** Links objects into a shared library or, with no flags, a program. */
export const link = (compiler, objects, output, flags = []) =>
  run(compiler.command, [...flags, ...objects, "-pthread", "-o", output]);

/** What makes objects an add-on. */
export function linkFlags() {
  return process.platform === "darwin" ? ["-bundle", "-undefined", "dynamic_lookup"] : ["-shared"];
}

function hashOf(compiler, list) {
  const hash = createHash("sha256").update(JSON.stringify([compiler, common, list, linkFlags()]));
  const files = new Set(list.flatMap(([, source]) => sourcesOf(source)));
  for (const file of [...files].sort()) hash.update(file).update(readFileSync(join(kernels, file)));
  return hash.digest("hex");
}

/** The add-on's own translation unit. */
export const addOnUnit = (headers) => ["addon", "addon.cpp", ["-O2", `-I${headers}`]];

/** The folder with Node's C headers, from npm. */
export function findHeaders() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("node-api-headers/package.json")), "include");
  } catch {
    return undefined;
  }
}

/** Why the kernels cannot be built on a platform, or undefined. */
export function platformProblem({ arch, platform } = process) {
  if (arch !== "x64") return `the native kernels need an x64 CPU, and this is ${arch}`;
  if (!["linux", "darwin"].includes(platform)) {
    return `the native kernels need Linux or macOS, and this is ${platform}`;
  }
  return undefined;
}

/** What is known of the add-on that stands: hash, compiler, and why which instruction sets are missing from it. */
export function readRecord() {
  try {
    return JSON.parse(readFileSync(record, "utf8")) ?? {};
  } catch {
    return {}; // none, or damaged: it is built anew
  }
}

/** The line of a compiler's or linker's output that tells most. */
function lineOf(error) {
  const lines = error.message.split("\n");
  return (lines.find((text) => text.includes("error")) ?? lines[0]).trim();
}

/**
 * Builds the add-on where it is out of date.
 * @returns {Promise<{ built: boolean, problem?: string }>} built: whether an add-on of these sources
 *   stands; problem: why not, in one line.
 */
export async function buildKernels({ quiet = false } = {}) {
  const say = (text) => quiet || console.log(text);
  const fail = (problem) => {
    say(`${problem}; fewbit will use its slower WebAssembly kernels`);
    return { built: false, problem };
  };
  const problem = platformProblem();
  if (problem) return fail(problem);
  const compiler = findCompiler();
  if (!compiler) return fail(noCompiler());

  const headers = findHeaders();
  if (!headers) return fail("the package node-api-headers is not installed");
  const list = [...units, addOnUnit(headers)];
  const hash = hashOf(compiler, list);
  if (existsSync(target) && readRecord().hash === hash) return { built: true };

  say(`building the native kernels with ${compiler.version} ...`);
  const start = Date.now();
  const work = join(build, `objects-${process.pid}`);
  mkdirSync(work, { recursive: true });
  try {
    const missing = {};
    const leaveOut = (set, error) => {
      if (process.env.FEWBIT_BUILD_LOG) console.error(error.message);
      if (set === "avx2" || set === undefined) throw error;
      missing[set] = lineOf(error);
      say(`without ${set}, which this compiler cannot build (${missing[set]})`);
    };
    // In one go, which keeps both workers busy; the others are compiled again where they must do without a set.
    const objects = await compileUnits(compiler, list, work, [], leaveOut);
    const without = Object.keys(missing).map((set) => `-DFEWBIT_NO_${set}`);
    if (without.length > 0) {
      const others = list.slice(instructionSetUnits.length);
      objects.splice(-others.length, others.length, ...(await compileUnits(compiler, others, work, without)));
    }
    const finished = join(work, "fewbit.node");
    await link(compiler, objects, finished, linkFlags());
    // A process that has the old file open keeps it.
    renameSync(finished, target);
    writeFileSync(record, JSON.stringify({ hash, compiler: compiler.version, missing }) + "\n");
  } catch (error) {
    if (process.env.FEWBIT_BUILD_LOG) console.error(error.message);
    return fail(`the native kernels do not compile (${lineOf(error)}; FEWBIT_BUILD_LOG=1 shows all)`);
  } finally {
    rmSync(work, { recursive: true, force: true });
    forgetOldObjects();
  }
  say(`built the native kernels in ${((Date.now() - start) / 1000).toFixed(0)} s`);
  return { built: true };
}

// pnpm's folders of packages are links.
if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) await buildKernels();
