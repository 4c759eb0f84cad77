/**
 * The configuration of a run as plain data: what the command line's flags and a configuration file
 * say. One schema validates both; `resolve` makes the objects that `train` takes.
 */
import type { z } from "zod";
import type { Dataset, DataSetEntry, ImagesOptions, LoadListeners } from "../data/index.js";
import { dataRegistry, dataSetNamed, dataSetOf, shippedFor } from "../data/index.js";
import { listed, suggestion, UserError } from "../errors.js";
import { imageNetInput, modelNamed, modelRegistry, models } from "../models/index.js";
import type { Network } from "../nn/index.js";
import type { Optimizer, Schedule } from "../optim/index.js";
import { defaultOptimizer, defaultWeightDecay, optimizerOf, scheduleOf } from "../optim/index.js";
import { describe, fitted } from "../nn/index.js";
import { publishedRow } from "../published/index.js";
import type { Bits, Method } from "../quantization/index.js";
import { createMethod, methods, withLayers } from "../quantization/index.js";
import { bitsKey, withBits } from "./bits.js";
import { recordedCode } from "./code.js";
import type { Loss } from "../optim/losses.js";
import { lossOf } from "../optim/losses.js";
import { isCodeFile } from "./setting.js";
import { checkAccumulate } from "./small-batches.js";
import type { CodeKey } from "./settings.js";
import { codeKeys, runKeys, runSchema, without } from "./settings.js";
import type { TrainOptions } from "./train.js";

type Parsed = z.output<typeof runSchema>;
type OptimizerOptions = Required<Pick<Parsed, "optimizer" | "learningRate" | "weightDecay">>;

/** A configuration with every setting. */
export type RunOptions = Omit<Parsed, keyof OptimizerOptions> & OptimizerOptions;

/**
 * Checks a configuration and fills in its defaults.
 *
 * @param sourceOf where a key's value came from, for messages: "--weight-bits" or "run.json".
 * @throws UserError that names the key, its value, what is allowed and the source.
 */
export function parseRunOptions(
  given: Record<string, unknown>,
  sourceOf: (key: string) => string,
): RunOptions {
  const raw = withBits(given, sourceOf);
  const data = raw.data ?? shippedData(raw.model);
  const result = runSchema.safeParse({ data, ...dataSetNamed(data)?.defaults, ...raw });
  if (result.success) {
    checkDivides(result.data, sourceOf);
    if (result.data.initSkip !== undefined && result.data.initFrom === undefined) {
      throw new UserError(
        `initSkip has no effect without initFrom (from ${sourceOf("initSkip")})`,
        "initSkip",
      );
    }
    return { ...result.data, ...optimizerDefaults(result.data) };
  }
  const { issues } = result.error;
  // A misspelt key is the cause of what seems to be missing. A file that could not be loaded may be reported already.
  const issue =
    issues.find(({ code }) => code === "unrecognized_keys") ??
    issues.find(({ path }) => !isCodeFile(raw[String(path[0])])) ??
    issues[0];
  if (issue.code === "unrecognized_keys") {
    const [key] = issue.keys;
    const allowed = [...runKeys, bitsKey];
    throw new UserError(
      `unknown key "${key}" (from ${sourceOf(key)}); allowed are ${allowed.join(", ")}${suggestion(key, allowed)}`,
      key,
    );
  }
  const key = String(issue.path[0]);
  const source = raw[key] === undefined ? "" : ` (from ${sourceOf(key)})`;
  throw new UserError(`${key} ${issue.message}${source}`, key);
}

/** @throws UserError unless `accumulate` divides the batch. */
function checkDivides({ accumulate, batchSize }: Parsed, sourceOf: (key: string) => string): void {
  try {
    checkAccumulate(accumulate, batchSize);
  } catch (error) {
    throw new UserError(`${(error as Error).message} (from ${sourceOf("accumulate")})`, "accumulate");
  }
}

/** The shipped data set for a network, which is what it trains on where no other is named. */
function shippedData(model: unknown): string {
  const known = modelRegistry.find(model) ?? models.lenet5;
  const { input } = typeof known === "function" ? models.resnet20 : known;
  return shippedFor(input[2]);
}

/** The cell of the published table that a configuration stands in. */
export function publishedCell(
  options: Pick<Parsed, "model" | "depth" | "method" | "data" | "weightBits" | "activationBits">,
) {
  const { depth, method, data } = options;
  const dataset = dataSetOf(data).published?.dataset;
  if (dataset === undefined) return undefined;
  const model = `${options.model}${depth ?? ""}`;
  const { defaults } = methods[method];
  const { weightBits = defaults.weightBits ?? 0, activationBits = defaults.activationBits ?? 0 } = options;
  return publishedRow({ dataset, model, method, weightBits, activationBits });
}

/** A setting that a configuration leaves out is as published for its cell, unless the configuration names another optimizer; else Adam at 0.001. */
function optimizerDefaults(options: Parsed): OptimizerOptions {
  const cell = publishedCell(options);
  const { optimizer = cell?.optimizer ?? defaultOptimizer } = options;
  const known = cell?.optimizer === optimizer ? cell : undefined;
  return {
    optimizer,
    learningRate: options.learningRate ?? known?.learningRate ?? 0.001,
    weightDecay: options.weightDecay ?? known?.weightDecay ?? defaultWeightDecay(optimizer),
  };
}

