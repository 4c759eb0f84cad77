/**
 * The settings of a run: the one place that says which there are, what each may be and means, and what follows from
 * it. Flags, configurations, studies, identities, what may change on resume and JSON Schemas are made from this table.
 */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { lastBatches } from "../data/batches.js";
import { dataRegistry, dataSetNamed, isMirror } from "../data/index.js";
import { mostImageThreads, mostThreads } from "../machine.js";
import { depths, isDepth, modelRegistry } from "../models/index.js";
import { gradientTypes } from "../nn/index.js";
import type { OptimizerOption } from "../optim/index.js";
import {
  optimizerRegistry,
  optimizersWith,
  scheduleNames,
  scheduleUnits,
  takesOption,
} from "../optim/index.js";
import { methodRegistry } from "../quantization/index.js";
import { executorNames } from "../runtime/executor.js";
import { crossEntropy, lossRegistry } from "../optim/losses.js";
import type { Setting } from "./setting.js";
import {
  bits,
  field,
  fraction,
  notNegative,
  ofRegistry,
  oneOf,
  positive,
  text,
  whole,
  yesOrNo,
} from "./setting.js";

/** What a run can be written as beside its own files. */
const logKinds = ["tensorboard"] as const;
/** A form that a run is written in beside its own files. */
export type LogKind = (typeof logKinds)[number];

const bitsByLayer = z.record(
  z.string(),
  z.strictObject({ weightBits: z.number().int().optional(), activationBits: z.number().int().optional() }),
);
const layerBits = field(
  'bits by layer, such as {"fc2": {"weightBits": 8}}',
  z
    .unknown()
    .refine((value) => !Object.hasOwn(Object(value) as object, "__proto__")) // which a record leaves out
    .pipe(bitsByLayer),
  [],
  bitsByLayer,
);

/** Names of layers and norms, or of all whose names fit a pattern. */
const patterns = field(
  'a list of one or more names of layers or norms, such as ["fc3", "conv*"]',
  z.array(z.string().regex(/^[^\0]+$/)).min(1),
);

/** What has an effect with images alone that become of the size that is asked for. */
const ofFitted = {
  words: `data ${dataRegistry.names.filter((name) => dataSetNamed(name)?.isFitted).join(" or ")}`,
  isMet: ({ data }: Readonly<Record<string, unknown>>) => dataSetNamed(data)?.isFitted === true,
};

/** What has an effect with optimizers alone that take it. */
const ofOptimizer = (option: OptimizerOption) => ({
  words: `optimizer ${optimizersWith(option)}`,
  isMet: ({ optimizer }: Readonly<Record<string, unknown>>) => takesOption(optimizer, option),
});

/** Keeps the type of a row's schema. */
const setting = <const Row extends Setting>(row: Row): Row => row;

