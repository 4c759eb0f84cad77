/** Flags that several commands share, how they become a configuration, and where each value came from. */
import type { Command } from "commander";
import { Option } from "commander";
import { quoted, UserError } from "../errors.js";
import { isObject } from "../errors/options.js";
import type { RunOptions } from "../training/config.js";
import { bitsKey, withBits } from "../training/bits.js";
import { parseRunOptions } from "../training/config.js";
import type { RunConfig } from "../training/index.js";
import { codeSettings, titleOf, withoutIdleCode } from "../training/code.js";
import type { Flag, FlagGroup, Setting } from "../training/setting.js";
import type { SettingKey } from "../training/settings.js";
import { keysWhere, rows, runKeys, settings, without } from "../training/settings.js";
import { codeFor, loadCodeOf } from "./code.js";
import type { Given } from "./given.js";
import { readJson } from "./json-file.js";

/** The number that a text stands for. Any other text is kept, for the schema to refuse. */
export function number(text: string): number | string {
  const value = Number(text);
  return text.trim() === "" || Number.isNaN(value) ? text : value;
}

/** Adds the flags of settings, group by group. */
export function settingFlags(command: Command, ...groups: readonly FlagGroup[]): Command {
  for (const group of groups) {
    flagsOf(command, ...keysWhere((row) => row.group === group));
    if (group === "network") command.addOption(optionOf(bitsFlag));
  }
  return command;
}

/** Adds the flags of single settings. */
export function flagsOf(command: Command, ...keys: readonly SettingKey[]): Command {
  for (const key of keys) {
    const row: Setting = settings[key];
    if (row.flag !== undefined) command.addOption(optionOf(row.flag, row.default));
  }
  return command;
}

const bitsFlag: Flag = {
  usage: "--bits <pair>",
  help: "bits of weights and of activations, such as 1/2 or w1a2",
};

