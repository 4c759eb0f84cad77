// Our training step of LeNet-5: Adam, batch 128, as the epoch loop runs it. Prints one JSON object.
import { parseArgs } from "node:util";
import { chooseExecutor, createState, describe, initialise, models, optim, quant } from "../../dist/index.js";
import { compileStep } from "../../dist/training/step.js";

const { values } = parseArgs({
  options: {
    method: { type: "string", default: "baseline" },
    executor: { type: "string" },
    threads: { type: "string", default: "2" },
    steps: { type: "string", default: "100" },
    warmup: { type: "string", default: "30" },
  },
});
const { executor } = chooseExecutor({ executor: values.executor, threads: Number(values.threads) });
const method = {
  baseline: () => quant.baseline(),
  dorefa: () => quant.dorefa({ weightBits: 2, activationBits: 2 }),
  qnn: () => quant.qnn({ weightBits: 1, activationBits: 1 }),
  xnor: () => quant.xnor({ weightBits: 1, activationBits: 1 }),
  twn: () => quant.twn({ weightBits: 2 }),
  ttq: () => quant.ttq({ weightBits: 2 }),
}[values.method]();
const optimizer = optim.adam({ learningRate: 0.01 });
const specs = describe(models.lenet5, method);
const parameters = initialise(specs.parameters, 1);
let state = createState(
  { parameters, statistics: initialise(specs.statistics, 1), optimizer: optimizer.initial(parameters) },
  { executor },
);
const step = compileStep(models.lenet5, method, optimizer, executor);

const images = Float32Array.from({ length: 128 * 784 }, (_, i) => Math.sin(i * 78.233) * 1.4);
const labels = Int32Array.from({ length: 128 }, (_, i) => i % 10);
const times = [];
for (let i = 0; i < Number(values.warmup) + Number(values.steps); i++) {
  const start = performance.now();
  const result = await step(state, {
    images: { data: images, shape: [128, 28, 28, 1] },
    labels: { data: labels, shape: [128] },
    random: { data: Int32Array.of(1, i), shape: [2] },
    scalars: optimizer.scalars(i + 1, 0.01),
  });
  state = result.state;
  if (i >= Number(values.warmup)) times.push(performance.now() - start);
}
times.sort((a, b) => a - b);
console.log(
  JSON.stringify({
    medianMs: times[times.length >> 1],
    peakBytes: process.resourceUsage().maxRSS * 1024,
    executor: `${executor.name} ${executor.instructionSet}`,
    threads: executor.threads,
  }),
);
