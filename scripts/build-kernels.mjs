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

/** The instruction sets' translation units, [name, source, flags]; AVX2 is what every CPU that is served has. */
export const instructionSetUnits = [
  ["avx512bf16", "isa.cpp", [...fast, ...avx512bf16, "-DFEWBIT_ISA=avx512bf16"]],
  ["avx512vnni", "isa.cpp", [...fast, ...avx512vnni, "-DFEWBIT_ISA=avx512vnni"]],
  ["avx512", "isa.cpp", [...fast, ...avx512, "-DFEWBIT_ISA=avx512"]],
  ["avx2vnni", "isa.cpp", [...fast, ...avx2vnni, "-DFEWBIT_ISA=avx2vnni"]],
  ["avx2", "isa.cpp", [...fast, ...avx2, "-DFEWBIT_ISA=avx2"]],
];

/** The translation units that a plain program needs, with their flags: [object, source, flags]. */
export const units = [
  ...instructionSetUnits,
  ["executor", "executor.cpp", ["-O2"]],
  ["pool", "pool.cpp", ["-O2"]],
  ["pools", "pools.cpp", ["-O2"]],
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

/**
 * Compiles units into `directory`, two at a time; gives the objects' paths. A unit that fails is left out
 * where `leaveOut(name, error)` takes it; otherwise its error is thrown.
 */
export async function compileUnits(compiler, list, directory, extraFlags = [], leaveOut) {
  mkdirSync(directory, { recursive: true });
  const objectOf = (name) => join(directory, `${name}.o`);
  const waiting = [...list];
  const left = new Set();
  const worker = async () => {
    for (let unit = waiting.shift(); unit; unit = waiting.shift()) {
      const [name, source, flags] = unit;
      const args = [...common, ...flags, ...extraFlags, "-c", join(kernels, source), "-o", objectOf(name)];
      await run(compiler.command, args).catch((error) => {
        if (leaveOut === undefined) throw error;
        leaveOut(name, error);
        left.add(name);
      });
    }
  };
  await Promise.all([worker(), worker()]);
  return list.filter(([name]) => !left.has(name)).map(([name]) => objectOf(name));
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
  for (const file of readdirSync(kernels).sort()) hash.update(file).update(readFileSync(join(kernels, file)));
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
  try {
    const missing = {};
    const leaveOut = (name, error) => {
      if (process.env.FEWBIT_BUILD_LOG) console.error(error.message);
      if (name === "avx2" || !instructionSetUnits.some(([set]) => set === name)) throw error;
      missing[name] = lineOf(error);
      say(`without ${name}, which this compiler cannot build (${missing[name]})`);
    };
    // In one go, which keeps both workers busy; the others are compiled again where they must do without a set.
    const objects = await compileUnits(compiler, list, work, [], leaveOut);
    const without = Object.keys(missing).map((name) => `-DFEWBIT_NO_${name}`);
    if (without.length > 0)
      await compileUnits(compiler, list.slice(instructionSetUnits.length), work, without);
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
  }
  say(`built the native kernels in ${((Date.now() - start) / 1000).toFixed(0)} s`);
  return { built: true };
}

// pnpm's folders of packages are links.
if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) await buildKernels();
