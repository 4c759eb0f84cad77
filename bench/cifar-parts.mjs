/** The parts of the benchmarks of CIFAR's networks that are not a comparison of times alone. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median, ours, peer, run } from "./common/processes.mjs";

const subjects = [
  { name: "float", method: "baseline" },
  { name: "DoReFa 2/2", method: "dorefa" },
];

/** Peak resident size of processes that train; the least of PyTorch's ways in f32 counts. Compilers run in processes of their own. */
export async function compareMemory({ network, threads, torch, report, steps = 3 }) {
  const ways = [
    { mode: "eager", format: "contiguous" },
    { mode: "eager", format: "channels_last" },
    { mode: "compile", format: "channels_last" },
  ];
  for (const { name, method } of subjects) {
    const counts = { threads, steps: Math.min(steps, 3), warmup: 2 };
    const { peakBytes, scratchBytes } = await ours({ network, method, ...counts });
    const theirs = [];
    for (const way of torch ? ways : []) {
      const result = await peer("cifar.py", { network, method, ...way, ...counts });
      theirs.push({ way: `${way.mode} ${way.format}`, peakBytes: result.peakBytes });
    }
    const least = Math.min(...theirs.map((row) => row.peakBytes));
    const share = torch ? peakBytes / least : undefined;
    const text = theirs.map((row) => `${row.way} ${megabytes(row.peakBytes)}`).join(", ");
    report(
      { name: `${network} ${name}, peak resident memory`, peakBytes, scratchBytes, theirs, share },
      `${network} ${name}, peak resident memory of training: ours ${megabytes(peakBytes)} ` +
        `(scratch ${megabytes(scratchBytes)})${torch ? `, PyTorch ${text}; ours is ${percent(share)} of the least` : ""}`,
    );
  }
}

/** One thread against two by turns, with what the probes of arithmetic and of bandwidth scale in the same processes. */
export async function compareThreads({ network, rounds, steps, report }) {
  for (const { name, method } of subjects) {
    const results = { 1: [], 2: [] };
    for (let round = 0; round <= rounds; round++) {
      for (const threads of [1, 2]) {
        const result = await ours({ network, method, threads, steps, warmup: 3, probe: true });
        if (round > 0) results[threads].push(result);
      }
    }
    const of = (threads, key) => median(results[threads].map(key));
    const [one, two] = [1, 2].map((threads) => of(threads, ({ medianMs }) => medianMs));
    const scaling = one / two;
    const arithmetic = of(2, ({ probe }) => probe.operations) / of(1, ({ probe }) => probe.operations);
    const bandwidth = of(2, ({ probe }) => probe.bytes) / of(1, ({ probe }) => probe.bytes);
    report(
      { name: `${network} ${name}, threads`, oneMs: one, twoMs: two, scaling, arithmetic, bandwidth },
      `${network} ${name}: one thread ${one.toFixed(1)} ms, two ${two.toFixed(1)} ms, scaling ${scaling.toFixed(2)}; ` +
        `probes scale ${arithmetic.toFixed(2)} (arithmetic) and ${bandwidth.toFixed(2)} (bandwidth): ` +
        `${percent(scaling / arithmetic)} and ${percent(scaling / bandwidth)} of them`,
    );
  }
}

/** Images a second by batch size, beside PyTorch's (eager, channels-last, f32), the median of rounds by turns. */
export async function compareBatches({ network, threads, rounds, torch, report }) {
  for (const { name, method } of subjects) {
    for (const size of [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]) {
      const options = { network, method, threads, "batch-size": size, warmup: 3 };
      const steps = Math.max(5, Math.min(100, Math.round(640 / size)));
      const [own, theirs] = [[], []];
      for (let round = 0; round < rounds; round++) {
        own.push((await ours({ ...options, steps })).medianMs);
        if (!torch) continue;
        theirs.push((await peer("cifar.py", { ...options, steps, format: "channels_last" })).medianMs);
      }
      const rate = (times) => (1000 * size) / median(times);
      const row = { name: `${network} ${name}`, batchSize: size, imagesPerSecond: rate(own) };
      if (torch) row.peerImagesPerSecond = rate(theirs);
      const peerText = torch ? `, PyTorch ${rate(theirs).toFixed(0)}` : "";
      report(row, `${network} ${name}, batch ${size}: ${rate(own).toFixed(0)} images a second${peerText}`);
    }
  }
}

