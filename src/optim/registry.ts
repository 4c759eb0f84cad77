/** The optimizers and schedules by name: what a configuration may name, and how reports call it. */
import { adam } from "./adam.js";
import type { Optimizer } from "./optimizer.js";
import type { Schedule } from "./schedule.js";
import { constant, stepDecay } from "./schedule.js";
import { sgd } from "./sgd.js";

/** The settings of a configuration that optimizers are made of. */
export interface OptimizerSettings {
  readonly learningRate: number;
  readonly momentum: number;
  readonly weightDecay: number;
}

interface OptimizerEntry {
  readonly title: string;
  /** The settings that it takes; others have no effect with it. */
  readonly takes: readonly (keyof OptimizerSettings)[];
  /** Makes it of those. */
  create(settings: OptimizerSettings): Optimizer;
}

const entries = {
  adam: { title: "Adam", takes: ["learningRate", "weightDecay"], create: adam },
  sgd: { title: "SGD", takes: ["learningRate", "momentum", "weightDecay"], create: sgd },
} as const satisfies Readonly<Record<string, OptimizerEntry>>;

export type OptimizerName = keyof typeof entries;
export const optimizerNames = Object.keys(entries) as readonly OptimizerName[];
const entryOf = (name: OptimizerName): OptimizerEntry => entries[name];

/** The optimizer of a configuration's settings. @throws UserError for one out of range. */
export function optimizerOf(name: OptimizerName, settings: OptimizerSettings): Optimizer {
  const { takes, create } = entryOf(name);
  return create(Object.fromEntries(takes.map((key) => [key, settings[key]])) as unknown as OptimizerSettings);
}

/** What an optimizer is called: one of a user's own by its name. */
export const optimizerTitle = (name: string): string =>
  Object.hasOwn(entries, name) ? entries[name as OptimizerName].title : name;

/** The optimizers that take a setting, as words: "sgd". */
export const optimizersWith = (setting: keyof OptimizerSettings): readonly OptimizerName[] =>
  optimizerNames.filter((name) => entryOf(name).takes.includes(setting));

/** The schedule of a configuration's settings. */
export const scheduleOf = ({
  decayEvery,
  decayFactor,
}: {
  decayEvery: number;
  decayFactor: number;
}): Schedule => (decayEvery === 0 ? constant() : stepDecay({ every: decayEvery, factor: decayFactor }));
