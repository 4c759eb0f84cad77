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
