/**
 * The published study as runs: its rows (`src/published/`, RedBit, arXiv 2301.06193, and its page of
 * results) and the protocol of each data set. A cell without a reported accuracy is "not reported".
 */
import { dataRegistry, dataSetOf } from "../data/index.js";
import { UserError } from "../errors.js";
import type { PublishedRow } from "../published/index.js";
import { published } from "../published/index.js";
import { models } from "../models/index.js";
import type { Bits } from "../quantization/index.js";
import { bitsOf } from "../training/bits.js";
import { settings } from "../training/settings.js";
import type { PlannedRun } from "./study.js";
import { plannedRuns } from "./study.js";

/** How the published study trained on a data set. */
export interface Protocol {
  /** Its name for `--data`; undefined if fewbit has no such data. */
  readonly data: string | undefined;
  readonly epochs: number;
  /** Epochs after which the rate falls to a tenth. */
  readonly decayEvery: number;
}

const wholeOf = (dataset: PublishedRow["dataset"]): string | undefined =>
  dataRegistry.names.find((name) => {
    const { published, counts } = dataSetOf(name);
    return counts !== undefined && published?.dataset === dataset;
  });

export const protocols: Readonly<Record<PublishedRow["dataset"], Protocol>> = {
  MNIST: { data: wholeOf("MNIST"), epochs: 100, decayEvery: 20 },
  "CIFAR-10": { data: wholeOf("CIFAR-10"), epochs: 200, decayEvery: 60 },
  ImageNet: { data: wholeOf("ImageNet"), epochs: 100, decayEvery: 30 },
};

export interface ReproduceOptions {
  /** "mnist", "cifar10", "cifar10/resnet20". */
  readonly table: string;
  readonly method?: string;
  /** "1/2" or "w1a2": the rows of these bits. */
  readonly bits?: string;
  /** Epochs in place of the protocol's; the epochs between decays scale with it, and are at least 1. */
  readonly epochs?: number;
  /** How many; they are 1, 2, .... Default 1. */
  readonly seeds?: number;
  /** Where the data is. */
  readonly dataDir?: string;
  /** Settings in place of the table's, as the command line has them. */
  readonly given?: Readonly<Partial<Record<"classes" | "imageSize" | "accumulate", unknown>>>;
}

/** The tables that can be trained: a data set, or a data set and a network. */
export const tables: readonly string[] = [
  ...new Set(
    published.flatMap(({ dataset, model }) => {
      const { data } = protocols[dataset];
      return data === undefined || !Object.hasOwn(models, model) ? [] : [data, `${data}/${model}`];
    }),
  ),
];

/** The rows of a table, of which the preset `redbit` trains every cell. @throws UserError for an unknown table, method or cell. */
export function publishedRows({ table, method, bits }: ReproduceOptions): PublishedRow[] {
  if (!tables.includes(table)) {
    throw new UserError(`the table must be one of ${tables.join(", ")}, got "${table}"`);
  }
  const [data, model] = table.split("/");
  const ofTable = published.filter(
    (row) => protocols[row.dataset].data === data && (model === undefined || row.model === model),
  );
  const names = [...new Set(ofTable.map((row) => row.method))];
  if (method !== undefined && !names.includes(method)) {
    throw new UserError(`method must be one of ${names.join(", ")}, got "${method}" (from --method)`);
  }
  const ofMethod = ofTable.filter((row) => method === undefined || row.method === method);
  if (bits === undefined) return ofMethod;
  const asked = bitsText(bitsOf(bits, "--bits"));
  const cells = [...new Set(ofMethod.map(bitsText))];
  if (!cells.includes(asked)) {
    throw new UserError(`bits must be one of ${cells.join(", ")}, got "${bits}" (from --bits)`);
  }
  return ofMethod.filter((row) => bitsText(row) === asked);
}

const bitsText = ({ weightBits, activationBits }: Bits): string => `${weightBits}/${activationBits}`;

const mostSeeds = 1_000;

/** The runs of a table: each row with its optimizer and rate, preset `redbit`, the data set's schedule. */
export function reproduction(options: ReproduceOptions): PlannedRun[] {
  if ((options.seeds ?? 1) > mostSeeds) {
    throw new UserError(`seeds must be at most ${mostSeeds}, got ${options.seeds} (from --seeds)`);
  }
  const seeds = Array.from({ length: options.seeds ?? 1 }, (_, i) => i + 1);
  const configurations = publishedRows(options).flatMap((row) => {
    const { data, epochs: inFull, decayEvery } = protocols[row.dataset];
    const epochs = options.epochs ?? inFull;
    return seeds.map((seed) => ({
      model: row.model,
      method: row.method,
      preset: "redbit",
      weightBits: row.weightBits,
      activationBits: row.activationBits,
      data,
      dataDir: options.dataDir,
      epochs,
      seed,
      decayEvery: Math.max(1, Math.round((decayEvery * epochs) / inFull)),
      batchSize: row.batchSize ?? undefined,
      ...options.given,
    }));
  });
  const sources = { classes: "--classes", imageSize: "--image-size", accumulate: "--accumulate" };
  for (const key of ["classes", "imageSize"] as const) {
    const { needs } = settings[key];
    if (options.given?.[key] === undefined || configurations.every((values) => needs.isMet(values))) continue;
    throw new UserError(`${key} has no effect without ${needs.words} (from ${sources[key]})`);
  }
  return plannedRuns(configurations.map((values) => ({ values, source: "the published table", sources })));
}