/** The network named, for images of the size and channels asked for. */
function modelFor({ model: name, depth, preset, data, imageSize, channels }: RunOptions): Network {
  const model = modelNamed(name, depth, preset);
  const { isFitted, published } = dataSetOf(data);
  if (isFitted !== true) return model;
  const isImageNet = published?.dataset === "ImageNet";
  const [height, width, colours] = isImageNet ? imageNetInput(model, preset) : model.input;
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

/** Refuses bits of unknown layers, and bits that the method does not apply to a layer. */
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

/** A list of names, shortened: a deep network has too many for one line. */
function inShort(names: readonly string[]): string {
  const most = 8;
  if (names.length <= most) return names.join(", ");
  return `${names.slice(0, 3).join(", ")}, ..., ${names.at(-1)}: ${names.length}, which fewbit summary lists`;
}

/** The optimizer, the schedule and the loss of a configuration. */
export function resolveOptimizer(options: RunOptions): {
  optimizer: Optimizer;
  schedule: Schedule;
  loss: Loss;
} {
  const { optimizer, loss } = options;
  return {
    optimizer: optimizerOf(optimizer, options),
    schedule: scheduleOf(options),
    loss: lossOf(loss),
  };
}

/** The data sets with a given property, such as "mnist, fashion-mnist, kmnist, cifar10 or images". */
function namesOf(...places: readonly DataSetEntry["files"][]): string {
  const names = dataRegistry.names.filter((name) => places.includes(dataSetOf(name).files));
  return listed(names, "or");
}

type ResolveDataOptions = LoadListeners & Pick<ImagesOptions, "preparation" | "trainedOn" | "rules">;

/**
 * Loads a configuration's data set for a network; images get the shape of its input.
 *
 * @param preparation that of a trained network, to score it: see `ImagesOptions`.
 * @param trainedOn what such a network was trained on.
 * @param rules those of a run that goes on.
 * @throws UserError for missing or damaged files.
 */
export async function resolveData(
  {
    data,
    dataDir,
    mirrors,
    augment,
    imageMemory,
    imageThreads,
    skipDamaged,
    preset,
    classes,
    colorJitter,
  }: RunOptions,
  { input }: Pick<Network, "input">,
  { preparation, trainedOn, rules, onProgress, onWarning }: ResolveDataOptions = {},
): Promise<Dataset> {
  const { title, files, folder, load } = dataSetOf(data);
  if ((files === "shipped" || files === "code") && dataDir !== undefined) {
    const others = namesOf("downloaded", "folder");
    throw new UserError(`dataDir "${dataDir}" goes with data ${others}, and not with ${title}`, "dataDir");
  }
  if (files === "folder" && dataDir === undefined) {
    throw new UserError(`dataDir is needed for data ${data}: ${folder}`, "dataDir");
  }
  if (mirrors !== undefined && (files !== "downloaded" || dataDir !== undefined)) {
    throw new UserError(
      `mirrors has an effect only with data ${namesOf("downloaded")}, and without dataDir`,
      "mirrors",
    );
  }
  const listeners = { onProgress, onWarning };
  const memory = imageMemory === undefined ? undefined : imageMemory * 2 ** 20;
  const place = {
    directory: dataDir,
    mirrors,
    shape: input,
    memory,
    imageThreads,
    skipDamaged,
    preset,
    classes,
  };
  const loaded = await load({ ...place, preparation, trainedOn, rules, ...listeners });
  if (!augment) return { ...loaded, augmentation: undefined };
  return colorJitter === undefined
    ? loaded
    : { ...loaded, augmentation: { ...loaded.augmentation, colorJitter } };
}

/** A name for a run's directory: lenet5-dorefa-w1a2, lenet5-twn-w2a32-redbit. Names chosen by the user may have any characters. */
export function runName(model: Network, method: Method): string {
  const bitsText = method.name === "baseline" ? "" : `-w${method.weightBits}a${method.activationBits}`;
  const preset = [method.options.preset, model.preset].includes("redbit") ? "-redbit" : "";
  return plainName(`${model.name}-${method.name}${bitsText}${preset}`);
}

/** A name in which characters that do not suit a folder's name are replaced. */
export const plainName = (name: string): string => name.replace(/[^\w.-]+/g, "-");

/** What `train` takes from a configuration, whoever runs it: the command line or a study. */
type TrainSettings = Pick<
  TrainOptions,
  "optimizer" | "schedule" | "loss" | "initialWeights" | "executor" | "options" | "code" | CodeKey
>;

/** The options of `train` without network, method and data, and without where and how the run is kept. @throws UserError for the optimizer's settings. */
export function settingsOf(options: RunOptions): TrainSettings {
  const taken = Object.fromEntries(codeKeys.map((key) => [key, options[key]])) as Pick<RunOptions, CodeKey>;
  return {
    ...taken,
    ...resolveOptimizer(options),
    initialWeights: options.initFrom,
    executor: options.executor,
    code: recordedCode(options),
    options: without(options, ({ isForgotten }) => isForgotten === true),
  };
}

/** The network for the images of a data set. Where they do not fit, the message names the data, which can be changed. @throws UserError */
export function fittedTo({ shape, classes }: Dataset, model: Network): Network {
  try {
    return fitted(model, { input: shape, classes });
  } catch (error) {
    throw error instanceof UserError ? new UserError(error.message, "data") : error;
  }
}
