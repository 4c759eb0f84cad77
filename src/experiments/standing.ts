/** How far the runs of a study are, as their folders tell it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../errors.js";
import type { EpochMetrics } from "../training/index.js";
import { loadRun } from "../training/index.js";
import type { PlannedRun } from "./study.js";

/** "damaged": the folder holds something that cannot be read as a run. */
export type State = "open" | "begun" | "done" | "damaged";

export interface Standing {
  readonly run: PlannedRun;
  readonly directory: string;
  readonly state: State;
  /** Epochs that have ended. */
  readonly metrics: readonly EpochMetrics[];
  /** Why, if damaged. */
  readonly reason?: string;
}

export function standingOf(run: PlannedRun, folder: string): Standing {
  const directory = join(folder, run.name);
  if (!existsSync(join(directory, "config.json"))) return { run, directory, state: "open", metrics: [] };
  try {
    const { metrics } = loadRun(directory);
    const state = metrics.length >= run.options.epochs ? "done" : "begun";
    return { run, directory, state, metrics };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { run, directory, state: "damaged", metrics: [], reason: error.message };
  }
}

/**
 * Seconds that the rest of a study takes, from the epochs of its runs that have ended: of the same network
 * where there are any. Undefined before the first.
 */
export function secondsLeft(standings: readonly Standing[]): number | undefined {
  const seconds = new Map<string, number[]>();
  for (const { run, metrics } of standings) {
    const known = seconds.get(run.options.model) ?? [];
    seconds.set(run.options.model, [...known, ...metrics.map((epoch) => epoch.seconds)]);
  }
  let left = 0;
  for (const { run, metrics, state } of standings) {
    const epochs = run.options.epochs - metrics.length;
    if (state === "done" || epochs <= 0) continue;
    const known = [...(seconds.get(run.options.model) ?? [])].sort((a, b) => a - b);
    if (known.length === 0) return undefined;
    left += epochs * known[known.length >> 1];
  }
  return left;
}
