/**
 * `npm run bench -- kernels --base REVISION [--rounds 5] [--only "LeNet conv2"]`: the product kernels on one thread,
 * present code and another revision by turns, each with its own kernels/product_bench.cpp, which measures every kernel
 * in processor time. Per kind of product the geometric mean of the ratios of medians, and the slowest. `--only` takes
 * a part of a layer's name.
 */
import { execFileSync } from "node:child_process";
import { cpus } from "node:os";
import { instructionSets } from "../dist/runtime/native.js";
import { turns, withBase } from "./common/base.mjs";
import { median, root } from "./common/processes.mjs";

/** Milliseconds by "kind, layer" of what product_bench prints: a line of kinds, then one line per layer. */
function parse(text) {
  const [head, ...lines] = text.trimEnd().split("\n");
  const columns = (line) => line.slice(34).match(/.{1,22}/g) ?? [];
  const kinds = columns(head).map((kind) => kind.trim());
  const times = {};
  for (const line of lines) {
    columns(line).forEach((column, i) => {
      const ms = /([\d.]+) ms/.exec(column);
      if (ms !== null) times[`${kinds[i]}, ${line.slice(0, 22).trim()}`] = Number(ms[1]);
    });
  }
  return times;
}

/** The ratios of each kind of product, whose name stands before that of the layer. */
function byKind(ratios) {
  const groups = {};
  for (const ratio of ratios)
    (groups[ratio.kernel.slice(0, ratio.kernel.lastIndexOf(", "))] ??= []).push(ratio);
  return groups;
}

export const benchKernels = ({ base, rounds, only = "", json }) =>
  withBase("kernels", base, async (clone) => {
    const [set] = instructionSets();
    const measure = (where) =>
      parse(
        execFileSync(process.execPath, ["scripts/test-kernels.mjs", "--bench", "--", set, only], {
          cwd: where,
          encoding: "utf8",
        }),
      );
    // The first compiles.
    for (const where of [root, clone]) measure(where);
    const all = { present: {}, base: {} };
    for (let round = 0; round < rounds; round++) {
      for (const [name, where] of turns(round, clone)) {
        for (const [kernel, ms] of Object.entries(measure(where))) (all[name][kernel] ??= []).push(ms);
      }
    }
    const ratios = Object.entries(all.present)
      .filter(([kernel]) => all.base[kernel] !== undefined)
      .map(([kernel, times]) => ({ kernel, ratio: median(times) / median(all.base[kernel]) }));
    if (ratios.length === 0) {
      console.error(`--only must be a part of a layer's name in kernels/product_bench.cpp, got "${only}"`);
      process.exitCode = 2;
      return;
    }
    if (json) return console.log(JSON.stringify({ set, base, ratios }));
    console.log(`${cpus()[0].model}, ${set}, ${rounds} rounds; times of ${base} are 1`);
    for (const [kind, members] of Object.entries(byKind(ratios))) {
      const mean = Math.exp(members.reduce((sum, { ratio }) => sum + Math.log(ratio), 0) / members.length);
      const slowest = members.toSorted((a, b) => b.ratio - a.ratio)[0];
      const layer = slowest.kernel.slice(kind.length + 2);
      console.log(
        `${kind}: ${mean.toFixed(3)} over ${members.length} layers, at most ${slowest.ratio.toFixed(3)} (${layer})`,
      );
    }
  });
