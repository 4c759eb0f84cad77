/**
 * The configuration of a run as plain data: what the command line's flags and a configuration file
 * say. One schema validates both; `resolve` makes the objects that `train` takes.
 */
import { z } from "zod";
import type { Dataset, ImagesOptions, LoadListeners } from "../data/index.js";
import { datasets, isMirror } from "../data/index.js";
import { shown, suggestion, UserError } from "../errors.js";
import type { Rule } from "../errors/options.js";
import { checkedBy } from "../errors/options.js";
import { mostThreads } from "../machine.js";
import { depths, isDepth, modelNamed, modelNames, models } from "../models/index.js";
import type { Network } from "../nn/index.js";
import type { Optimizer, Schedule } from "../optim/index.js";
import { adam, constant, sgd, stepDecay } from "../optim/index.js";
import { describe, fitted, gradientTypes } from "../nn/index.js";
import type { PublishedRow } from "../published/index.js";
import { publishedRow } from "../published/index.js";
import type { Bits, Method } from "../quantization/index.js";
import { createMethod, methods, withLayers } from "../quantization/index.js";
import { executorNames } from "../runtime/executor.js";

/** A rule whose message reads "FIELD must be ALLOWED, got VALUE", and which of `names` was likely meant. */
function field<T>(
  allowed: string,
  schema: z.ZodType<T>,
  test: (value: T) => boolean = () => true,
  names: readonly string[] = [],
) {
  return z.any().transform((value, context): T => {
    const result = schema.safeParse(value);
    if (result.success && test(result.data)) return result.data;
    const message = `must be ${allowed}, got ${shown(value)}${suggestion(value, names)}`;
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  });
}

const whole = (low: number, high: number) =>
  field(`an integer from ${low} to ${high}`, z.number().int(), (x) => x >= low && x <= high);
const bits = field("an integer from 1 to 8 or 32", z.number().int(), (x) => (x >= 1 && x <= 8) || x === 32);
const positive = field("a positive number", z.number(), (x) => x > 0 && Number.isFinite(x));
const notNegative = field("a number that is not negative", z.number(), (x) => x >= 0 && Number.isFinite(x));
const fraction = field("a number from 0 to below 1", z.number(), (x) => x >= 0 && x < 1);
const text = field("a text that is not empty", z.string(), (x) => x !== "" && !x.includes("\0"));
const oneOf = <T extends string>(...names: readonly T[]) =>
  field(`one of ${names.join(", ")}`, z.enum(names) as unknown as z.ZodType<T>, undefined, names);

/** What a run can be written as beside its own files. */
export const logKinds = ["tensorboard"] as const;
/** A form that a run is written in beside its own files. */
export type LogKind = (typeof logKinds)[number];

/** Those that ship; a file's is known once it is loaded. */
const builtIn = Object.keys(methods);

const flag = field("true or false", z.boolean());
const layerBits = field(
  'bits by layer, as {"fc2": {"weightBits": 8}}',
  z
    .unknown()
    .refine((value) => !Object.hasOwn(Object(value) as object, "__proto__")) // which a record leaves out
    .pipe(
      z.record(
        z.string(),
        z.strictObject({
          weightBits: z.number().int().optional(),
          activationBits: z.number().int().optional(),
        }),
      ),
    ),
);

/** Every key of a configuration, with its default where it has one. */
export const runSchema = z.strictObject({
  model: oneOf(...modelNames),
  depth: field(depths, z.number(), isDepth).optional(),
  method: field(
    `one of ${builtIn.join(", ")}`,
    z.string(),
    (name) => Object.hasOwn(methods, name),
    builtIn,
  ).default("baseline"),
  weightBits: bits.optional(),
  activationBits: bits.optional(),
  gradientBits: bits.optional(),
  preset: text.default("paper"),
  reluAfterConvolution: flag.optional(),
  inputScale: flag.optional(),
  layers: layerBits.default({}),
  data: oneOf("digits", "mnist", "cifar10-sample", "cifar10", "images").default("digits"),
  dataDir: text.optional(),
  mirrors: field(
    "http or https URLs of folders, at least one",
    z.array(z.string()),
    (urls) => urls.length > 0 && urls.every(isMirror),
  ).optional(),
  imageSize: whole(1, 4096).optional(),
  channels: field("1 (grey) or 3 (colour)", z.number(), (x) => x === 1 || x === 3).optional(),
  augment: flag.default(true),
  validation: whole(0, 1_000_000).default(0),
  optimizer: oneOf("adam", "sgd").optional(),
  learningRate: positive.optional(),
  momentum: fraction.default(0.9),
  weightDecay: notNegative.optional(),
  decayEvery: whole(0, 1_000_000).default(0),
  decayFactor: positive.default(0.1),
  epochs: whole(1, 100_000).default(20),
  batchSize: whole(1, 65_536).default(128),
  gradients: oneOf(...gradientTypes).default("f32"),
  seed: whole(0, Number.MAX_SAFE_INTEGER).default(1),
  threads: whole(1, mostThreads).optional(),
  executor: oneOf(...executorNames).optional(),
  log: field(
    `a list of one or more of ${logKinds.join(", ")}, each once`,
    z.array(z.enum(logKinds)),
    (kinds) => kinds.length > 0 && new Set(kinds).size === kinds.length,
  ).optional(),
  out: text.optional(),
});

