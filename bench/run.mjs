/**
 * `npm run bench -- NAME [--json] [--threads 2] [--rounds 5] [--steps N] [--only PART]
 * [--base REVISION]`: a benchmark by name. What it compares and how stands at the head of its own file.
 */
import { parseArgs } from "node:util";
import { benchCifar } from "./cifar.mjs";
import { benchCommands } from "./commands.mjs";
import { benchKernels } from "./kernels.mjs";
import { benchLenet5 } from "./lenet5.mjs";
import { benchSteps } from "./steps.mjs";
import { benchWasm } from "./wasm.mjs";

const benchmarks = {
  lenet5: benchLenet5,
  resnet20: (options) => benchCifar("resnet20", options),
  vgg16: (options) => benchCifar("vgg16", options),
  wasm: benchWasm,
  commands: benchCommands,
  steps: benchSteps,
  kernels: benchKernels,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    threads: { type: "string", default: "2" },
    rounds: { type: "string", default: "5" },
    steps: { type: "string" },
    only: { type: "string" },
    base: { type: "string" },
  },
});
const [name] = positionals;
if (positionals.length !== 1 || !Object.hasOwn(benchmarks, name)) {
  const names = Object.keys(benchmarks).join(", ");
  console.error(`bench must be one of ${names}, got "${positionals.join(" ")}"`);
  process.exit(2);
}
await benchmarks[name]({
  ...values,
  threads: Number(values.threads),
  rounds: Number(values.rounds),
  steps: values.steps === undefined ? undefined : Number(values.steps),
});
