/** The optimizers by name, for configurations and reports. */
import { listed, UserError } from "../errors.js";
import type { Rules } from "../errors/options.js";
import { callback, optional, text } from "../errors/options.js";
import { exportedEntry, guarded, refuseShippedName, registryOf, resultOf } from "../errors/registry.js";
import { adam } from "./adam.js";
import { adamw, adamwDecay } from "./adamw.js";
import type { Optimizer } from "./optimizer.js";
import { checkOptimizer } from "./optimizer.js";
import { sgd } from "./sgd.js";

/** The settings of a configuration from which optimizers are made. */
export interface OptimizerSettings {
  readonly learningRate: number;
  readonly momentum: number;
  readonly weightDecay: number;
  /** Undefined where the configuration leaves it to the optimizer, as are those that follow. */
  readonly nesterov?: boolean;
  readonly betas?: readonly [number, number];
  readonly epsilon?: number;
}

/** A setting that not every optimizer takes. */
export type OptimizerOption = Exclude<keyof OptimizerSettings, "learningRate">;

/** An entry of the registry of optimizers. */
export interface OptimizerEntry {
  /** What reports call it. */
  readonly title: string;
  /** The settings that it takes beside the learning rate; others have no effect with it. */
  readonly options: readonly OptimizerOption[];
  /** Makes it of those. */
  create(settings: OptimizerSettings): Optimizer;
}

/** The default export of an optimizer's file: only `create` is required. */
export type NewOptimizer = Partial<OptimizerEntry> & Pick<OptimizerEntry, "create">;

const entries = {
  adam: { title: "Adam", options: ["weightDecay", "betas", "epsilon"], create: adam },
  adamw: { title: "AdamW", options: ["weightDecay", "betas", "epsilon"], create: adamw },
  sgd: { title: "SGD", options: ["momentum", "weightDecay", "nesterov"], create: sgd },
} as const satisfies Readonly<Record<string, OptimizerEntry>>;

/** The optimizers by name. */
export const optimizerRegistry = registryOf<OptimizerEntry>("optimizer", entries, inFile);

/** The weight decay of an optimizer where a configuration names none. */
export const defaultWeightDecay = (name: string): number => (name === "adamw" ? adamwDecay : 0);

/** The default optimizer of a configuration. */
export const defaultOptimizer = "adam" satisfies keyof typeof entries;

const optionNames = [
  "momentum",
  "weightDecay",
  "nesterov",
  "betas",
  "epsilon",
] as const satisfies readonly OptimizerOption[];
const rules: Rules<OptimizerEntry> = {
  title: optional(text),
  options: optional({
    allowed: `an array of settings that it takes, of ${listed(optionNames, "and")}`,
    test: (value) =>
      Array.isArray(value) && value.every((name) => (optionNames as readonly unknown[]).includes(name)),
  }),
  create: callback,
};

/** The optimizer that a file exports. @throws UserError for anything else */
function inFile(path: string, exported: unknown): OptimizerEntry {
  const mistake = (message: string): UserError => new UserError(message, "optimizer");
  const entry = exportedEntry<NewOptimizer>(path, exported, {
    field: "optimizer",
    members: ["title", "options", "create"],
    rules,
  });
  const { title, options = [] } = entry;
  const create = (settings: OptimizerSettings): Optimizer => {
    const what = `create() of ${path}`;
    const made: unknown = resultOf(what, "optimizer", () => entry.create(settings));
    try {
      checkOptimizer(made);
    } catch (error) {
      throw mistake(`${what}: ${(error as Error).message}`);
    }
    if (made.learningRate !== settings.learningRate) {
      throw mistake(
        `${what} must return the learningRate that it is given, ${settings.learningRate}, got ${made.learningRate}`,
      );
    }
    refuseShippedName(path, made.name, optimizerRegistry, "optimizer");
    return guarded(path, "optimizer", { ...made, options: { ...settings, ...made.options } });
  };
  return { title: title ?? path, options, create };
}

/** The optimizer of a configuration's settings. @throws UserError for one out of range. */
export function optimizerOf(name: string, settings: OptimizerSettings): Optimizer {
  const entry = optimizerRegistry.find(name);
  if (entry === undefined) throw new Error(`there is no optimizer ${name}`);
  const taken = ["learningRate", ...entry.options] as const;
  const given = Object.fromEntries(
    taken.map((key) => [key, settings[key]]).filter(([, value]) => value !== undefined),
  );
  return entry.create(given as unknown as OptimizerSettings);
}

/** The title of an optimizer; a user's own goes by its name. */
export const optimizerTitle = (name: string): string => optimizerRegistry.find(name)?.title ?? name;

/** Whether an optimizer takes a setting. */
export const takesOption = (name: unknown, option: OptimizerOption): boolean =>
  optimizerRegistry.find(name)?.options.includes(option) === true;

/** The names of fewbit's optimizers that take a setting: "adam or sgd". */
export const optimizersWith = (option: OptimizerOption): string =>
  listed(
    optimizerRegistry.names.filter((name) => takesOption(name, option)),
    "or",
  );
