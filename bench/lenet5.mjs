/**
 * `npm run bench -- lenet5`: our training step and PyTorch's with each method, by turns in processes
 * of their own, on this machine; medians over rounds and the ratio. PyTorch runs eager and compiled,
 * contiguous and channels-last, and its fastest way counts. Then start-up and peak memory, and the
 * installed size. `--only PART` runs one of these. Without a python3 (or $PYTHON) that has torch,
 * ours alone.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import {
  keepingMemory,
  median,
  ours as runOurs,
  peer as runPeer,
  root,
  run,
  runParts,
  versionOf,
} from "./common/processes.mjs";

/** What `--method` of both sides calls a method, and its name with the bits both give it. */
const methods = {
  baseline: "float",
  dorefa: "DoReFa 2/2",
  qnn: "QNN 1/1",
  xnor: "XNOR 1/1",
  twn: "TWN 2/32",
  ttq: "TTQ 2/32",
};
const ways = ["eager", "compile"].flatMap((mode) =>
  ["contiguous", "channels_last"].map((format) => ({ mode, format })),
);

const ours = (method, { threads, steps = 100 }) => runOurs({ network: "lenet5", method, threads, steps });

const peer = (method, { mode, format }, { threads, steps = 100 }, env) =>
  runPeer("lenet5.py", { method, mode, format, threads, steps }, env);

/** @throws nothing: an unknown `only` ends the process with code 2. */
export async function benchLenet5({ only, ...options }) {
  const torch = versionOf("torch");
  const context = {
    ...options,
    torch,
    report: (row, text) => console.log(options.json ? JSON.stringify(row) : text),
  };
  const parts = {
    ...Object.fromEntries(Object.keys(methods).map((name) => [name, () => compareSteps(name, context)])),
    process: () => compareProcess(context),
    size: () => installedSize(context),
  };
  if (!options.json) {
    const peerName = `PyTorch ${torch ?? "not found: ours alone"}`;
    console.log(`${cpus()[0].model}, ${options.threads} threads, Node ${process.version}, ${peerName}`);
  }
  await runParts(parts, only);
}

/** Rounds of ours and every way of PyTorch's by turns; the first of each warms the disk's cache and does not count. */
async function compareSteps(method, context) {
  const { rounds, threads, torch, report } = context;
  const name = `LeNet-5 ${methods[method]}, training step of 128 images`;
  const own = [];
  const theirs = ways.map(() => []);
  for (let round = 0; round <= rounds; round++) {
    for (let i = 0; i < (torch ? ways.length : 1); i++) {
      const mine = await ours(method, context);
      if (round > 0) own.push(mine);
      if (torch) {
        const result = await peer(method, ways[i], context, keepingMemory).catch((error) => ({
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
async function compareProcess(context) {
  const { rounds, threads, torch, report } = context;
  const folder = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
  const bits = ["--method", "dorefa", "--weight-bits", "2", "--activation-bits", "2"];
  const flags = [...bits, "--epochs", "1", "--threads", `${threads}`, "--json", "--overwrite"];
  const own = [];
  const theirs = [];
  for (let round = 0; round < rounds; round++) {
    const out = join(folder, "run");
    own.push(await run(process.execPath, ["bin/fewbit.js", "train", "lenet5", ...flags, "--out", out]));
    if (torch) theirs.push(await peer("dorefa", ways[0], context));
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
function installedSize({ report }) {
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
