/** Flags that several commands share, how they become a configuration, and where each value came from. */
import type { Command } from "commander";
import { Option } from "commander";
import { quoted, UserError } from "../errors.js";
import type { RunOptions } from "../training/config.js";
import { parseRunOptions, runKeys } from "../training/config.js";
import type { RunConfig } from "../training/index.js";
import type { RunCode } from "./code.js";
import { codeFor } from "./code.js";
import { readJson } from "./json-file.js";
import { loadMethod } from "./method-file.js";

/** A text that is no number stays as it is, for the schema to refuse. */
export function number(text: string): number | string {
  const value = Number(text);
  return text.trim() === "" || Number.isNaN(value) ? text : value;
}

/** Of the network and its quantization. */
export function networkFlags(command: Command): Command {
  return command
    .option("--depth <layers>", "layers of model resnet: 6n + 2, as 20, 32 or 56", number)
    .option(
      "--method <name>",
      "quantization method: baseline, qnn, dorefa, xnor, twn, ttq, or a file, as ./pact.mjs (default: baseline); see fewbit methods",
    )
    .option("--weight-bits <bits>", "bits of weights: 1 to 8, or 32", number)
    .option("--activation-bits <bits>", "bits of activations: 1 to 8, or 32", number)
    .option("--gradient-bits <bits>", "bits of gradients in DoReFa-Net: 1 to 8, or 32 (default: 32)", number)
    .option(
      "--preset <name>",
      "paper, as the authors define the method, or redbit, as the published table has it (default: paper)",
    )
    .option(
      "--layer <name.key=bits>",
      "other bits for a layer, as fc2.weightBits=8; repeatable",
      collectLayer,
    )
    .option("--relu-after-convolution", "XNOR-Net: ReLU after quantized layers too (default in redbit)")
    .option("--input-scale", "XNOR-Net: scale outputs by the mean input, K in the paper");
}

/** "fc2.weightBits=8" added to the bits by layer. */
function collectLayer(text: string, layers: Record<string, Record<string, unknown>> = {}) {
  const match = /^(.+)\.(weightBits|activationBits)=(.+)$/.exec(text);
  if (match === null) {
    throw new UserError(
      `--layer must be NAME.weightBits=BITS or NAME.activationBits=BITS, as fc2.weightBits=8, got "${text}"`,
      "layers",
    );
  }
  const [, layer, key, bits] = match;
  return { ...layers, [layer]: { ...layers[layer], [key]: number(bits) } };
}

export function dataFlags(command: Command): Command {
  return command
    .option(
      "--data <name>",
      "digits or cifar10-sample (shipped), mnist, cifar10, or images (default: the shipped one that fits)",
    )
    .option(
      "--data-dir <folder>",
      "MNIST's four IDX files, CIFAR-10's six batches or their archive (default: downloaded), or folders of images: train/CLASS and test/CLASS, or CLASS",
    );
}

export function imageFlags(command: Command): Command {
  return command
    .option("--image-size <pixels>", "side of the square that images become (default: the network's)", number)
    .option("--channels <n>", "1 for grey images, 3 for colour (default: the network's)", number);
}

export function mirrorFlag(command: Command): Command {
  const collect = (url: string, urls: readonly string[] = []) => [...urls, url];
  return command.option(
    "--mirror <url>",
    "folder to download the data from; may be repeated (default: public ones)",
    collect,
  );
}

export function executorFlags(command: Command): Command {
  return command
    .option("--executor <name>", "native, wasm or reference (default: the fastest that runs here)")
    .option("--threads <n>", "threads; results do not depend on it (default: all CPUs)", number);
}

export function trainingFlags(command: Command): Command {
  return command
    .option("--no-augment", "train on images as they are, without rotation and crops")
    .option("--validation <n>", "hold out n training images and choose the best epoch on them", number)
    .option("--optimizer <name>", "adam or sgd (default: as published for the method, else adam)")
    .option("--learning-rate <rate>", "initial learning rate (default: as published, else 0.001)", number)
    .option("--momentum <m>", "momentum of sgd (default: 0.9)", number)
    .option("--weight-decay <w>", "added to the gradient (default: as published, else 0)", number)
    .option(
      "--decay-every <epochs>",
      "multiply the rate after so many epochs, 0 for never (default: 0)",
      number,
    )
    .option("--decay-factor <f>", "by this factor (default: 0.1)", number)
    .option("--epochs <n>", "epochs to train in all (default: 20)", number)
    .option("--batch-size <n>", "images a step (default: 128; 32 on cifar10-sample)", number)
    .option(
      "--gradients <type>",
      "f32, or bf16: round those that quantized layers multiply, faster (default: f32)",
    )
    .option("--seed <n>", "decides all that is random (default: 1)", number);
}

/** Of the commands that take a stored run. */
export function codeFlags(command: Command): Command {
  return command.option(
    "--allow-changed-code",
    "load --method FILE though it is not the file that the run was trained with",
  );
}

/** Of those that have no other --method. */
export function storedMethodFlags(command: Command): Command {
  return codeFlags(
    command.option("--method <file>", "the file with the run's method, which is code, if it is in one"),
  );
}

export function outputFlags(command: Command): Command {
  return command
    .option("--quiet", "print the result only")
    .addOption(new Option("--json", "print one JSON object as the last line, and no decoration"));
}

export function logFlag(command: Command): Command {
  const collect = (kind: string, kinds: readonly string[] = []) => [...kinds, kind];
  return command.option(
    "--log <kind>",
    "tensorboard: keep an event file in the run's folder, too; repeatable",
    collect,
  );
}

