/** What decides a run's bits, of all that its configuration says. */
import type { Recipe, RunConfig } from "./run.js";

/** All of a recipe but how images are prepared, which follows from the data. */
const keys = [
  "model",
  "method",
  "optimizer",
  "schedule",
  "data",
  "gradients",
  "revision",
  "batchSize",
  "seed",
  "validation",
] as const satisfies readonly (keyof Recipe)[];

export type Decisions = Readonly<Record<(typeof keys)[number], unknown>>;

/** What decides a run's bits, by key. Runs of the first versions do not say that their gradients are f32. */
export function decisionsOf({ gradients = "f32", ...others }: RunConfig): Decisions {
  const config = { ...others, gradients };
  return Object.fromEntries(keys.map((key) => [key, config[key]])) as Decisions;
}