function optionOf({ usage, help, reads }: Flag, otherwise?: unknown): Option {
  const says = !/\(default/.test(help) && ["string", "number"].includes(typeof otherwise);
  const option = new Option(usage, says ? `${help} (default: ${String(otherwise)})` : help);
  const parsers = {
    number: (text: string) => number(text),
    numbers: (text: string) => text.split(",").map(number),
    list: (text: string, before: readonly string[] = []) => [...before, text],
    layer: collectLayer,
    classes: (text: string) => (text.includes(",") ? text.split(",") : number(text)),
  };
  return reads === undefined
    ? option
    : option.argParser<unknown>(parsers[reads] as (text: string) => unknown);
}

/** "fc2.weightBits=8" added to the bits by layer. */
function collectLayer(text: string, layers: Record<string, Record<string, unknown>> = {}) {
  const match = /^(.+)\.(weightBits|activationBits)=(.+)$/.exec(text);
  if (match === null) {
    throw new UserError(
      `--layer must be NAME.weightBits=BITS or NAME.activationBits=BITS, such as fc2.weightBits=8, got "${text}"`,
      "layers",
    );
  }
  const [, layer, key, bits] = match;
  return { ...layers, [layer]: { ...layers[layer], [key]: number(bits) } };
}

/** Refuses --model where the network is an argument, which `eval` and `predict` do not have, and says what to give. */
export function refuseModelFlag(command: Command): Command {
  const option = new Option("--model <name>").hideHelp().argParser((name: string) => {
    throw new UserError(
      `fewbit ${command.name()} takes the network as an argument: give ${quoted(name)} in place of --model ${quoted(name)}`,
    );
  });
  return command.addOption(option);
}

/** Adds the flag of the commands that take a stored run. */
export function codeFlags(command: Command): Command {
  return command.option(
    "--allow-changed-code",
    "load a file of code that you name though it is not the one that the run was trained with",
  );
}

/** Adds the flags that name the code of a stored run, for commands without the settings themselves. */
export function storedCodeFlags(command: Command, ...keys: readonly SettingKey[]): Command {
  for (const key of keys) {
    const help = `the file with the run's ${titleOf(key)}, which is code, if it is in one`;
    command.option(`--${key} <file>`, help);
  }
  return codeFlags(command);
}

export function outputFlags(command: Command): Command {
  return command
    .option("--quiet", "print the result only")
    .addOption(new Option("--json", "print one JSON object as the last line, and no decoration"));
}

/** Adds the flags of the commands that run studies. */
export function studyFlags(command: Command): Command {
  command
    .option("--out <folder>", "holds a folder for each run (default: runs/NAME)")
    .option("--data-dir <folder>", "where the data set's files are (default: downloaded)")
    .option("--jobs <n>", "runs side by side, which share the threads (default: 1)", number)
    .option("--threads <n>", "of all runs together; results do not depend on it (default: all CPUs)", number)
    .option(
      "--queue <url>",
      "let workers train them (fewbit worker) and follow: the Redis or Valkey server, such as redis://HOST:6379",
    )
    .option(
      "--dry-run",
      "list the runs, what is done of them, and the time, memory and disk that the rest takes here, and stop",
    );
  return outputFlags(command);
}

const options = new Map(
  rows.flatMap(([key, { flag }]) =>
    flag === undefined ? [] : [[key as string, new Option(flag.usage)] as const],
  ),
)
  .set(bitsKey, new Option(bitsFlag.usage))
  .set("model", new Option("--model <file>")); // elsewhere the network is an argument

/** The flag of a setting: "weightBits" is set by "--weight-bits". */
const flagOf = (key: string): string => options.get(key)?.long ?? `--${key}`;

/** The setting of an option, by commander's name of it; undefined if it is another option. */
const keyOf = (attribute: string): string | undefined =>
  [...options].find(([, option]) => option.attributeName() === attribute)?.[0];

/** The values of flags that were given, over those of `--config FILE`. */
export function given(command: Command, model?: string): Given {
  const typed: Record<string, unknown> = model === undefined ? {} : { model };
  for (const [option, value] of Object.entries(command.opts<Record<string, unknown>>())) {
    const key = keyOf(option);
    if (key !== undefined && command.getOptionValueSource(option) === "cli") typed[key] = value;
  }
  const flags = withBits(typed, flagOf);
  const { config, allowChangedCode } = command.opts<{ config?: string; allowChangedCode?: boolean }>();
  const file = config === undefined ? {} : withBits(readConfigFile(config), () => config);
  const flagNamed = (key: string): string =>
    key === "model" && model !== undefined
      ? "the command line"
      : flagOf(Object.hasOwn(typed, key) ? key : bitsKey);
  return {
    values: { ...file, ...flags, ...mergedLayers(file.layers, flags.layers) },
    allowChangedCode,
    hasModelArgument: command.registeredArguments.some((argument) => argument.name() === "model"),
    sourceOf: (key) => (Object.hasOwn(flags, key) ? flagNamed(key) : `${config}`),
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

/**
 * A stored run's settings, overridden by flags. A run's folder does not say where data is downloaded from, where
 * anything is kept, or what the machine has.
 *
 * @param uses the settings that may name code and that the command uses; code that other settings name is left out.
 * @throws UserError if a part that is used is in a file that the flags do not name.
 */
export function overStored(
  config: RunConfig,
  folder: string,
  flags: Given,
  uses: readonly SettingKey[] = codeSettings,
): Given {
  const kept = without(config.options ?? {}, ({ isForgotten }) => isForgotten === true);
  const code = codeFor(folder, config, flags, uses);
  const stored = withoutIdleCode(kept, uses);
  if (!Object.hasOwn(flags.values, "dataDir")) refuseShare(stored.dataDir, folder);
  return {
    // A file is known by the path that the run recorded, wherever it lies now.
    values: {
      ...stored,
      ...flags.values,
      ...Object.fromEntries([...code.keys()].map((key) => [key, stored[key]])),
    },
    sourceOf: (key) => (Object.hasOwn(flags.values, key) ? flags.sourceOf(key) : `${folder}/config.json`),
    code,
  };
}

/**
 * On Windows a path may name another machine, which is contacted, and learns who asks, when the path is opened.
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

/** The same for an asynchronous check. */
export async function withSourceAsync<T>(from: Given, check: () => Promise<T>): Promise<T> {
  try {
    return await check();
  } catch (error) {
    throw named(from, error);
  }
}

/** The settings for those fields of the library that are not keys of a configuration. */
const keyOfField: Readonly<Record<string, string>> = {
  directory: "out",
  dataDirectory: "dataDir",
  initialWeights: "initFrom",
};

function named(from: Given, error: unknown): unknown {
  if (!(error instanceof UserError) || error.field === undefined || error.message.includes("(from ")) {
    return error;
  }
  const key = keyOfField[error.field] ?? error.field;
  if (!runKeys.includes(key)) return error;
  const source = from.values[key] === undefined ? `set it with ${flagOf(key)}` : `from ${from.sourceOf(key)}`;
  return new UserError(`${error.message} (${source})`, key);
}

/** Checks a configuration, after loading the files of code that it names. */
export async function parse(from: Given): Promise<RunOptions> {
  await withSourceAsync(from, () => loadCodeOf(from.values, from.code));
  const known = Object.keys(from.values).every((key) => runKeys.includes(key));
  if (known && from.values.model === undefined) {
    throw new UserError("model is missing; name one, for example `fewbit train lenet5`", "model");
  }
  return parseRunOptions({ ...from.values }, (key) => from.sourceOf(key));
}

function readConfigFile(path: string): Record<string, unknown> {
  const value = readJson(path, { flag: "--config" });
  const { $schema: _, ...values } = isObject(value) ? value : {}; // which tells an editor what the file may hold
  if (isObject(value)) return values;
  throw new UserError(`${path} must hold one JSON object, such as {"model": "lenet5"} (from --config)`);
}