/** Trace, passes and planning in a fresh process, and the start of the command line to the end of its first step. */
export async function compareCompile({ network, threads, rounds, report }) {
  const networks = network === "resnet20" ? ["resnet20", "resnet50"] : [network];
  for (const each of networks) {
    for (const { name, method } of subjects) {
      const results = [];
      for (let round = 0; round < rounds; round++) {
        results.push(await ours({ network: each, method, threads, steps: 1, warmup: 0 }));
      }
      const [compileMs, loadMs] = ["compileMs", "loadMs"].map((key) => median(results.map((r) => r[key])));
      const { instructions } = results[0];
      report(
        { name: `${each} ${name}, trace, passes and planning`, compileMs, loadMs, instructions },
        `${each} ${name}: trace, passes and planning ${compileMs.toFixed(0)} ms, loading ${loadMs.toFixed(0)} ms, ${instructions} instructions`,
      );
    }
  }
  const folder = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
  const bits = ["--method", "dorefa", "--weight-bits", "2", "--activation-bits", "2"];
  const seconds = [];
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    const flags = ["--epochs", "1", "--threads", `${threads}`, "--json", "--overwrite"];
    const args = ["bin/fewbit.js", "train", network, ...bits, ...flags, "--out", join(folder, "run")];
    seconds.push((await run(process.execPath, args)).firstStepSeconds);
  }
  rmSync(folder, { recursive: true });
  report(
    { name: `${network} start-up to the end of the first step`, seconds: median(seconds) },
    `${network}, from the start of \`fewbit train\` to the end of the first step: ${median(seconds).toFixed(2)} s`,
  );
}

/** The shares of a step's families of instructions in what the machine's probe reaches in the same process. */
export async function showPeaks({ network, threads, steps, report }) {
  const profiled = [
    ...subjects,
    { name: "DoReFa 2/2, bf16 gradients", method: "dorefa", gradients: "bf16" },
    { name: "DoReFa 2/2, evaluation", method: "dorefa", evaluate: true },
  ];
  for (const { name, ...options } of profiled) {
    const result = await ours({ network, threads, steps, warmup: 5, profile: true, ...options }).catch(
      (error) => ({
        failed: String(error.stderr || error)
          .trim()
          .split("\n")
          .at(-1),
      }),
    );
    const title = `${network} ${name}`;
    if (result.failed) {
      report({ name: title, failed: result.failed }, `${title}: failed: ${result.failed}`);
      continue;
    }
    const { profile, probe, medianMs } = result;
    const lines = profile.map(
      ({ name, count, ms, operationsPerSecond, bytesPerSecond, limit, share }) =>
        `  ${name.padEnd(40)}${`${count}`.padStart(4)}${ms.toFixed(2).padStart(8)} ms` +
        `${(operationsPerSecond / 1e9).toFixed(0).padStart(6)} Gop/s${(bytesPerSecond / 1e9).toFixed(0).padStart(5)} GB/s` +
        `  ${percent(share)} of ${limit}`,
    );
    report(
      { name: title, medianMs, probe, profile },
      [
        `${title}: ${medianMs.toFixed(1)} ms; probe ${(probe.operations / 1e9).toFixed(0)} Gop/s in f32, ${(probe.bytes / 1e9).toFixed(0)} GB/s`,
        ...lines,
      ].join("\n"),
    );
  }
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;
const percent = (share) => `${(100 * share).toFixed(0)}%`;
