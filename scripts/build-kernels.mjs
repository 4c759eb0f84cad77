#!/usr/bin/env node
/**
 * Builds the native kernels, `build/fewbit.node`, with the system's C++ compiler. Skips what is up
 * to date. Where it cannot build it says why in one line and succeeds: fewbit then uses its
 * kernels in WebAssembly. Needs nothing but Node and the headers of `node-api-headers`.
 */
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const kernels = join(root, "kernels");
const build = join(root, "build");
const target = join(build, "fewbit.node");
const record = join(build, "kernels.json");

const common = ["-std=c++17", "-Wall", "-Wextra", "-fPIC", "-pthread", "-fvisibility=hidden"];
// No contraction: AVX2 and AVX-512 must give the same bits. GCC 12 warns of its own intrinsics.
const fast = [
  "-O3",
  "-ffp-contract=off",
  "-fno-math-errno",
  "-fno-exceptions",
  "-fno-rtti",
  "-Wno-maybe-uninitialized",
];
const avx2 = ["-mavx2", "-mfma"];
const avx512 = ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"];

// Integer products use VNNI in units of their own; AVX-VNNI is what CPUs without AVX-512 have of it.
const avx512vnni = [...avx512, "-mavx512vnni"];
const avx512bf16 = [...avx512vnni, "-mavx512bf16"];
const avx2vnni = [...avx2, "-mavxvnni"];

/** The translation units that a plain program needs, with their flags: [object, source, flags]. */
export const units = [
  ["avx512bf16", "isa.cpp", [...fast, ...avx512bf16, "-DFEWBIT_ISA=avx512bf16"]],
  ["avx512vnni", "isa.cpp", [...fast, ...avx512vnni, "-DFEWBIT_ISA=avx512vnni"]],
  ["avx512", "isa.cpp", [...fast, ...avx512, "-DFEWBIT_ISA=avx512"]],
  ["avx2vnni", "isa.cpp", [...fast, ...avx2vnni, "-DFEWBIT_ISA=avx2vnni"]],
  ["avx2", "isa.cpp", [...fast, ...avx2, "-DFEWBIT_ISA=avx2"]],
  ["executor", "executor.cpp", ["-O2"]],
  ["pool", "pool.cpp", ["-O2"]],
  ["code_memory", "code_memory.cpp", ["-O2"]],
];

/** The C++ compiler: $CXX, g++ or clang++. */
export function findCompiler() {
  for (const command of [process.env.CXX, "g++", "clang++"]) {
    if (!command) continue;
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

/** Whether the compiler knows -mavxvnni (g++ 11, clang 12). Without it that unit is a slower one of equal results. */
function knowsAvxVnni(compiler) {
  try {
    execFileSync(compiler.command, ["-mavxvnni", "-E", "-x", "c++", "-"], {
      input: "",
      stdio: ["pipe", "ignore", "ignore"],
    });
    return true;
  } catch {
    return false;
  }
}

function run(command, args) {
  return new Promise((resolve, reject) => {
    execFile(command, args, { maxBuffer: 1 << 26 }, (error, _, stderr) =>
      error ? reject(new Error(stderr || error.message)) : resolve(stderr),
    );
  });
}

/** Compiles units into `directory`, two at a time; gives the objects' paths. */
export async function compileUnits(compiler, list, directory, extraFlags = []) {
  mkdirSync(directory, { recursive: true });
  const waiting = [...list];
  const unknown = knowsAvxVnni(compiler) ? [] : ["-mavxvnni"];
  const worker = async () => {
    for (let unit = waiting.shift(); unit; unit = waiting.shift()) {
      const [name, source, flags] = unit;
      const args = [
        ...common,
        ...flags.filter((flag) => !unknown.includes(flag)),
        ...extraFlags,
        "-c",
        join(kernels, source),
        "-o",
        join(directory, `${name}.o`),
      ];
      await run(compiler.command, args);
    }
  };
  await Promise.all([worker(), worker()]);
  return list.map(([name]) => join(directory, `${name}.o`));
}

/** Links objects into a shared library or, with no flags, a program. */
export const link = (compiler, objects, output, flags = []) =>
  run(compiler.command, [...flags, ...objects, "-pthread", "-o", output]);

function linkFlags() {
  return process.platform === "darwin" ? ["-bundle", "-undefined", "dynamic_lookup"] : ["-shared"];
}

function hashOf(compiler, list) {
  const hash = createHash("sha256").update(JSON.stringify([compiler, common, list, linkFlags()]));
  for (const file of readdirSync(kernels).sort()) hash.update(file).update(readFileSync(join(kernels, file)));
  return hash.digest("hex");
}

/** The folder with Node's C headers, from npm. */
function findHeaders() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("node-api-headers/package.json")), "include");
  } catch {
    return undefined;
  }
}

/** Why the kernels cannot be built on this platform, or undefined. */
function platformProblem() {
  if (process.arch !== "x64") return `the native kernels need an x64 CPU, and this is ${process.arch}`;
  if (!["linux", "darwin"].includes(process.platform)) {
    return `the native kernels need Linux or macOS, and this is ${process.platform}`;
  }
  return undefined;
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
  if (!compiler) return fail("no C++ compiler found (looked for $CXX, g++ and clang++)");

  const headers = findHeaders();
  if (!headers) return fail("the package node-api-headers is not installed");
  const list = [...units, ["addon", "addon.cpp", ["-O2", `-I${headers}`]]];
  const hash = hashOf(compiler, list);
  if (existsSync(target) && existsSync(record) && JSON.parse(readFileSync(record, "utf8")).hash === hash) {
    return { built: true };
  }

  say(`building the native kernels with ${compiler.version} ...`);
  const start = Date.now();
  const work = join(build, `objects-${process.pid}`);
  try {
    const objects = await compileUnits(compiler, list, work);
    const finished = join(work, "fewbit.node");
    await link(compiler, objects, finished, linkFlags());
    // A process that has the old file open keeps it.
    renameSync(finished, target);
    writeFileSync(record, JSON.stringify({ hash, compiler: compiler.version }) + "\n");
  } catch (error) {
    const line =
      error.message.split("\n").find((text) => text.includes("error")) ?? error.message.split("\n")[0];
    if (process.env.FEWBIT_BUILD_LOG) console.error(error.message);
    return fail(`the native kernels do not compile (${line.trim()}; FEWBIT_BUILD_LOG=1 shows all)`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  say(`built the native kernels in ${((Date.now() - start) / 1000).toFixed(0)} s`);
  return { built: true };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildKernels();
