/** How far the runs of a study are, by their folders. */
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { shown, UserError } from "../errors.js";
import { isThere } from "../files/read.js";
import type { EpochMetrics } from "../training/index.js";
import { codeSettings } from "../training/code.js";
import type { RunOptions } from "../training/config.js";
import { fileNames, readConfig, readMetrics } from "../run-folder/index.js";
import { isCodeFile } from "../training/setting.js";
import { keysWhere } from "../training/settings.js";
import { grouped } from "./grouped.js";
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

/** Whether there is something to train. */
export const isOpen = ({ state }: Standing): boolean => state === "open" || state === "begun";

export function standingOf(run: PlannedRun, folder: string): Standing {
  const directory = join(folder, run.name);
  try {
    if (!isThere(join(directory, fileNames.config))) return { run, directory, state: "open", metrics: [] };
    // A study does not need layers and confusion matrices; they are read when the run is resumed.
    const config = readConfig(directory);
    const metrics = readMetrics(join(directory, fileNames.metrics), Infinity);
    const other = otherThan(run.options, config.options);
    if (other !== undefined) {
      throw new UserError(`${directory} holds another run: ${other}; move it away`);
    }
    const state = metrics.length >= run.options.epochs ? "done" : "begun";
    return { run, directory, state, metrics };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { run, directory, state: "damaged", metrics: [], reason: error.message };
  }
}

/** The setting in which a stored configuration differs; epochs may have been added to a run. */
function otherThan(planned: RunOptions, stored: Readonly<Record<string, unknown>> = {}): string | undefined {
  const wanted = JSON.parse(JSON.stringify(planned)) as Record<string, unknown>;
  const free: readonly string[] = keysWhere(
    ({ part, resumable }) => part === undefined || resumable === true,
  );
  const code: readonly string[] = codeSettings;
  const key = Object.keys(stored).find(
    (name) =>
      !free.includes(name) &&
      !isDeepStrictEqual(stored[name], wanted[name]) &&
      // The file may lie elsewhere now; its checksum is part of the folder's name, and resuming compares it.
      !(code.includes(name) && isCodeFile(stored[name]) && isCodeFile(wanted[name])),
  );
  return key === undefined ? undefined : `${key} ${shown(stored[key])}, not ${shown(wanted[key])}`;
}

/** The parts that roughly determine the time of an epoch: the network and the data. */
export const paceOf = ({ options: { model, depth, data } }: PlannedRun): string =>
  `${model}${depth ?? ""} ${data}`;

/**
 * Estimates the seconds for the rest of a study from its finished epochs of the same network on the same data.
 *
 * @param measured seconds per epoch by `paceOf`, for networks without a finished epoch.
 * @returns undefined where neither is known.
 */
export function secondsLeft(
  standings: readonly Standing[],
  measured: ReadonlyMap<string, number> = new Map(),
): number | undefined {
  const seconds = new Map([...measured, ...epochSeconds(standings)]);
  let left = 0;
  for (const standing of standings.filter(isOpen)) {
    const { run, metrics } = standing;
    const epoch = seconds.get(paceOf(run));
    if (epoch === undefined) return undefined;
    left += epoch * (run.options.epochs - metrics.length);
  }
  return left;
}

/** The median of the epochs that have ended, by `paceOf`. */
export function epochSeconds(standings: readonly Standing[]): Map<string, number> {
  const begun = standings.filter(({ metrics }) => metrics.length > 0);
  return new Map(
    grouped(begun, ({ run }) => paceOf(run)).map((alike) => {
      const seconds = alike.flatMap(({ metrics }) => metrics.map((epoch) => epoch.seconds));
      return [paceOf(alike[0].run), seconds.sort((a, b) => a - b)[seconds.length >> 1]];
    }),
  );
}
