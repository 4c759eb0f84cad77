/**
 * `npm run bench -- steps --base REVISION [--rounds 20] [--steps 200] [--only native]`: the processor time of a step of
 * LeNet-5, present code and another revision by turns in processes of their own, which the script here runs on both;
 * medians over rounds. Processor time, since neighbours on a machine move wall time by a fifth.
 */
import { execFileSync } from "node:child_process";
import { cpSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { turns, withBase } from "./common/base.mjs";
import { median, root, runParts } from "./common/processes.mjs";

export const benchSteps = ({ base, ...options }) =>
  withBase("steps", base, (clone) => compare({ base, clone, ...options }));

async function compare({ base, clone, rounds, steps = 200, threads, only, json }) {
  execFileSync("npm", ["ci", "--ignore-scripts"], { cwd: clone, stdio: "ignore" });
  execFileSync(process.execPath, ["scripts/setup.mjs"], { cwd: clone, stdio: "ignore" });
  cpSync(join(root, "bench", "ours"), join(clone, "bench", "ours"), { recursive: true });

  if (!json) console.log(`${cpus()[0].model}, Node ${process.version}, ${rounds} rounds of ${steps} steps`);
  const stepOf = (where, executor, method) => {
    const options = ["--network", "lenet5", "--method", method, "--executor", executor, "--steps", steps];
    const script = join(where, "bench", "ours", "step.mjs");
    return JSON.parse(execFileSync(process.execPath, [script, ...options.map(String), "--threads", threads]))
      .cpuMs;
  };
  const part = (executor, method) => () => {
    const all = { present: [], base: [] };
    for (let round = 0; round < rounds; round++) {
      for (const [name, where] of turns(round, clone)) all[name].push(stepOf(where, executor, method));
    }
    const [present, before] = [median(all.present), median(all.base)];
    const ratio = present / before;
    const text = `LeNet-5 ${method} on ${executor}: ${present.toFixed(3)} ms of processor time a step, ${base} ${before.toFixed(3)} ms, ratio ${ratio.toFixed(3)}`;
    console.log(json ? JSON.stringify({ executor, method, present, base, before, ratio }) : text);
  };
  const parts = {
    native: part("native", "dorefa"),
    float: part("native", "baseline"),
    wasm: part("wasm", "dorefa"),
  };
  await runParts(parts, only);
}