export const settings = {
  model: setting({ ...ofRegistry(modelRegistry), required: true, group: "network", part: "model" }),
  depth: setting({
    schema: field(depths, z.number().refine(isDepth)),
    group: "network",
    flag: {
      usage: "--depth <layers>",
      help: "layers of model resnet: 18 or 34 for ImageNet, else 6n + 2, such as 20, 32 or 56",
      reads: "number",
    },
    part: "model",
  }),
  method: setting({
    ...ofRegistry(methodRegistry),
    default: "baseline",
    group: "network",
    flag: {
      usage: "--method <name>",
      help: "quantization method: baseline, qnn, dorefa, xnor, twn, ttq, or a file, such as ./pact.mjs; see fewbit methods",
    },
    part: "method",
  }),
  weightBits: setting({
    schema: bits,
    group: "network",
    flag: { usage: "--weight-bits <bits>", help: "bits of weights: 1 to 8, or 32", reads: "number" },
    part: "method",
  }),
  activationBits: setting({
    schema: bits,
    group: "network",
    flag: { usage: "--activation-bits <bits>", help: "bits of activations: 1 to 8, or 32", reads: "number" },
    part: "method",
  }),
  gradientBits: setting({
    schema: bits,
    group: "network",
    flag: {
      usage: "--gradient-bits <bits>",
      help: "bits of gradients in DoReFa-Net: 1 to 8, or 32 (default: 32)",
      reads: "number",
    },
    part: "method",
  }),
  preset: setting({
    schema: text,
    default: "paper",
    group: "network",
    flag: {
      usage: "--preset <name>",
      help: "paper, as the authors define the method, or redbit, as the published table has it",
    },
    part: "method",
  }),
  reluAfterConvolution: setting({
    schema: yesOrNo,
    group: "network",
    flag: {
      usage: "--relu-after-convolution",
      help: "XNOR-Net: ReLU after quantized layers too (default in redbit)",
    },
    part: "method",
  }),
  inputScale: setting({
    schema: yesOrNo,
    group: "network",
    flag: { usage: "--input-scale", help: "XNOR-Net: scale outputs by the mean input, K in the paper" },
    part: "method",
  }),
  layers: setting({
    schema: layerBits,
    default: {},
    group: "network",
    flag: {
      usage: "--layer <name.key=bits>",
      help: "other bits for a layer, such as fc2.weightBits=8; repeatable",
      reads: "layer",
    },
    part: "method",
  }),
  data: setting({
    ...ofRegistry(dataRegistry),
    default: "digits",
    group: "data",
    flag: {
      usage: "--data <name>",
      help: "digits or cifar10-sample (shipped), mnist, fashion-mnist, kmnist, cifar10, imagenet, images, or a file, such as ./mine.mjs (default: the shipped one that fits)",
    },
    part: "data",
  }),
  dataDir: setting({
    schema: text,
    group: "data",
    flag: {
      usage: "--data-dir <folder>",
      help: "the four IDX files of MNIST and its like, CIFAR-10's six batches or their archive (default: downloaded), folders of images: train/CLASS and test/CLASS, or CLASS; or ImageNet's, with train and val",
    },
    resumable: true, // the data's checksum guards a folder that has moved
    isLocal: true,
  }),
  mirrors: setting({
    schema: field("http or https URLs of folders, at least one", z.array(z.string().refine(isMirror)).min(1)),
    group: "mirrors",
    flag: {
      usage: "--mirror <url>",
      help: "folder to download the data from; may be repeated (default: public ones)",
      reads: "list",
    },
    resumable: true,
    isLocal: true,
    isForgotten: true,
    isList: true,
  }),
  imageSize: setting({
    schema: whole(1, 4096),
    group: "images",
    flag: {
      usage: "--image-size <pixels>",
      help: "side of the square that images become (default: the network's)",
      reads: "number",
    },
    part: "data",
    needs: ofFitted,
  }),
  channels: setting({
    schema: field("1 (grey) or 3 (colour)", z.union([z.literal(1), z.literal(3)])),
    group: "images",
    flag: {
      usage: "--channels <n>",
      help: "1 for grey images, 3 for colour (default: the network's)",
      reads: "number",
    },
    part: "data",
    needs: ofFitted,
  }),
  imageMemory: setting({
    schema: whole(0, 1_000_000),
    group: "images",
    flag: {
      usage: "--image-memory <MiB>",
      help: "what the images of a folder may take in memory; more are decoded again in each epoch (default: 128)",
      reads: "number",
    },
    resumable: true,
    isLocal: true,
    needs: { words: "data images", isMet: ({ data }) => data === "images" },
  }),
  imageThreads: setting({
    schema: whole(1, mostImageThreads),
    group: "images",
    flag: {
      usage: "--image-threads <n>",
      help: "images that are decoded at a time; results do not depend on it (default: the CPUs, at most 8)",
      reads: "number",
    },
    resumable: true,
    isLocal: true,
    isForgotten: true,
    needs: {
      words: "data images or imagenet",
      isMet: ({ data }) => data === "images" || data === "imagenet",
    },
  }),
  skipDamaged: setting({
    schema: yesOrNo,
    group: "images",
    flag: {
      usage: "--skip-damaged",
      help: "train without image files that are damaged, and count them (default: the first one ends it)",
    },
    resumable: true, // it changes no bit of a run that comes to its end without it
    needs: {
      words: "data images or imagenet",
      isMet: ({ data }) => data === "images" || data === "imagenet",
    },
  }),
  classes: setting({
    schema: field(
      'a number from 2 to 1000, or the folders of two classes or more, as ["n01440764", "n01443537"]',
      z.union([z.number().int().min(2).max(1000), z.array(z.string()).min(2)]),
    ),
    group: "images",
    flag: {
      usage: "--classes <n>",
      help: "of ImageNet: the first n classes alone, or those of folders, as n01440764,n01443537 (default: all)",
      reads: "classes",
    },
    part: "data",
    isList: true,
    needs: { words: "data imagenet", isMet: ({ data }) => data === "imagenet" },
  }),
  augment: setting({
    schema: yesOrNo,
    default: true,
    group: "training",
    flag: { usage: "--no-augment", help: "train on images as they are, without rotation and crops" },
    part: "data",
  }),
  colorJitter: setting({
    schema: field("a number above 0, at most 1", z.number().gt(0).max(1)),
    group: "images",
    flag: {
      usage: "--color-jitter <s>",
      help: "train on images whose brightness, contrast and saturation are changed by factors from 1 - s to 1 + s",
      reads: "number",
    },
    part: "data",
    needs: {
      words: "data images or imagenet, and augmentation",
      isMet: ({ data, augment }) => (data === "images" || data === "imagenet") && augment !== false,
    },
  }),
  validation: setting({
    schema: whole(0, 1_000_000),
    default: 0,
    group: "training",
    flag: {
      usage: "--validation <n>",
      help: "hold out n training images and choose the best epoch on them",
      reads: "number",
    },
    part: "validation",
    isInCode: true,
  }),
  optimizer: setting({
    ...ofRegistry(optimizerRegistry),
    group: "training",
    flag: {
      usage: "--optimizer <name>",
      help: "adam, adamw, sgd, or a file, such as ./mine.mjs (default: as published for the method, else adam)",
    },
    part: "optimizer",
  }),
  loss: setting({
    ...ofRegistry(lossRegistry),
    default: crossEntropy.name,
    absent: crossEntropy.name,
    group: "training",
    flag: { usage: "--loss <name>", help: "what is minimised: crossEntropy, or a file, such as ./mine.mjs" },
    part: "loss",
  }),
  learningRate: setting({
    schema: positive,
    group: "training",
    flag: {
      usage: "--learning-rate <rate>",
      help: "initial learning rate (default: as published, else 0.001)",
      reads: "number",
    },
    part: "optimizer",
  }),
  momentum: setting({
    schema: fraction,
    default: 0.9,
    group: "training",
    flag: { usage: "--momentum <m>", help: "momentum of sgd", reads: "number" },
    part: "optimizer",
    needs: ofOptimizer("momentum"),
  }),
  weightDecay: setting({
    schema: notNegative,
    group: "training",
    flag: {
      usage: "--weight-decay <w>",
      help: "added to the gradient; adamw takes it off the weights (default: as published, else 0; 0.01 for adamw)",
      reads: "number",
    },
    part: "optimizer",
    needs: ofOptimizer("weightDecay"),
  }),
  nesterov: setting({
    schema: yesOrNo,
    absent: false,
    group: "training",
    flag: { usage: "--nesterov", help: "Nesterov's momentum, for sgd" },
    part: "optimizer",
    needs: ofOptimizer("nesterov"),
  }),
  betas: setting({
    schema: field(
      "two numbers from 0 to below 1, such as [0.9, 0.999]",
      z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]),
    ),
    group: "training",
    flag: {
      usage: "--betas <b1,b2>",
      help: "decay rates of adam's two moments (default: 0.9,0.999)",
      reads: "numbers",
    },
    part: "optimizer",
    isList: true,
    needs: ofOptimizer("betas"),
  }),
  epsilon: setting({
    schema: positive,
    group: "training",
    flag: {
      usage: "--epsilon <e>",
      help: "added to the root of adam's second moment (default: 1e-8)",
      reads: "number",
    },
    part: "optimizer",
    needs: ofOptimizer("epsilon"),
  }),
  schedule: setting({
    schema: oneOf(...scheduleNames),
    absent: "constant",
    group: "training",
    flag: {
      usage: "--schedule <name>",
      help: "how the rate changes: constant, step (--decay-every, --decay-at) or cosine (default: step if one of these is given, else constant)",
    },
    part: "schedule",
  }),
  warmup: setting({
    schema: notNegative,
    absent: 0,
    group: "training",
    flag: {
      usage: "--warmup <epochs>",
      help: "raise the rate linearly for so many epochs first; 0.5 is half an epoch",
      reads: "number",
    },
    part: "schedule",
  }),
  finalRate: setting({
    schema: notNegative,
    group: "training",
    flag: { usage: "--final-rate <rate>", help: "what cosine falls to (default: 0)", reads: "number" },
    part: "schedule",
    needs: { words: "schedule cosine", isMet: ({ schedule }) => schedule === "cosine" },
  }),
  scheduleBy: setting({
    schema: oneOf(...scheduleUnits),
    absent: "step",
    group: "training",
    flag: {
      usage: "--schedule-by <unit>",
      help: "whether cosine and warm-up change the rate every step or every epoch (default: step)",
    },
    part: "schedule",
    needs: {
      words: "schedule cosine or warmup",
      isMet: ({ schedule, warmup = 0 }) => schedule === "cosine" || warmup !== 0,
    },
  }),
  decayAt: setting({
    schema: field(
      "positive integers in ascending order, such as [30, 60, 80]",
      z
        .array(z.number().int().min(1).max(1_000_000))
        .min(1)
        .refine((epochs) => epochs.every((epoch, i) => i === 0 || epochs[i - 1] < epoch)),
    ),
    group: "training",
    flag: {
      usage: "--decay-at <epochs>",
      help: "multiply the rate after these epochs, such as 30,60,80",
      reads: "numbers",
    },
    part: "schedule",
    isList: true,
  }),
  decayEvery: setting({
    schema: whole(0, 1_000_000),
    default: 0,
    group: "training",
    flag: {
      usage: "--decay-every <epochs>",
      help: "multiply the rate after so many epochs, 0 for never",
      reads: "number",
    },
    part: "schedule",
  }),
  decayFactor: setting({
    schema: positive,
    default: 0.1,
    group: "training",
    flag: { usage: "--decay-factor <f>", help: "by this factor", reads: "number" },
    part: "schedule",
    needs: {
      words: "decayEvery or decayAt",
      isMet: ({ decayEvery, decayAt }) => decayEvery !== 0 || decayAt !== undefined,
    },
  }),
  epochs: setting({
    schema: whole(1, 100_000),
    default: 20,
    group: "training",
    flag: { usage: "--epochs <n>", help: "epochs to train in all", reads: "number" },
    part: "epochs",
    isInCode: true,
    resumable: true,
  }),
  batchSize: setting({
    schema: whole(1, 65_536),
    default: 128,
    group: "training",
    flag: {
      usage: "--batch-size <n>",
      help: "images per step (default: 128; 32 on cifar10-sample)",
      reads: "number",
    },
    part: "batchSize",
    isInCode: true,
  }),
  accumulate: setting({
    schema: whole(1, 65_536),
    default: 1,
    absent: 1,
    group: "training",
    flag: {
      usage: "--accumulate <n>",
      help: "run each batch as n small ones, whose gradients are summed before one update: takes less memory",
      reads: "number",
    },
    part: "accumulate",
    isInCode: true,
  }),
  clipNorm: setting({
    schema: positive,
    group: "training",
    flag: {
      usage: "--clip-norm <norm>",
      help: "scale the gradients down where the norm of all together is larger",
      reads: "number",
    },
    part: "clipNorm",
    isInCode: true,
  }),
  lastBatch: setting({
    schema: oneOf(...lastBatches),
    default: "keep",
    absent: "keep",
    group: "training",
    flag: {
      usage: "--last-batch <what>",
      help: "keep, or drop: leave out the images of an epoch that do not fill a batch",
    },
    part: "lastBatch",
    isInCode: true,
  }),
  gradients: setting({
    schema: oneOf(...gradientTypes),
    default: "f32",
    group: "training",
    flag: {
      usage: "--gradients <type>",
      help: "f32, or bf16: round those that quantized layers multiply, faster",
    },
    part: "gradients",
    isInCode: true,
  }),
  seed: setting({
    schema: whole(0, Number.MAX_SAFE_INTEGER),
    default: 1,
    group: "training",
    flag: { usage: "--seed <n>", help: "decides all that is random", reads: "number" },
    part: "seed",
    isInCode: true,
  }),
  initFrom: setting({
    schema: text,
    group: "training",
    flag: {
      usage: "--init-from <run>",
      help: "start from the weights of a run's best epoch, or of a .safetensors file (default: drawn)",
    },
    part: "initialWeights",
  }),
  initSkip: setting({
    schema: patterns,
    group: "training",
    flag: {
      usage: "--init-skip <name>",
      help: "draw the weights of a layer or norm all the same, such as fc3 or conv*; repeatable",
      reads: "list",
    },
    part: "initialWeights",
    isInCode: true,
    isList: true,
  }),
  freeze: setting({
    schema: patterns,
    group: "training",
    flag: {
      usage: "--freeze <name>",
      help: "leave a layer or norm as it is, such as conv1 or bn*: its weights, and its running statistics; repeatable",
      reads: "list",
    },
    part: "freeze",
    isInCode: true,
    isList: true,
  }),
  checkpointEvery: setting({
    schema: notNegative,
    default: 15,
    group: "training",
    flag: {
      usage: "--checkpoint-every <minutes>",
      help: "write a checkpoint in the middle of an epoch, too, after so many minutes without one; 0 for never",
      reads: "number",
    },
    isInCode: true,
    resumable: true,
    isLocal: true,
    isForgotten: true,
  }),
  threads: setting({
    schema: whole(1, mostThreads),
    group: "executor",
    flag: {
      usage: "--threads <n>",
      help: "threads; results do not depend on it (default: all CPUs)",
      reads: "number",
    },
    resumable: true,
    isLocal: true,
    isForgotten: true,
  }),
  executor: setting({
    schema: oneOf(...executorNames),
    group: "executor",
    flag: {
      usage: "--executor <name>",
      help: "native, wasm or reference (default: the fastest that runs here)",
    },
    part: "executor",
    resumable: true,
    isForgotten: true,
  }),
  log: setting({
    schema: field(
      `a list of one or more of ${logKinds.join(", ")}, each once`,
      z
        .array(z.enum(logKinds))
        .min(1)
        .refine((kinds) => new Set(kinds).size === kinds.length),
    ),
    group: "log",
    flag: {
      usage: "--log <kind>",
      help: "tensorboard: keep an event file in the run's folder, too; repeatable",
      reads: "list",
    },
    isInCode: true,
    resumable: true,
    isList: true,
  }),
  out: setting({
    schema: text,
    group: "out",
    flag: {
      usage: "--out <folder>",
      help: "where the run is kept (default: runs/MODEL-METHOD-BITS, numbered)",
    },
    isLocal: true,
    isForgotten: true,
  }),
} as const;

