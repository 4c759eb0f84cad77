/** Run directories as a training leaves them, written in no time. */
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dataSetNamed } from "./data/index.js";

export interface RunShape {
  readonly model?: string;
  readonly classes?: number;
  readonly method?: string;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly data?: string;
  readonly optimizer?: string;
  readonly learningRate?: number;
  readonly seed?: number;
  /** Ended, of so many planned. */
  readonly epochs?: number;
  readonly planned?: number;
  /** Percent in the last epoch. */
  readonly top1?: number;
  readonly secondsEach?: number;
  readonly classNames?: readonly string[];
  /** Names of layers, to record them. */
  readonly layers?: readonly string[];
  readonly confusion?: boolean;
  /** Whether it was started before equal logits counted by rank. */
  readonly isOlder?: boolean;
  /** What its configuration says otherwise. */
  readonly config?: Readonly<Record<string, unknown>>;
}

const digits = (value: number): number => Number(value.toFixed(4));

/** A run that learns: accuracies rise to `top1`, with some noise that its seed decides. */
export function metricsLine(epoch: number, shape: RunShape = {}): string {
  const { top1 = 99, seed = 1, learningRate = 0.01, secondsEach = 12 } = shape;
  const noise = Math.sin(epoch * 12.9898 + seed * 78.233);
  const rest = Math.exp(-epoch / 4);
  const accuracy = (ends: number): number => digits(Math.min(100, ends - (ends - 30) * rest + 0.4 * noise));
  const scores = { loss: digits(0.04 + 2 * rest), top1: accuracy(top1), top5: accuracy(100) };
  return `${JSON.stringify({
    epoch,
    step: epoch * 100,
    seconds: digits(secondsEach + 0.2 * noise),
    learningRate: epoch > 12 ? learningRate / 10 : learningRate,
    trainLoss: digits(0.03 + 2.2 * rest),
    trainTop1: accuracy(top1 + 0.3),
    split: "test",
    ...scores,
    test: scores,
  })}\n`;
}

/** Weights that spread, then gather around two levels. */
export function layerLine(epoch: number, layer: string, index: number): string {
  const width = 0.2 + 0.02 * epoch + 0.05 * index;
  const apart = Math.min(0.6, epoch * 0.03);
  const bell = (x: number, middle: number): number => Math.exp(-(((x - middle) / 0.22) ** 2));
  const counts = Array.from({ length: 32 }, (_, i) => {
    const x = (i - 15.5) / 16;
    return Math.round(400 * (bell(x, apart) + bell(x, -apart)));
  });
  return `${JSON.stringify({
    epoch,
    layer,
    levels: index === 0 ? null : 2 ** index,
    sparsity: digits(0.1 * index * (1 - 1 / epoch)),
    signFlips: digits((0.3 - 0.02 * index) / epoch),
    histogram: { lowest: digits(-width), highest: digits(1.1 * width), counts },
  })}\n`;
}

export function confusionLine(epoch: number, classes: number): string {
  const counts = Array.from({ length: classes }, (_, label) =>
    Array.from({ length: classes }, (_, answer) =>
      label === answer ? 90 + label : (label * 7 + answer * 3 + epoch) % 11 === 0 ? 1 + (answer % 4) : 0,
    ),
  );
  return `${JSON.stringify({ epoch, split: "test", counts })}\n`;
}

/** Returns its directory. */
export function writeRun(folder: string, name: string, shape: RunShape = {}): string {
  const { model = "lenet5", classes = 10, method = "dorefa", data = "mnist", seed = 1 } = shape;
  const { options = { weightBits: 1, activationBits: 2, preset: "redbit" }, classNames } = shape;
  const { optimizer = "adam", learningRate = 0.01, epochs = 3, planned = epochs, layers = [] } = shape;
  const directory = join(folder, name);
  mkdirSync(directory, { recursive: true });
  const config = {
    formatVersion: 1,
    fewbit: "0.1.0",
    model: { name: model, input: [28, 28, 1], classes },
    method: { name: method, options },
    optimizer: { name: optimizer, options: { learningRate } },
    schedule: null,
    data: { name: data, checksum: dataSetNamed(data)?.published?.checksum ?? "0", augmentation: null },
    preparation: { mean: [0.13], std: [0.3], ...(classNames === undefined ? {} : { classNames }) },
    ...(shape.isOlder === true ? {} : { revision: { scoring: 2 } }),
    batchSize: 128,
    seed,
    validation: 0,
    epochs: planned,
    executor: "native",
    instructionSet: "avx2",
    threads: 2,
    cpu: "x",
    ...shape.config,
  };
  writeFileSync(join(directory, "config.json"), JSON.stringify(config));
  const all = Array.from({ length: epochs }, (_, i) => i + 1);
  writeFileSync(join(directory, "metrics.jsonl"), all.map((epoch) => metricsLine(epoch, shape)).join(""));
  const ofLayers = all.flatMap((epoch) => layers.map((layer, i) => layerLine(epoch, layer, i)));
  writeFileSync(join(directory, "layers.jsonl"), ofLayers.join(""));
  if (shape.confusion === true) {
    writeFileSync(
      join(directory, "confusion.jsonl"),
      all.map((epoch) => confusionLine(epoch, classes)).join(""),
    );
  }
  return directory;
}

export function endEpoch(directory: string, epoch: number, shape: RunShape = {}): void {
  for (const [i, layer] of (shape.layers ?? []).entries()) {
    appendFileSync(join(directory, "layers.jsonl"), layerLine(epoch, layer, i));
  }
  appendFileSync(join(directory, "metrics.jsonl"), metricsLine(epoch, shape));
}
