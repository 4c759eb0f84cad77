/**
 * What a run leaves in its directory: `config.json`, `metrics.jsonl`, `layers.jsonl`, `confusion.jsonl`,
 * `checkpoint.safetensors`, `best.safetensors` and `summary.json`. `directory.ts` writes them; docs/runs.md describes
 * them.
 */
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { checkPath, shown, UserError } from "../errors.js";
import { checkValue, oneOf } from "../errors/options.js";
import { refuseLinksOut } from "../files/links.js";
import { isThere, largest, readText } from "../files/read.js";
import type { Network, NetworkCost } from "../nn/index.js";
import { checkNetwork, describe } from "../nn/index.js";
import type { Method } from "../quantization/index.js";
import { checkMethod } from "../quantization/index.js";
import type { Executor } from "../runtime/executor.js";
import type { Weights } from "./checkpoint.js";
import { nonFinite, readWeights } from "./checkpoint.js";
import type { ConfusionLine } from "./confusion.js";
import { readConfusion } from "./confusion.js";
import type { LayerLine } from "./layers.js";
import { readLayers } from "./layers.js";
import { lockName } from "./lock.js";
import type { EpochMetrics, Split } from "./metrics.js";
import { bestEpoch, readMetrics } from "./metrics.js";
import { hashOfRecipe, recipeShape } from "./recipe.js";
import type { Recipe } from "./recipe.js";
import { refuseOtherRules } from "./revision.js";

export const fileNames = {
  config: "config.json",
  metrics: "metrics.jsonl",
  layers: "layers.jsonl",
  confusion: "confusion.jsonl",
  checkpoint: "checkpoint.safetensors",
  best: "best.safetensors",
  summary: "summary.json",
  /** An empty file; creating it asks the training to save and end. */
  stop: "stop",
} as const;

/** Whether a name is that of an event file as `--log tensorboard` writes it; the number is its beginning in seconds. */
export const isEventFile = (name: string): boolean => /^events\.out\.tfevents\.\d+\.fewbit$/.test(name);

/** `config.json`. */
export interface RunConfig extends Recipe {
  readonly formatVersion: 1;
  /** The hash of what the run was started with, which its weights repeat: those of another run are noticed. First versions have none. */
  readonly recipe?: string;
  /** fewbit's version. */
  readonly fewbit: string;
  readonly epochs: number;
  readonly executor: string;
  readonly instructionSet: string;
  readonly threads: number;
  readonly cpu: string;
  /** How many images its data has, those that are held out included, for reports; runs of the first versions do not say. */
  readonly images?: { readonly train: number; readonly test: number };
  /** What the network costs under the method, for reports; runs of the first versions have none. */
  readonly cost?: NetworkCost;
  /** The settings given on the command line, from which it can make the same objects again. */
  readonly options?: Readonly<Record<string, unknown>>;
}

/** What a configuration is made of. */
interface ConfigParts extends Pick<RunConfig, "epochs" | "images" | "cost" | "options"> {
  readonly recipe: Recipe;
  readonly executor: Executor;
}

/** `summary.json`. */
export interface Summary {
  readonly formatVersion: 1;
  /** Epochs completed, and asked for. */
  readonly epochs: number;
  readonly epochsPlanned: number;
  /** What the best epoch was chosen on; on the test set, its accuracy there is an optimistic figure. */
  readonly chosenOn: Split;
  readonly best: EpochMetrics;
  readonly last: EpochMetrics;
  /** Training and evaluation, of all epochs. */
  readonly seconds: number;
}

/** A run as its directory describes it. */
export interface StoredRun {
  readonly directory: string;
  readonly config: RunConfig;
  readonly metrics: readonly EpochMetrics[];
  readonly layers: readonly LayerLine[];
  /** None of runs of the first versions and of more than 100 classes. */
  readonly confusion: readonly ConfusionLine[];
  /** Undefined before the first epoch's end. */
  readonly summary: Summary | undefined;
}

/**
 * @param previous what a run that goes on has in its directory.
 * @throws UserError for a configuration that could not be read back.
 */
export function makeConfig(
  { recipe, epochs, executor, images, cost, options }: ConfigParts,
  previous?: Pick<RunConfig, "recipe">,
): RunConfig {
  const config: RunConfig = {
    formatVersion: 1,
    fewbit: packageVersion(),
    ...recipe,
    recipe: previous === undefined ? hashOfRecipe(recipe) : previous.recipe,
    epochs,
    executor: executor.name,
    instructionSet: executor.instructionSet,
    threads: executor.threads,
    cpu: cpus()[0]?.model ?? "unknown",
    images,
    cost,
    ...(options === undefined ? {} : { options }),
  };
  const wrong = wrongPlace(JSON.parse(JSON.stringify(config)));
  if (wrong === undefined) return config;
  const value = wrong
    .split(".")
    .reduce<unknown>((at, key) => (Object(at) as Record<string, unknown>)[key], config);
  throw new UserError(`a run with ${wrong} ${shown(value)} could not be read again from its config.json`);
}

/** Reads a run's files. Throws `UserError` if the directory holds none. */
export function loadRun(directory: string): StoredRun {
  const config = readConfig(directory);
  const metrics = readMetrics(join(directory, fileNames.metrics), Infinity);
  const layers = readLayers(join(directory, fileNames.layers), Infinity);
  const confusion = readConfusion(join(directory, fileNames.confusion), Infinity);
  const summary = metrics.length === 0 ? undefined : summarise(metrics, config.epochs);
  return { directory, config, metrics, layers, confusion, summary };
}

