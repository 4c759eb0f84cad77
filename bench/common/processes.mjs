/** Processes that the benchmarks time: ours, and PyTorch's by a python3 (or $PYTHON) that has torch. */
import { execFile, execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const root = fileURLToPath(new URL("../..", import.meta.url));
const python = process.env.PYTHON ?? "python3";

export const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

/** The JSON object of the last line that a command prints. @throws what it wrote to stderr. */
export async function run(command, args, env = {}) {
  const { stdout } = await promisify(execFile)(command, args, {
    cwd: root,
    env: { ...process.env, ...env },
    maxBuffer: 1 << 24,
  });
  return JSON.parse(stdout.trim().split("\n").at(-1));
}

/** { network: "vgg16", evaluate: true } as --network vgg16 --evaluate. */
const flags = (options) =>
  Object.entries(options).flatMap(([name, value]) => {
    if (value === undefined || value === false) return [];
    return value === true ? [`--${name}`] : [`--${name}`, `${value}`];
  });

export const ours = (options, env) => run(process.execPath, ["bench/ours/step.mjs", ...flags(options)], env);

/** Runs one of the scripts in bench/peers. */
export const runPeer = (script, args, env) => run(python, [`bench/peers/${script}`, ...args], env);

/**
 * glibc keeps freed memory, as PyTorch's tuning guide advises: compiled steps of ResNet-20 gain a sixth. It costs
 * memory: for times, not for peaks of memory.
 */
export const keepingMemory = { MALLOC_TRIM_THRESHOLD_: `${1 << 30}`, MALLOC_MMAP_THRESHOLD_: `${1 << 30}` };

export const peer = (script, options, env) =>
  runPeer(script, [...flags(options), "--json"], {
    OMP_NUM_THREADS: `${options.threads}`,
    ...env,
  });

/** The version of a Python package, undefined if it cannot be imported. */
export function versionOf(module) {
  try {
    const line = `import ${module}; print(${module}.__version__)`;
    const options = { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] };
    return execFileSync(python, ["-c", line], options).trim();
  } catch {
    return undefined;
  }
}

/** Runs the parts of a benchmark, or the one that `only` names. An unknown one ends the process with code 2. */
export async function runParts(parts, only) {
  if (only !== undefined && !Object.hasOwn(parts, only)) {
    console.error(`--only must be one of ${Object.keys(parts).join(", ")}, got "${only}"`);
    process.exit(2);
  }
  for (const [name, part] of Object.entries(parts)) {
    if (only === undefined || only === name) await part();
  }
}
