/** Runs that were never trained, for reports to be made of. */
import { dataSetOf } from "../data/index.js";
import type { FoundRun } from "../experiments/index.js";
import { cellOfRun } from "../experiments/index.js";
import { parseRunOptions, resolveNetwork, resolveOptimizer } from "../training/config.js";
import type { EpochMetrics, RunConfig } from "../training/index.js";

export interface Made {
  readonly name?: string;
  /** Percent on held-out images, of each epoch. */
  readonly heldOut?: readonly number[];
  /** Percent of the test images whose class was among the first five, at each epoch. Default 100. */
  readonly top5?: readonly number[];
  /** Over the configuration that the options make. */
  readonly config?: Partial<RunConfig>;
}

/** A run of LeNet-5 on MNIST unless `options` say otherwise, with these test accuracies by epoch. */
export function madeRun(
  options: Readonly<Record<string, unknown>>,
  top1: readonly number[],
  { name = "run", heldOut, top5, config: changes = {} }: Made = {},
): FoundRun {
  const all = { model: "lenet5", data: "mnist", epochs: top1.length, preset: "redbit", ...options };
  const parsed = parseRunOptions(all, () => "a test");
  const { model, method } = resolveNetwork(parsed);
  const { optimizer, schedule } = resolveOptimizer(parsed);
  const { epochs, seed, batchSize, gradients, validation } = parsed;
  const config: RunConfig = {
    formatVersion: 1,
    fewbit: "0.1.0",
    epochs,
    seed,
    batchSize,
    gradients,
    validation,
    options: parsed,
    model: { name: model.name, input: model.input, classes: model.classes },
    method: {
      name: method.name,
      options: JSON.parse(JSON.stringify(method.options)) as typeof method.options,
    },
    optimizer: { name: optimizer.name, options: optimizer.options },
    schedule: { name: schedule.name, options: schedule.options },
    data: {
      name: parsed.data,
      checksum: dataSetOf(parsed.data).published?.checksum ?? "0123456789abcdef",
      augmentation: {},
    },
    revision: { scoring: 2 },
    executor: "native",
    instructionSet: "avx2",
    threads: 2,
    cpu: "x",
    ...changes,
  };
  const metrics = top1.map((value, i): EpochMetrics => {
    const test = { loss: 1 - value / 100, top1: value, top5: top5?.[i] ?? 100 };
    const chosen = heldOut === undefined ? test : { ...test, top1: heldOut[i] };
    return {
      epoch: i + 1,
      step: 10 * (i + 1),
      seconds: 2,
      learningRate: 0.01,
      trainLoss: 2 / (i + 1),
      trainTop1: value,
      split: heldOut === undefined ? "test" : "validation",
      ...chosen,
      test,
    };
  });
  return { name, directory: `runs/${name}`, config, metrics, ...cellOfRun(config) };
}

export const of = (method: string, bits?: `${number}/${number}`): Record<string, unknown> => {
  const [weightBits, activationBits] = (bits ?? "").split("/").map(Number);
  return bits === undefined ? { method } : { method, weightBits, activationBits };
};

/** A run of ResNet-18 with DoReFa-Net 2/2 on ImageNet, all of it unless `images`, the classes or the size are others. */
export function imagenetRun(
  top1: readonly number[],
  {
    classes = 1000,
    side = 227,
    images = { train: 1_281_167, test: 50_000 },
    ...made
  }: Made & {
    readonly classes?: number;
    readonly side?: number;
    readonly images?: RunConfig["images"] | null;
  } = {},
): FoundRun {
  return madeRun({ model: "resnet18", ...of("dorefa", "2/2"), data: "mnist" }, top1, {
    ...made,
    config: {
      model: { name: "resnet18", input: [side, side, 3], classes, preset: "redbit" },
      data: { name: "imagenet", checksum: "0123456789abcdef", augmentation: { flip: true } },
      images: images ?? undefined,
      ...made.config,
    },
  });
}
