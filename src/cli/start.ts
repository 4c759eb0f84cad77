/** `fewbit start`: a first network, from nothing to its answers, in seconds. */
import type { Dataset } from "../data/index.js";
import { sourceOf } from "../data/source.js";
import { summarise } from "../nn/index.js";
import { chooseExecutor } from "../runtime/choose.js";
import type { ExecutorName } from "../runtime/executor.js";
import { parseRunOptions } from "../training/config.js";
import type { Run } from "../training/index.js";
import { classify } from "../training/index.js";
import { draw, gallery } from "./picture.js";
import { exitCodes } from "./exit.js";
import { interruptedLine, runTraining } from "./train.js";
import { duration, pc, print, resultLines, summaryTable, warn } from "./text.js";

const directory = "runs/first-digits";

const recipe = {
  model: "lenet5",
  method: "dorefa",
  weightBits: 1,
  activationBits: 2,
  optimizer: "adam",
  learningRate: 0.01,
  out: directory,
};

/** Schedules that reach 97% on the shipped digits in well under a minute; a shorter one for the slow reference executor. */
const schedules: Readonly<Record<ExecutorName, { epochs: number; decayEvery: number; decayFactor: number }>> =
  {
    native: { epochs: 8, decayEvery: 3, decayFactor: 0.3 },
    wasm: { epochs: 5, decayEvery: 4, decayFactor: 0.1 },
    reference: { epochs: 1, decayEvery: 0, decayFactor: 0.1 },
  };

export async function start(): Promise<void> {
  const { executor, reason } = chooseExecutor({ onWarning: warn });
  const schedule = schedules[executor.name];
  const { epochs } = schedule;
  print(pc.bold("LeNet-5 of 1-bit weights and 2-bit activations (DoReFa-Net) learns digits"));
  print(
    pc.dim(
      `10,000 training and 2,000 test images of MNIST, ${executor.name} executor (${executor.instructionSet})`,
    ),
  );
  if (executor.name !== "native") {
    const plural = epochs === 1 ? "" : "s";
    print(`${reason}: ${epochs} epoch${plural} instead of ${schedules.native.epochs}; see npx fewbit doctor`);
  }
  const values = { ...recipe, ...schedule };
  const options = parseRunOptions(values, () => "start");
  const run = await runTraining(
    options,
    { values, sourceOf: () => "start" },
    { resume: false, overwrite: true, quiet: false },
  );
  if (run.interrupted) {
    print(interruptedLine(run));
    process.exitCode = exitCodes.interrupted;
    return;
  }
  print(`\n${resultLines(run).join("\n")}`);
  print(pc.dim(`${duration(run.seconds)} for ${epochs} epoch${epochs === 1 ? "" : "s"}\n`));
  print(summaryTable(summarise(run.model, run.method)).join("\n"));
  print(`\n${(await pictures(run)).join("\n")}`);
  print(
    [
      "",
      pc.bold("Next:"),
      `  ${pc.cyan(`npx fewbit eval ${directory}`)}`,
      `  ${pc.cyan("npx fewbit train lenet5 --method dorefa --weight-bits 2 --activation-bits 2")}`,
    ].join("\n"),
  );
}

/** A row of as many test digits as fit, one of them the network's least certain answer. */
async function pictures(run: Run): Promise<string[]> {
  const [height, width] = run.data.shape;
  const columns = Math.min(100, process.stdout.columns ?? 80);
  const count = Math.max(1, Math.min(6, Math.floor((columns + 2) / (width - 2 * margin + 2))));
  const answers = await classify(
    run,
    run.data,
    Array.from({ length: 200 }, (_, i) => i),
  );
  const certainty = (i: number): number => answers[i].probabilities[answers[i].answer];
  const doubtful = answers.map((_, i) => i).sort((a, b) => certainty(a) - certainty(b))[0];
  const different = answers
    .map((_, i) => i)
    .filter((i) => i !== doubtful && answers.findIndex(({ label }) => label === answers[i].label) === i);
  const shown = [...different.slice(0, count - 1), doubtful];
  const bytes = await bytesOf(run.data, shown);
  return gallery(
    shown.map((index, place) => {
      const { label, answer } = answers[index];
      const pixels = inner(bytes.subarray(place * height * width, (place + 1) * height * width), width);
      const good = label === answer;
      const caption = `${answer}, ${(100 * certainty(index)).toFixed(0)}% ${good ? "sure" : `(it is ${label})`}`;
      return {
        rows: draw(pixels, height - 2 * margin, width - 2 * margin),
        width: width - 2 * margin,
        caption,
        good,
      };
    }),
  );
}

/** Test images as bytes. */
async function bytesOf({ test, shape }: Dataset, indices: readonly number[]): Promise<Float32Array> {
  const images = new Float32Array(indices.length * shape[0] * shape[1] * shape[2]);
  const asBytes = { mean: [0], std: [1 / 255] };
  await sourceOf(test, shape).fill(Uint32Array.from(indices), undefined, { images, ...asBytes });
  return images;
}

/** MNIST's digits lie in the middle 20x20 of their 28x28 pixels. */
const margin = 4;

function inner(pixels: Uint8Array | Float32Array, width: number): number[] {
  const last = width - margin;
  return Array.from(pixels).filter((_, i) => {
    const [y, x] = [Math.floor(i / width), i % width];
    return y >= margin && y < last && x >= margin && x < last;
  });
}