/** Of the commands that run studies. */
export function studyFlags(command: Command): Command {
  command
    .option("--out <folder>", "holds a folder for each run (default: runs/NAME)")
    .option("--data-dir <folder>", "where the data set's files are (default: downloaded)")
    .option("--jobs <n>", "runs side by side, which share the threads (default: 1)", number)
    .option("--threads <n>", "of all runs together; results do not depend on it (default: all CPUs)", number)
    .option(
      "--queue <url>",
      "let workers train them (fewbit worker) and follow: the Redis or Valkey server, as redis://HOST:6379",
    )
    .option("--dry-run", "list the runs, what is done of them and how long the rest takes, and stop");
  return outputFlags(command);
}

/** "weightBits" is set by "--weight-bits". */
export function flagOf(key: string): string {
  if (key === "augment") return "--no-augment";
  if (key === "layers") return "--layer";
  if (key === "mirrors") return "--mirror";
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** A configuration given in part: its values and where each came from. */
export interface Given {
  readonly values: Readonly<Record<string, unknown>>;
  /** Whether --allow-changed-code was given. */
  readonly allowChangedCode?: boolean;
  /** The file of a stored run's method, which the command names. */
  readonly code?: RunCode;
  sourceOf(key: string): string;
}

/** The values of flags that were given, over those of `--config FILE`. */
export function given(command: Command, model?: string): Given {
  const flags: Record<string, unknown> = model === undefined ? {} : { model };
  for (const [option, value] of Object.entries(command.opts<Record<string, unknown>>())) {
    const key = option === "mirror" ? "mirrors" : option === "layer" ? "layers" : option;
    if (runKeys.includes(key) && command.getOptionValueSource(option) === "cli") flags[key] = value;
  }
  const { config, allowChangedCode } = command.opts<{ config?: string; allowChangedCode?: boolean }>();
  const file = config === undefined ? {} : readConfigFile(config);
  return {
    values: { ...file, ...flags, ...mergedLayers(file.layers, flags.layers) },
    allowChangedCode,
    sourceOf: (key) =>
      Object.hasOwn(flags, key) ? (key === "model" ? "the command line" : flagOf(key)) : `${config}`,
  };
}

/** --layer adds to the layers of a file, bit by bit. */
function mergedLayers(file: unknown, flags: unknown): { layers?: unknown } {
  if (!isObject(file) || !isObject(flags)) return {};
  const layers = Object.entries(flags).map(([name, bits]) => {
    const before = file[name];
    return [name, isObject(before) && isObject(bits) ? { ...before, ...bits } : bits];
  });
  return { layers: { ...file, ...Object.fromEntries(layers) } };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * A stored run's settings, with flags over them. A run's folder does not say where data is downloaded from, where
 * anything is kept, nor what the machine has.
 *
 * @throws UserError if its method is in a file that the flags do not name.
 */
export function overStored(config: RunConfig, folder: string, flags: Given): Given {
  const {
    out: _out,
    mirrors: _mirrors,
    threads: _threads,
    executor: _executor,
    ...stored
  } = config.options ?? {};
  const code = codeFor(folder, config, flags);
  if (!Object.hasOwn(flags.values, "dataDir")) refuseShare(stored.dataDir, folder);
  return {
    values: { ...stored, ...flags.values, method: stored.method },
    sourceOf: (key) => (Object.hasOwn(flags.values, key) ? flags.sourceOf(key) : `${folder}/config.json`),
    code,
  };
}

/**
 * On Windows a path may name another machine, which is contacted, and told who asks, when the path is opened.
 *
 * @throws UserError if a run's folder names such a folder of data.
 */
export function refuseShare(dataDir: unknown, folder: string, platform = process.platform): void {
  if (platform !== "win32" || typeof dataDir !== "string" || !/^[\\/]{2}/.test(dataDir)) return;
  throw new UserError(
    `the data of ${folder} is on another machine, in ${dataDir}, which is asked only if you name it: add --data-dir ${quoted(dataDir)}`,
    "dataDir",
  );
}

/** Runs a check and adds to its error the flag or file that set the value at fault. */
export function withSource<T>(from: Given, check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw named(from, error);
  }
}

/** The same for a check that takes time. */
export async function withSourceAsync<T>(from: Given, check: () => Promise<T>): Promise<T> {
  try {
    return await check();
  } catch (error) {
    throw named(from, error);
  }
}

/** What the library's fields that are no keys of a configuration are called here. */
const keyOfField: Readonly<Record<string, string>> = { directory: "out", dataDirectory: "dataDir" };

function named(from: Given, error: unknown): unknown {
  if (!(error instanceof UserError) || error.field === undefined || error.message.includes("(from ")) {
    return error;
  }
  const key = keyOfField[error.field] ?? error.field;
  if (!runKeys.includes(key)) return error;
  const source = from.values[key] === undefined ? `set it with ${flagOf(key)}` : `from ${from.sourceOf(key)}`;
  return new UserError(`${error.message} (${source})`, key);
}

/** Checks a configuration, for which a method in a file is loaded. */
export async function parse(from: Given): Promise<RunOptions> {
  await withSourceAsync(from, () => loadMethod(from.values.method, from.code));
  const known = Object.keys(from.values).every((key) => runKeys.includes(key));
  if (known && from.values.model === undefined) {
    throw new UserError("model is missing; name one, as in `fewbit train lenet5`", "model");
  }
  return parseRunOptions({ ...from.values }, (key) => from.sourceOf(key));
}

function readConfigFile(path: string): Record<string, unknown> {
  const value = readJson(path, { flag: "--config" });
  if (isObject(value)) return value;
  throw new UserError(`${path} must hold one JSON object, as {"model": "lenet5"} (from --config)`);
}