type Parsed = z.output<typeof runSchema>;
type OptimizerOptions = Required<Pick<Parsed, "optimizer" | "learningRate" | "weightDecay">>;

/** A configuration with every setting. */
export type RunOptions = Omit<Parsed, keyof OptimizerOptions> & OptimizerOptions;

/** Keys that have an effect with data images alone. */
export const imageKeys = ["imageSize", "channels"] as const;

/** The configuration's keys. */
export const runKeys: readonly string[] = Object.keys(runSchema.shape);

/**
 * Checks a configuration and fills in its defaults.
 *
 * @param sourceOf where a key's value came from, for messages: "--weight-bits" or "run.json".
 * @throws UserError that names the key, its value, what is allowed and the source.
 */
export function parseRunOptions(raw: Record<string, unknown>, sourceOf: (key: string) => string): RunOptions {
  const data = raw.data ?? shippedData(raw.model);
  const result = runSchema.safeParse({ data, ...(data === "cifar10-sample" ? ofSample : {}), ...raw });
  if (result.success) return { ...result.data, ...optimizerDefaults(result.data) };
  const { issues } = result.error;
  // A misspelt key is the cause of what seems to be missing.
  const issue = issues.find(({ code }) => code === "unrecognized_keys") ?? issues[0];
  if (issue.code === "unrecognized_keys") {
    const [key] = issue.keys;
    throw new UserError(
      `unknown key "${key}" (from ${sourceOf(key)}); allowed are ${runKeys.join(", ")}${suggestion(key, runKeys)}`,
      key,
    );
  }
  const key = String(issue.path[0]);
  const source = raw[key] === undefined ? "" : ` (from ${sourceOf(key)})`;
  throw new UserError(`${key} ${issue.message}${source}`, key);
}

/** What else the 1,600 images of the sample have by default: 50 steps an epoch. */
const ofSample = { batchSize: 32 };

/** The shipped data set for a network, which is what it trains on where no other is named. */
function shippedData(model: unknown): Parsed["data"] {
  const known = Object.entries(models).find(([name]) => name === model)?.[1] ?? models.lenet5;
  const { input } = typeof known === "function" ? models.resnet20 : known;
  return input[2] === 1 ? "digits" : "cifar10-sample";
}

/** The rule of a key that `train` takes too, for the options of code. */
export function runRule(key: "epochs" | "batchSize" | "seed" | "validation" | "log"): Rule {
  const schema = runSchema.shape[key].unwrap(); // without its default
  return checkedBy((value) => {
    const result = schema.safeParse(value);
    if (!result.success) throw new UserError(`${key} ${result.error.issues[0].message}`, key);
  });
}

/**
 * The data sets of the published table, with the shipped digits, which its rates suit. CIFAR-10's sample they do not
 * suit: a published rate of 0.01 blows up in the 13 steps that its 1,600 images have where the whole has 390.
 */
export const publishedData: Readonly<Partial<Record<string, PublishedRow["dataset"]>>> = {
  digits: "MNIST",
  mnist: "MNIST",
  cifar10: "CIFAR-10",
};

/** The cell of the published table that a configuration stands in. */
export function publishedCell(
  options: Pick<Parsed, "model" | "depth" | "method" | "data" | "weightBits" | "activationBits">,
) {
  const { depth, method, data } = options;
  const dataset = publishedData[data];
  if (dataset === undefined) return undefined;
  const model = `${options.model}${depth ?? ""}`;
  const { defaults } = methods[method];
  const { weightBits = defaults.weightBits ?? 0, activationBits = defaults.activationBits ?? 0 } = options;
  return publishedRow({ dataset, model, method, weightBits, activationBits });
}

/** What a configuration leaves open is as published for its cell, unless it names another optimizer; else Adam at 0.001. */
function optimizerDefaults(options: Parsed): OptimizerOptions {
  const cell = publishedCell(options);
  const { optimizer = cell?.optimizer ?? "adam" } = options;
  const known = cell?.optimizer === optimizer ? cell : undefined;
  return {
    optimizer,
    learningRate: options.learningRate ?? known?.learningRate ?? 0.001,
    weightDecay: options.weightDecay ?? known?.weightDecay ?? 0,
  };
}

/** The network named, for images of the size and channels asked for. */
function modelFor({ model: name, depth, data, imageSize, channels }: RunOptions): Network {
  const model = modelNamed(name, depth);
  if (data !== "images") return model;
  const [height, width, colours] = model.input;
  const input = [imageSize ?? height, imageSize ?? width, channels ?? colours] as const;
  return fitted(model, { input, classes: model.classes });
}

