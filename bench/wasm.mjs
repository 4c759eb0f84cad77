/**
 * `npm run bench -- wasm [--json] [--rounds 5] [--steps 100]`: LeNet-5's training step in WebAssembly
 * and on the native AVX2 kernels with one thread, by turns in processes of their own; medians over
 * rounds and the native time's share of WebAssembly's. Then the start-up of a training in WebAssembly.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

/** Runs a script of ours; gives the JSON object of its last line. */
async function run(args) {
  const env = { ...process.env, FEWBIT_INSTRUCTION_SET: "avx2" };
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, env });
  return JSON.parse(stdout.trim().split("\n").at(-1));
}

export async function benchWasm({ rounds, steps = 100, json }) {
  const report = (row, text) => console.log(json ? JSON.stringify(row) : text);
  if (!json) console.log(`${cpus()[0].model}, one thread, Node ${process.version}`);

  for (const [name, method] of [
    ["float", "baseline"],
    ["DoReFa 2/2", "dorefa"],
  ]) {
    const times = { native: [], wasm: [] };
    // The first round warms the disk's cache and does not count.
    for (let round = 0; round <= rounds; round++) {
      for (const executor of ["native", "wasm"]) {
        const flags = ["--executor", executor, "--method", method, "--threads", "1", "--steps", `${steps}`];
        const { medianMs } = await run(["bench/ours/step.mjs", ...flags]);
        if (round > 0) times[executor].push(medianMs);
      }
    }
    const [nativeMs, wasmMs] = [median(times.native), median(times.wasm)];
    const ratio = nativeMs / wasmMs;
    report(
      { name, nativeMs, wasmMs, ratio },
      `LeNet-5 ${name}, training step of 128 images: WebAssembly ${wasmMs.toFixed(1)} ms, ` +
        `native AVX2 ${nativeMs.toFixed(1)} ms, speed ${ratio.toFixed(2)} of native`,
    );
  }

  const folder = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
  const bits = ["--method", "dorefa", "--weight-bits", "1", "--activation-bits", "2"];
  const seconds = [];
  for (let round = 0; round < rounds; round++) {
    const flags = [
      "--executor",
      "wasm",
      "--epochs",
      "1",
      "--json",
      "--overwrite",
      "--out",
      join(folder, "run"),
    ];
    const { firstStepSeconds } = await run(["bin/fewbit.js", "train", "lenet5", ...bits, ...flags]);
    seconds.push(firstStepSeconds);
  }
  rmSync(folder, { recursive: true });
  report(
    { name: "start-up to the end of the first step", seconds: median(seconds) },
    `start-up to the end of the first step: ${median(seconds).toFixed(2)} s`,
  );
}
