/**
 * `npm run bench -- resnet18` and `-- alexnet`: training steps at ImageNet's size, batch 32 and 128, against PyTorch in every
 * way of running it that counts for the comparison, by turns in processes of their own, medians over rounds; peak memory
 * at batch 128; and each family of instructions against the machine's peak. `--only` runs one part, such as float-32 or
 * memory. Without a python3 (or $PYTHON) that has torch, ours alone.
 */
import { cpus } from "node:os";
import { instructionSets } from "../dist/runtime/native.js";
import { compareMemory, showPeaks } from "./cifar-parts.mjs";
import { compare } from "./cifar.mjs";
import { runParts, versionOf } from "./common/processes.mjs";

/** The comparisons of `cifar.mjs`, with the ratios to reach here: of float against f32, of codes against any kind. */
const asked = {
  float: { asked: [1, 1] },
  dorefa: { asked: undefined, precisions: ["f32", "bf16"] },
  // Only where the CPU multiplies bfloat16.
  ...(instructionSets().some((set) => set.includes("bf16")) ? { bf16: { asked: [1.3, 1.3] } } : {}),
  xnor: { asked: undefined, precisions: ["f32", "bf16"] },
};

export async function benchImagenet(network, { only, ...options }) {
  const torch = versionOf("torch");
  const context = {
    ...options,
    network,
    torch,
    steps: options.steps ?? 5,
    warmup: 2,
    report: (row, text) => console.log(options.json ? JSON.stringify(row) : text),
  };
  const parts = Object.fromEntries(
    [32, 128].flatMap((batchSize) =>
      Object.keys(asked).map((name) => [
        `${name}-${batchSize}`,
        () => compare(name, { ...context, batchSize, asked: { ...asked[name], brevitas: undefined } }),
      ]),
    ),
  );
  if (!options.json) {
    const peer = `PyTorch ${torch ?? "not found: ours alone"}`;
    console.log(`${cpus()[0].model}, ${options.threads} threads, Node ${process.version}, ${peer}`);
  }
  await runParts({ ...parts, memory: () => compareMemory(context), peaks: () => showPeaks(context) }, only);
}