/** The network and the method of a configuration. @throws UserError for unknown names, layers and bits not allowed. */
export function resolveNetwork(options: RunOptions): { model: Network; method: Method } {
  const { method: name, weightBits, activationBits, layers } = options;
  const { gradientBits, preset, reluAfterConvolution, inputScale } = options;
  const create = (bits: Partial<Bits>): Method =>
    createMethod(name, { ...bits, gradientBits, preset, reluAfterConvolution, inputScale });
  const model = modelFor(options);
  const method = withLayers(create({ weightBits, activationBits }), layers, create);
  checkLayers(layers, model, method);
  return { model, method };
}

/** Refuses bits of layers that there are not, and bits that the method does not apply there. */
function checkLayers(asked: RunOptions["layers"], model: Network, method: Method): void {
  const layers = describe(model, method).layers;
  const refuse = (text: string) => new UserError(`layers ${text}`, "layers");
  for (const [name, bits] of Object.entries(asked)) {
    const layer = layers.find((built) => built.name === name);
    if (layer === undefined) {
      const known = layers.map((built) => built.name);
      const nearest = suggestion(name, known);
      throw refuse(`has "${name}", but the layers of ${model.name} are ${inShort(known)}${nearest}`);
    }
    for (const key of ["weightBits", "activationBits"] as const) {
      if (bits[key] === undefined || bits[key] === layer[key]) continue;
      const what = key === "weightBits" ? "weights" : "input";
      throw refuse(
        `has ${name}.${key} ${bits[key]}, but ${method.name} does not quantize the ${what} of ${name}`,
      );
    }
  }
}

/** Names, of which a deep network has too many for a line. */
function inShort(names: readonly string[]): string {
  const most = 8;
  if (names.length <= most) return names.join(", ");
  return `${names.slice(0, 3).join(", ")}, ..., ${names.at(-1)}: ${names.length}, which fewbit summary lists`;
}

/** The optimizer and the schedule of a configuration. */
export function resolveOptimizer(options: RunOptions): { optimizer: Optimizer; schedule: Schedule } {
  const { learningRate, momentum, weightDecay, decayEvery, decayFactor } = options;
  return {
    optimizer:
      options.optimizer === "adam"
        ? adam({ learningRate, weightDecay })
        : sgd({ learningRate, momentum, weightDecay }),
    schedule: decayEvery === 0 ? constant() : stepDecay({ every: decayEvery, factor: decayFactor }),
  };
}

type ResolveDataOptions = LoadListeners & Pick<ImagesOptions, "preparation" | "trainedOn" | "rules">;

/**
 * Loads a configuration's data set for a network, whose input's shape images get.
 *
 * @param preparation that of a trained network, to score it: see `ImagesOptions`.
 * @param trainedOn what such a network was trained on.
 * @param rules those of a run that goes on.
 * @throws UserError for missing or damaged files.
 */
export async function resolveData(
  { data, dataDir, mirrors, augment }: RunOptions,
  { input }: Pick<Network, "input">,
  { preparation, trainedOn, rules, onProgress, onWarning }: ResolveDataOptions = {},
): Promise<Dataset> {
  const listeners = { onProgress, onWarning };
  if ((data === "digits" || data === "cifar10-sample") && dataDir !== undefined) {
    const shipped = data === "digits" ? "digits need" : "sample of CIFAR-10 needs";
    throw new UserError(
      `dataDir "${dataDir}" goes with data mnist, cifar10 or images; the shipped ${shipped} none`,
      "dataDir",
    );
  }
  if (data === "images" && dataDir === undefined) {
    throw new UserError(
      "dataDir is needed for data images: a folder with a folder of images for each class",
      "dataDir",
    );
  }
  if (mirrors !== undefined && (!["mnist", "cifar10"].includes(data) || dataDir !== undefined)) {
    throw new UserError(
      "mirrors has an effect only with data mnist or cifar10, and without dataDir",
      "mirrors",
    );
  }
  const load = {
    digits: () => datasets.digits(),
    mnist: () => datasets.mnist({ directory: dataDir, mirrors, ...listeners }),
    "cifar10-sample": () => datasets.cifar10Sample(),
    cifar10: () => datasets.cifar10({ directory: dataDir, mirrors, ...listeners }),
    images: () =>
      datasets.images({
        directory: dataDir ?? "",
        shape: input,
        preparation,
        trainedOn,
        rules,
        ...listeners,
      }),
  } as const;
  const loaded = await load[data]();
  return augment ? loaded : { ...loaded, augmentation: undefined };
}

/** A name for a run's directory: lenet5-dorefa-w1a2, lenet5-twn-w2a32-redbit. */
export function runName(model: Network, method: Method): string {
  const bitsText = method.name === "baseline" ? "" : `-w${method.weightBits}a${method.activationBits}`;
  const preset = method.options.preset === "redbit" ? "-redbit" : "";
  return `${model.name}-${method.name}${bitsText}${preset}`;
}
