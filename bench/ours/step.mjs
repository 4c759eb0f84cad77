/**
 * Our training step or evaluation, as the epoch loop runs it: SGD, for LeNet-5 Adam. Prints one JSON object;
 * with `--profile` also what each family of instructions takes, with `--probe` what the machine can do.
 */
import { parseArgs } from "node:util";
import { chooseExecutor } from "../../dist/index.js";
import { measurePeak } from "../../dist/runtime/native.js";
import { families } from "./families.mjs";
import { makeStep } from "./setup.mjs";

const { values } = parseArgs({
  options: {
    network: { type: "string", default: "lenet5" },
    method: { type: "string", default: "baseline" },
    gradients: { type: "string", default: "f32" },
    evaluate: { type: "boolean", default: false },
    "batch-size": { type: "string", default: "128" },
    executor: { type: "string" },
    threads: { type: "string", default: "2" },
    steps: { type: "string", default: "100" },
    warmup: { type: "string", default: "30" },
    probe: { type: "boolean", default: false },
    profile: { type: "boolean", default: false },
  },
});
const { executor } = chooseExecutor({ executor: values.executor, threads: Number(values.threads) });
const { run, program } = makeStep({ ...values, batchSize: Number(values["batch-size"]), executor });

// Trace, passes and planning; then the executor checks and encodes the Program, and writes machine code.
let loadMs = 0;
const load = executor.load.bind(executor);
executor.load = (...parts) => {
  const began = performance.now();
  const loaded = load(...parts);
  loadMs += performance.now() - began;
  return loaded;
};
const began = performance.now();
const { instructions, bytes } = program();
const compileMs = performance.now() - began - loadMs;

const steps = Number(values.steps);
for (let i = 0; i < Number(values.warmup); i++) await run();
const times = [];
const cpuBefore = process.cpuUsage();
for (let i = 0; i < steps; i++) {
  const start = performance.now();
  await run();
  times.push(performance.now() - start);
}
const { user, system } = process.cpuUsage(cpuBefore);
times.sort((a, b) => a - b);
const { maxRSS } = process.resourceUsage();

// The best of several: what the machine can do, not what its neighbours left.
const best = (probes, key) => Math.max(...probes.map((probe) => probe[key]));
let probe;
if (values.probe || values.profile) {
  const probes = Array.from({ length: 5 }, () => measurePeak(executor.threads));
  probe = { operations: best(probes, "operations"), bytes: best(probes, "bytes") };
}
let profile;
if (values.profile) {
  const nanoseconds = new Float64Array(instructions.length);
  for (let i = 0; i < steps; i++) await run(nanoseconds);
  profile = families(instructions, nanoseconds, steps, probe, executor.instructionSet);
}
console.log(
  JSON.stringify({
    medianMs: times.length > 0 ? times[times.length >> 1] : undefined,
    cpuMs: times.length > 0 ? (user + system) / 1000 / steps : undefined,
    peakBytes: maxRSS * 1024,
    compileMs,
    loadMs,
    instructions: instructions.length,
    scratchBytes: bytes.scratch,
    executor: `${executor.name} ${executor.instructionSet}`,
    threads: executor.threads,
    probe,
    profile,
  }),
);