/** Which weights of a run: those of its best epoch, or those it has come to. */
export type Which = "best" | "last";

/** Weights of the run in a directory, and how many epochs they were trained. Throws `UserError` unless they fit. */
export function loadWeights(
  directory: string,
  which: Which,
  model: Network,
  method: Method,
): { weights: Weights; epoch: number } {
  checkValue("which", which, oneOf("best", "last"));
  checkNetwork(model);
  checkMethod(method);
  const { path, owner } = weightsFile(directory, which, model, method);
  const { weights, epoch } = readWeights(path, owner, weightShapes(model, method));
  const broken = nonFinite(weights);
  if (broken !== undefined) {
    throw new UserError(
      `${path} holds NaN or infinite numbers in ${broken}: they broke down in training, or the file was changed; train the run again, with a lower learning rate`,
    );
  }
  return { weights, epoch };
}

/** The file that has a run's weights, and what they must belong to. */
function weightsFile(directory: string, which: Which, model: Network, method: Method) {
  const config = readConfig(directory);
  refuseOtherRules(config.revision, { model, method, optimizer: config.optimizer }, "answer", directory);
  const path = join(directory, which === "best" ? fileNames.best : fileNames.checkpoint);
  if (!isThere(path)) {
    throw new UserError(`${path} is not there: no epoch has ended yet, or the file is lost; resume the run`);
  }
  return { path, owner: { identity: identityText(model, method), recipe: config.recipe } };
}

/** Arrays like those of a network's weights, but without their data. */
export function weightShapes(model: Network, method: Method): Weights {
  const { parameters, statistics } = describe(model, method);
  const shapes = (specs: typeof parameters) =>
    Object.fromEntries(specs.map(({ name, shape }) => [name, { data: new Float32Array(0), shape }]));
  return { parameters: shapes(parameters), statistics: shapes(statistics) };
}

/** Network and method in words: what stored weights must belong to. */
export function identityText({ name, preset, input, classes }: Network, method: Method): string {
  const form = preset === undefined ? name : `${name} (${preset})`;
  return `${form} ${input.join("x")} -> ${classes}, ${method.name} ${JSON.stringify(method.options)}`;
}

/** The summary of one epoch or more. */
export function summarise(metrics: readonly EpochMetrics[], epochsPlanned: number): Summary {
  const last = metrics[metrics.length - 1];
  return {
    formatVersion: 1,
    epochs: metrics.length,
    epochsPlanned,
    chosenOn: last.split,
    best: bestEpoch(metrics) ?? last,
    last,
    seconds: metrics.reduce((sum, { seconds }) => sum + seconds, 0),
  };
}

/** @throws UserError for a folder without a run, a damaged one, and one whose files are links that lead out of it. */
export function readConfig(directory: string): RunConfig {
  checkPath("directory", directory);
  const path = join(directory, fileNames.config);
  if (!isThere(path))
    throw new UserError(`${directory} holds no run: there is no ${fileNames.config}`, "directory");
  refuseLinksOut(directory, [...Object.values(fileNames), lockName]);
  const config = parseJson(path) as { formatVersion?: unknown } | null;
  if (config?.formatVersion !== 1) {
    throw new UserError(`${path} has formatVersion ${shown(config?.formatVersion)}; this fewbit reads 1`);
  }
  const wrong = wrongPlace(config);
  if (wrong === undefined) return configSchema.parse(config) as RunConfig;
  throw new UserError(`${path} is damaged: "${wrong}" is not what a run writes`);
}

/** Where a configuration is not what a run writes, such as "schedule.options"; undefined for a sound one. */
function wrongPlace(config: unknown): string | undefined {
  const { data, error } = configSchema.safeParse(config);
  if (error !== undefined) return error.issues[0].path.join(".");
  return isPrepared(data as RunConfig) ? undefined : "preparation";
}

/** Whether mean, deviation and names are of as many channels and classes as the network has. */
function isPrepared({ model, preparation }: RunConfig): boolean {
  if (preparation === undefined) return true;
  const { mean, std, classNames } = preparation;
  const channels = model.input[2];
  const named = classNames === undefined || classNames.length === model.classes;
  return mean.length === channels && std.length === channels && named;
}

export const configSchema = z.object({
  formatVersion: z.literal(1),
  fewbit: z.string(),
  recipe: z.string().optional(),
  ...recipeShape,
  epochs: z.number().int().positive(),
  executor: z.string(),
  instructionSet: z.string(),
  threads: z.number(),
  cpu: z.string(),
  images: z
    .object({ train: z.number().int().nonnegative(), test: z.number().int().nonnegative() })
    .optional(),
  cost: z
    .object({
      parameters: z.number(),
      multiplyAccumulates: z.number(),
      bytes: z.number(),
      bytes32: z.number(),
      bitOperations: z.number(),
    })
    .optional(),
  options: z.record(z.string(), z.unknown()).optional(),
} satisfies Record<keyof RunConfig, z.ZodType>);

function parseJson(path: string): unknown {
  const text = readText(path, largest.json);
  try {
    return JSON.parse(text);
  } catch {
    throw new UserError(`${path} is damaged: it is not JSON`);
  }
}

/** The version of fewbit. */
export function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