/** A setting's key. */
export type SettingKey = keyof typeof settings;

type SchemaOf<Row> = Row extends { schema: infer Schema extends z.ZodType }
  ? Row extends { default: unknown }
    ? z.ZodDefault<Schema>
    : Row extends { required: true }
      ? Schema
      : z.ZodOptional<Schema>
  : never;
type Shape = { [Key in SettingKey]: SchemaOf<(typeof settings)[Key]> };

/** The table's rows, by key. */
export const rows = Object.entries(settings) as readonly [SettingKey, Setting][];

/** The keys of the settings of which something holds, in the table's order. */
export const keysWhere = (holds: (row: Setting) => boolean): readonly SettingKey[] =>
  rows.filter(([, row]) => holds(row)).map(([key]) => key);

/** Every key of a configuration, with its default where it has one. */
export const runSchema = z.strictObject(
  Object.fromEntries(
    rows.map(([key, { schema, required, ...row }]) => [
      key,
      required ? schema : "default" in row ? schema.default(row.default) : schema.optional(),
    ]),
  ) as unknown as Shape,
);

/** The configuration's keys. */
export const runKeys: readonly string[] = rows.map(([key]) => key);

/** A setting that `train` takes. */
export type CodeKey = {
  [Key in SettingKey]: (typeof settings)[Key] extends { isInCode: true } ? Key : never;
}[SettingKey];
export const codeKeys = keysWhere(({ isInCode }) => isInCode === true) as readonly CodeKey[];

/** Settings without those of which something holds. */
export const without = (
  options: Readonly<Record<string, unknown>>,
  holds: (row: Setting) => boolean,
): Record<string, unknown> => {
  const left = keysWhere(holds) as readonly string[];
  return Object.fromEntries(Object.entries(options).filter(([key]) => !left.includes(key)));
};

/** Whether a setting at a value is part of the identity of the run that is planned with it. What is no setting is. */
export function isIdentifying(key: string, value: unknown): boolean {
  if (value === undefined) return false;
  if (!Object.hasOwn(settings, key)) return true;
  const { part, absent }: Setting = settings[key as SettingKey];
  return part !== undefined && (absent === undefined || !isDeepStrictEqual(value, absent));
}
