/**
 * `npm run bench -- NAME`: a benchmark by name. What it compares and how stands at the head of its own file.
 */
import { parseArgs } from "node:util";
import { benchCifar } from "./cifar.mjs";
import { benchCommands } from "./commands.mjs";
import { benchDepthwise } from "./depthwise.mjs";
import { benchImages } from "./images.mjs";
import { benchImagenet } from "./imagenet.mjs";
import { benchKernels } from "./kernels.mjs";
import { benchLenet5 } from "./lenet5.mjs";
import { benchShards } from "./shards.mjs";
import { benchSteps } from "./steps.mjs";
import { benchWasm } from "./wasm.mjs";

const benchmarks = {
  lenet5: benchLenet5,
  resnet20: (options) => benchCifar("resnet20", options),
  vgg16: (options) => benchCifar("vgg16", options),
  resnet18: (options) => benchImagenet("resnet18", options),
  alexnet: (options) => benchImagenet("alexnet", options),
  wasm: benchWasm,
  commands: benchCommands,
  steps: benchSteps,
  kernels: benchKernels,
  depthwise: benchDepthwise,
  shards: benchShards,
  images: benchImages,
};

const usage = `usage: npm run bench -- NAME [--json] [--threads 2] [--rounds 5] [--steps N] [--only PART] [--base REVISION] [--folder DIR]
NAME is one of ${Object.keys(benchmarks).join(", ")}; docs/benchmarks.md says what each compares`;

function refuse(message) {
  console.error(`${message}\n${usage}`);
  process.exit(2);
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        help: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        threads: { type: "string", default: "2" },
        rounds: { type: "string", default: "5" },
        steps: { type: "string" },
        only: { type: "string" },
        base: { type: "string" },
        folder: { type: "string" },
      },
    });
  } catch (error) {
    return refuse(error.message.split(". ")[0]);
  }
}

const {
  values: { help, ...values },
  positionals,
} = parse();
if (help) {
  console.log(usage);
  process.exit();
}
const [name] = positionals;
if (positionals.length !== 1 || !Object.hasOwn(benchmarks, name)) {
  refuse(`one benchmark must be named, got "${positionals.join(" ")}"`);
}
await benchmarks[name]({
  ...values,
  threads: Number(values.threads),
  rounds: Number(values.rounds),
  steps: values.steps === undefined ? undefined : Number(values.steps),
});
