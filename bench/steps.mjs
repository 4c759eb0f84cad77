/**
 * `npm run bench -- steps --base REVISION [--rounds 20] [--steps 200] [--only native]`: the processor time of a step of
 * LeNet-5, present code and another revision by turns in processes of their own, which the script here runs on both;
 * medians over rounds. Processor time, since neighbours on a machine move wall time by a fifth.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { median, root, runParts } from "./common/processes.mjs";

export async function benchSteps({ base, rounds, steps = 200, threads, only, json }) {
  if (base === undefined) {
    console.error("steps needs the commit to compare with: --base REVISION");
    process.exit(2);
  }
  const folder = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
  const clone = join(folder, "clone");
  const git = (...parts) => execFileSync("git", parts, { stdio: "ignore" });
  git("clone", "-q", root, clone);
  git("-C", clone, "checkout", "-q", base);
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
      const turns = [
        ["present", root],
        ["base", clone],
      ];
      // Who goes first takes turns, too.
      for (const [name, where] of round % 2 === 0 ? turns : turns.reverse())
        all[name].push(stepOf(where, executor, method));
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
  try {
    await runParts(parts, only);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
