/**
 * `npm run bench -- lenet5 [--json] [--threads 2] [--rounds 5]`: our training step and PyTorch's, by
 * turns in processes of their own, on this machine; medians over rounds and the ratio. PyTorch runs
 * eager and compiled, contiguous and channels-last, and its fastest way counts. Then start-up, peak
 * memory and installed size. Without a python3 (or $PYTHON) that has torch, ours alone.
 */
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { benchWasm } from "./wasm.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const python = process.env.PYTHON ?? "python3";
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    threads: { type: "string", default: "2" },
    rounds: { type: "string", default: "5" },
    steps: { type: "string", default: "100" },
  },
});
if (positionals.join() === "wasm") {
  await benchWasm({ rounds: Number(values.rounds), steps: Number(values.steps), json: values.json });
  process.exit();
}
if (positionals.length !== 1 || positionals[0] !== "lenet5") {
  console.error(`bench must be one of lenet5, wasm, got "${positionals.join(" ")}"`);
  process.exit(2);
}
const threads = Number(values.threads);

async function run(command, args, env = {}) {
  const { stdout } = await promisify(execFile)(command, args, {
    cwd: root,
    env: { ...process.env, ...env },
    maxBuffer: 1 << 24,
  });
  return JSON.parse(stdout.trim().split("\n").at(-1));
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const counts = ["--threads", values.threads, "--steps", values.steps];
const ours = (method) => run(process.execPath, ["bench/ours/lenet5.mjs", "--method", method, ...counts]);
const ways = ["eager", "compile"].flatMap((mode) =>
  ["contiguous", "channels_last"].map((format) => ({ mode, format })),
);
const peer = (method, { mode, format }) =>
  run(
    python,
    ["bench/peers/lenet5.py", "--method", method, "--mode", mode, "--format", format, ...counts, "--json"],
    {
      OMP_NUM_THREADS: values.threads,
    },
  );

function torchVersion() {
  try {
    return execFileSync(python, ["-c", "import torch; print(torch.__version__)"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return undefined;
  }
}

function report(row, text) {
  console.log(values.json ? JSON.stringify(row) : text);
}

const torch = torchVersion();
if (!values.json) {
  console.log(
    `${cpus()[0].model}, ${threads} threads, Node ${process.version}, PyTorch ${torch ?? "not found: ours alone"}`,
  );
}

/** Rounds of ours and every way of PyTorch's by turns; the first of each warms the disk's cache and does not count. */
async function compareSteps(name, method) {
  const own = [];
  const theirs = ways.map(() => []);
  for (let round = 0; round <= Number(values.rounds); round++) {
    for (let i = 0; i < (torch ? ways.length : 1); i++) {
      const mine = await ours(method);
      if (round > 0) own.push(mine);
      if (torch) {
        const result = await peer(method, ways[i]).catch((error) => ({
          failed: String(error.stderr ?? error).trim(),
        }));
        if (round > 0 && !result.failed) theirs[i].push(result.medianMs);
      }
    }
  }
  const oursMs = median(own.map(({ medianMs }) => medianMs));
  const { executor } = own[0];
  if (!torch) return report({ name, oursMs, threads, executor }, `${name}: ${oursMs.toFixed(2)} ms a step`);
  const medians = theirs.map((times) => (times.length > 0 ? median(times) : Infinity));
  const best = medians.indexOf(Math.min(...medians));
  const peerName = `PyTorch ${torch} ${ways[best].mode} ${ways[best].format}`;
  const ratio = medians[best] / oursMs;
  const all = Object.fromEntries(ways.map(({ mode, format }, i) => [`${mode} ${format}`, medians[i]]));
  report(
    { name, oursMs, peerMs: medians[best], peer: peerName, ratio, threads, executor, all },
    `${name}: ours ${oursMs.toFixed(2)} ms, ${peerName} ${medians[best].toFixed(2)} ms, ratio ${ratio.toFixed(2)} ` +
      `(${ways.map(({ mode, format }, i) => `${mode} ${format} ${medians[i].toFixed(1)}`).join(", ")})`,
  );
}

/** From the start of the process to the end of the first step, and the largest resident size, of a short training. */
async function compareProcess() {
  const folder = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
  const own = [];
  const theirs = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    const flags = [
      "--method",
      "dorefa",
      "--weight-bits",
      "2",
      "--activation-bits",
      "2",
      "--epochs",
      "1",
      "--threads",
      values.threads,
    ];
    own.push(
      await run(process.execPath, [
        "bin/fewbit.js",
        "train",
        "lenet5",
        ...flags,
        "--json",
        "--overwrite",
        "--out",
        join(folder, "run"),
      ]),
    );
    if (torch) theirs.push(await peer("dorefa", ways[0]));
  }
  rmSync(folder, { recursive: true });
  for (const [name, key, unit, scale] of [
    ["start-up to the end of the first step", "firstStepSeconds", "s", 1],
    ["peak resident memory", "peakBytes", "MB", 1e-6],
  ]) {
    const mine = median(own.map((result) => result[key])) * scale;
    const other = torch ? median(theirs.map((result) => result[key])) * scale : undefined;
    const ratio = other && other / mine;
    report(
      { name, ours: mine, peer: other, unit, ratio },
      `${name}: ours ${mine.toFixed(2)} ${unit}${other ? `, PyTorch eager ${other.toFixed(2)} ${unit}, ratio ${ratio.toFixed(2)}` : ""}`,
    );
  }
}

function sizeOf(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.size;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}

/** What a user's `npm install` of the packed package takes, kernels built. */
function installedSize() {
  const folder = mkdtempSync(join(tmpdir(), "fewbit-size-"));
  const npm = (...args) =>
    execFileSync("npm", args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  try {
    const archive = npm("pack", root, "--silent", "--pack-destination", folder).trim().split("\n").at(-1);
    npm("init", "-y");
    npm("install", join(folder, archive), "--no-audit", "--no-fund");
    const megabytes = sizeOf(join(folder, "node_modules")) / 1e6;
    report(
      { name: "installed size", ours: megabytes, unit: "MB" },
      `installed size: ${megabytes.toFixed(1)} MB`,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

await compareSteps("LeNet-5 float, training step of 128 images", "baseline");
await compareSteps("LeNet-5 DoReFa 2/2, training step of 128 images", "dorefa");
await compareProcess();
installedSize();
