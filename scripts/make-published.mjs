/**
 * Makes src/published/rows.ts from the published table as JSON:
 *
 *   node scripts/make-published.mjs FILE
 *
 * FILE is { source, rows: [{ dataset, model, method, weightBits, activationBits, optimizer, learningRate,
 * batchSize, top1, top5 }] }, where an optimizer is "Adam(...)", "SGD(momentum=..., weight_decay=...)",
 * "SGD" or null.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error("error: give the JSON file, as in node scripts/make-published.mjs table.json");
  process.exit(2);
}

const models = {
  "LeNet-5": "lenet5",
  "ResNet-18": "resnet18",
  "ResNet-20": "resnet20",
  "ResNet-50": "resnet50",
  "VGG-16": "vgg16",
  AlexNet: "alexnet",
};
const methods = {
  Baseline: "baseline",
  QNN: "qnn",
  "DoReFa-Net": "dorefa",
  "XNOR-Net": "xnor",
  TWN: "twn",
  TTQ: "ttq",
};

function named(names, name) {
  if (!Object.hasOwn(names, name)) throw new Error(`unknown name "${name}"`);
  return names[name];
}

/** The settings in an optimizer's text; momentum is 0.9 throughout the study. */
function optimizerOf(text) {
  if (text === null) return { optimizer: null, weightDecay: 0 };
  const kind = /^(Adam|SGD)/.exec(text)?.[1].toLowerCase();
  if (kind === undefined) throw new Error(`unknown optimizer "${text}"`);
  const decay = /(?:weight_decay|wd)=([\d.e-]+)/.exec(text);
  return { optimizer: kind, weightDecay: decay === null ? 0 : Number(decay[1]) };
}

const { source, rows } = JSON.parse(readFileSync(file, "utf8"));
const lines = rows.map((row) => {
  const { optimizer, weightDecay } = optimizerOf(row.optimizer);
  const values = [
    ...[row.dataset, named(models, row.model), named(methods, row.method)],
    ...[row.weightBits, row.activationBits, optimizer, row.learningRate, weightDecay],
    ...[row.batchSize, row.top1, row.top5],
  ];
  return `  [${values.map((value) => JSON.stringify(value)).join(", ")}],`;
});
const text = `/** Made by scripts/make-published.mjs from: ${source.replace(/\*\//g, "")}. */
import type { PublishedTuple } from "./row.js";

/** Data set, model, method, bits of weights and activations, optimizer, rate, weight decay, batch, top-1, top-5. */
export const rows: readonly PublishedTuple[] = [
${lines.join("\n")}
];
`;
writeFileSync(fileURLToPath(new URL("../src/published/rows.ts", import.meta.url)), text);
