/**
 * The recipe of a run: what decides every bit of its result, as `config.json` records it. The table below is the one
 * place that says which parts there are; reading, resuming, comparing and describing a run follow from it.
 */
import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import type { Augmentation } from "../data/augment.js";
import type { BatchOptions } from "../data/batches.js";
import { lastBatches } from "../data/batches.js";
import type { Dataset } from "../data/dataset.js";
import type { Preparation } from "../data/images.js";
import type { DecodeRules } from "../data/rules.js";
import { ruleValues } from "../data/rules.js";
import { shown } from "../errors.js";
import type { GradientType, Network } from "../nn/index.js";
import { gradientTypes, largestExtent } from "../nn/index.js";
import type { Optimizer, Schedule } from "../optim/index.js";
import { constant, optimizerTitle, scheduleTitle } from "../optim/index.js";
import type { Loss } from "../optim/losses.js";
import { crossEntropy } from "../optim/losses.js";
import type { Method } from "../quantization/index.js";
import type { Revision } from "./revision.js";
import { tieRuleOf } from "./revision.js";

/** A method, optimizer or schedule by its name and what recreates it. */
export interface Named {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** Weights that a run started from, as its recipe has them: wherever they lay, and whether or not they are still there. */
export interface InitialRecord {
  readonly checksum: string;
  /** The patterns of those that were drawn all the same; absent for none. */
  readonly skip?: readonly string[];
}

/** What decides every bit of a run. It cannot change when the run is resumed. */
export interface Recipe {
  readonly model: Pick<Network, "name" | "input" | "classes" | "preset">;
  readonly method: Named;
  readonly optimizer: Named;
  readonly schedule: Named | null;
  /** Absent where it is the cross-entropy, which is what runs minimised before there was another. */
  readonly loss?: Named;
  readonly data: {
    readonly name: string;
    readonly checksum: string;
    readonly augmentation: Augmentation | null;
  };
  /** Runs of the first versions have none. */
  readonly preparation?: Preparation;
  /** Runs of the first versions have none: f32. */
  readonly gradients?: GradientType;
  /** The revisions of the rules by which the run is made; absent where they are the first. */
  readonly revision?: Revision;
  readonly batchSize: number;
  /** The small batches that each batch is run as; absent where it is 1, which is what runs did before there was another. */
  readonly accumulate?: number;
  /** The most that the norm of all gradients may be; absent where they stay as they are. */
  readonly clipNorm?: number;
  /** Absent where it is "keep", which is what runs did before there was another. */
  readonly lastBatch?: "keep" | "drop";
  readonly seed: number;
  /** The weights that the run started from; absent where they were drawn. */
  readonly initialWeights?: InitialRecord;
  /** Patterns of the layers and norms that stayed as they were; absent for none. */
  readonly freeze?: readonly string[];
  /** Training images held out; 0 for none. */
  readonly validation: number;
  /** The checksums of files of the user's code, by the setting that named them; absent for none. A method has its own among its options. */
  readonly code?: Readonly<Record<string, string>>;
}

/** A row of the table: a part of a recipe. */
interface Part<Value> {
  readonly schema: z.ZodType;
  /** What runs did before the part was recorded. */
  readonly absent?: Value;
  /** It follows from the data: a run that did not record it goes on with what the data has. */
  readonly isDerived?: true;
  /** Runs that differ only in it are repetitions. */
  readonly isRepetition?: true;
  /** How a report describes it; nothing for the usual value. */
  words?(value: Exclude<Value, undefined>): readonly string[];
}

const count = z.number().int().positive();
const extent = count.max(largestExtent);
const named = z.object({ name: z.string(), options: z.record(z.string(), z.unknown()) });
const revision = count.optional();

/** The number under a key of an object; null for anything else. */
export function numberOf(options: Readonly<Record<string, unknown>>, key: string): number | null {
  const value = options[key];
  return typeof value === "number" ? value : null;
}

const namedOf = ({ name, options }: Named): Named => ({ name, options });

/** The words for a value other than the usual one; what a file of code keeps under the same name may be anything. */
const unusual = (name: string, value: unknown, usual: unknown): readonly string[] =>
  value === undefined || isDeepStrictEqual(value, usual) ? [] : [`${name} ${shown(value)}`];

/** In the order in which a report names them. */
export const parts: { readonly [Key in keyof Required<Recipe>]: Part<Recipe[Key]> } = {
  model: {
    schema: z.object({
      name: z.string(),
      input: z.tuple([extent, extent, extent]),
      classes: extent,
      preset: z.literal("redbit").optional(),
    }),
    words: ({ preset }) => (preset === undefined ? [] : [`network as in preset ${preset}`]),
  },
  optimizer: {
    schema: named,
    words({ name, options }) {
      const [rate, momentum, decay] = ["learningRate", "momentum", "weightDecay"].map((key) =>
        numberOf(options, key),
      );
      return [
        `${optimizerTitle(name)} ${rate ?? ""}`.trim(),
        ...(momentum === null || momentum === 0.9 ? [] : [`momentum ${momentum}`]),
        ...(decay === null || decay === 0 ? [] : [`weight decay ${decay}`]),
        ...(options.nesterov === true ? ["Nesterov"] : []),
        ...unusual("betas", options.betas, [0.9, 0.999]),
        ...unusual("epsilon", options.epsilon, 1e-8),
      ];
    },
  },
  schedule: { schema: named.nullable(), words: (schedule) => [scheduleTitle(schedule ?? constant())] },
  loss: {
    schema: named.optional(),
    absent: namedOf(crossEntropy),
    words: ({ name }) => (name === crossEntropy.name ? [] : [`loss ${name}`]),
  },
  batchSize: { schema: z.number(), words: (size) => [`batch ${size}`] },
  accumulate: {
    schema: count.optional(),
    absent: 1,
    words: (parts) => (parts === 1 ? [] : [`gradients summed over ${parts} small batches`]),
  },
  clipNorm: {
    schema: z.number().positive().optional(),
    words: (norm) => [`gradients clipped to norm ${norm}`],
  },
  lastBatch: {
    schema: z.enum(lastBatches).optional(),
    absent: "keep",
    words: (what) => (what === "keep" ? [] : ["last partial batch dropped"]),
  },
  method: { schema: named, words: ({ options }) => methodWords(options) },
  gradients: {
    schema: z.enum(gradientTypes).optional(),
    absent: "f32",
    words: (type) => (type === "f32" ? [] : [`gradients ${type}`]),
  },
  revision: {
    schema: z.object({ method: revision, scoring: revision }).optional(),
    absent: {},
    words: (made) => [
      ...(made.method === undefined ? [] : [`revision ${made.method} of the method`]),
      ...(tieRuleOf(made) === "first" ? [] : ["equal logits wrong"]),
    ],
  },
  data: {
    schema: z.object({
      name: z.string(),
      checksum: z.string(),
      augmentation: z.record(z.string(), z.unknown()).nullable(),
    }),
    words: ({ augmentation }) =>
      augmentation === null
        ? ["no augmentation"]
        : augmentation.colorJitter === undefined
          ? []
          : [`color jitter ${augmentation.colorJitter}`],
  },
  preparation: {
    schema: z
      .object({
        mean: z.array(z.number()),
        std: z.array(z.number().positive()),
        classNames: z.array(z.string()).optional(),
        ...Object.fromEntries(
          Object.entries(ruleValues).map(([rule, values]) => [rule, z.enum(values).optional()]),
        ),
      })
      .optional(),
    isDerived: true,
  },
  validation: {
    schema: z.number(),
    words: (images) => (images === 0 ? [] : [`best epoch chosen on ${images} held-out images`]),
  },
  code: {
    schema: z.record(z.string(), z.string()).optional(),
    words: (files) => Object.entries(files).map(([setting, checksum]) => `${setting} file ${checksum}`),
  },
  initialWeights: {
    schema: z.object({ checksum: z.string(), skip: z.array(z.string()).optional() }).optional(),
    words: ({ checksum, skip = [] }) => [
      `started from weights ${checksum.slice(0, 16)}`,
      ...(skip.length === 0 ? [] : [`without ${skip.join(", ")}`]),
    ],
  },
  freeze: {
    schema: z.array(z.string()).optional(),
    words: (patterns) => [`${patterns.join(", ")} frozen`],
  },
  seed: { schema: z.number(), isRepetition: true },
};

type Key = keyof typeof parts;
const keys = Object.keys(parts) as readonly Key[];
const keysWhere = (holds: (part: Part<unknown>) => boolean): readonly Key[] =>
  keys.filter((key) => holds(parts[key] as Part<unknown>));

/** The schemas of a recipe's parts, as `config.json` has them. */
export const recipeShape = Object.fromEntries(keys.map((key) => [key, parts[key].schema])) as {
  readonly [Part in Key]: z.ZodType;
};

/** What a recipe is made of. */
interface Ingredients extends Required<BatchOptions> {
  readonly model: Network;
  readonly method: Method;
  readonly optimizer: Optimizer;
  readonly schedule?: Schedule;
  readonly loss: Loss;
  readonly data: Dataset;
  readonly gradients: GradientType;
  readonly validation: number;
  readonly freeze?: readonly string[];
  readonly clipNorm?: number;
  readonly code?: Readonly<Record<string, string>>;
}

/** The recipe of a run: its hash depends on the order of the parts. */
export function recipeOf(
  {
    model,
    method,
    optimizer,
    schedule,
    loss,
    data,
    code,
    gradients,
    batchSize,
    accumulate,
    clipNorm,
    lastBatch,
    seed,
    validation,
    freeze,
  }: Ingredients,
  rules: DecodeRules,
  revision: Revision | undefined,
  initialWeights?: InitialRecord,
): Recipe {
  return {
    model: { name: model.name, input: model.input, classes: model.classes, preset: model.preset },
    method: namedOf(method),
    optimizer: namedOf(optimizer),
    schedule: schedule === undefined ? null : namedOf(schedule),
    loss: loss === crossEntropy ? undefined : namedOf(loss),
    data: { name: data.name, checksum: data.checksum, augmentation: data.augmentation ?? null },
    preparation: { mean: data.mean, std: data.std, classNames: data.classNames, ...rules },
    gradients,
    batchSize,
    accumulate: accumulate === parts.accumulate.absent ? undefined : accumulate,
    clipNorm,
    lastBatch: lastBatch === parts.lastBatch.absent ? undefined : lastBatch,
    seed,
    initialWeights,
    freeze,
    validation,
    revision,
    code,
  };
}

/** What a run's files of weights repeat, so that those of another run are noticed. */
export const hashOfRecipe = (recipe: Recipe): string =>
  createHash("sha256").update(JSON.stringify(recipe)).digest("hex");

/** A part of a recipe, with what runs without a record of it did. */
const partOf = (recipe: Recipe, key: Key): unknown => recipe[key] ?? parts[key].absent;

/** Equal for recipes that differ only in what makes a repetition, such as the seed. */
export const likenessKey = (recipe: Recipe): string =>
  JSON.stringify(
    keysWhere(({ isDerived, isRepetition }) => isDerived !== true && isRepetition !== true).map((key) =>
      partOf(recipe, key),
    ),
    sorted,
  );

/** Sorts the keys of objects, so that a file written by hand compares equal. */
const sorted = (_: string, value: unknown): unknown =>
  isPlain(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value;

const isPlain = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The parts that decide a run's bits, except those that follow from its data. */
export const recordedOf = (recipe: Recipe): object =>
  Object.fromEntries(keysWhere(({ isDerived }) => isDerived !== true).map((key) => [key, recipe[key]]));

/** A report's description of a recipe, part by part: "Adam 0.01", "batch 128". */
export const recipeWords = (recipe: Recipe): ReadonlyMap<Key, readonly string[]> =>
  new Map(
    keys.map((key) => {
      const value = partOf(recipe, key);
      return [key, value === undefined ? [] : ((parts[key] as Part<unknown>).words?.(value) ?? [])];
    }),
  );

/** The first part in which a recipe differs from a run's, with both values. A run is resumed with the recipe that it started with. */
export function differenceOf(
  before: Recipe,
  now: Recipe,
): { readonly key: Key; readonly before: unknown; readonly now: unknown } | undefined {
  for (const key of keys) {
    if (parts[key].isDerived === true && before[key] === undefined) continue;
    const [stored, given] = [partOf(before, key), asStored(partOf(now, key))];
    if (!isDeepStrictEqual(stored, given)) return { key, before: stored, now: given };
  }
  return undefined;
}

/** A value as JSON keeps it: without what is undefined. */
const asStored = (value: unknown): unknown =>
  value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as unknown);

/** A method's options besides its bits, without those that have no effect. */
function methodWords(options: Named["options"]): string[] {
  return Object.entries(options)
    .filter(([key]) => !["weightBits", "activationBits", "layers"].includes(key))
    .filter(([key, value]) => !(key === "gradientBits" && value === 32) && value !== false)
    .map(([key, value]) => {
      const words = key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
      return value === true ? words : `${words} ${typeof value === "string" ? value : shown(value)}`;
    });
}
