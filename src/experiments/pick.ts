/** The published study's choice of a rate: of the optimizers and rates tried for a cell, the most accurate. */
import { bestEpoch } from "../run-folder/index.js";
import type { RunOptions } from "../training/config.js";
import { keysWhere, without } from "../training/settings.js";
import { grouped } from "./grouped.js";
import type { Outcome } from "./run-study.js";
import { hashOf } from "./study.js";

/** The settings between which the choice is made. */
const chosen = keysWhere(({ part }) => part === "optimizer");

/** An optimizer and a rate that were tried. */
export interface Trial extends Pick<RunOptions, "optimizer" | "learningRate" | "weightDecay" | "momentum"> {
  readonly seeds: number;
  /** Mean over seeds of the best epoch's top-1, percent, on the split that the runs watch; undefined if a run failed or has not ended. */
  readonly top1: number | undefined;
}

/** The choice for runs that differ only in optimizer, rate and seed. */
export interface Choice {
  /** The outcomes of the runs picked, in the study's order. */
  readonly runs: readonly Outcome[];
  /** All that were tried, the best first. */
  readonly trials: readonly Trial[];
  /** Whether each run that was tried has ended or diverged. */
  readonly complete: boolean;
}

/** The choices, in the order of each one's first run, without those that have no finished trial. */
export function bestRates(outcomes: readonly Outcome[]): Choice[] {
  const cells = grouped(outcomes, ({ run }) => keyWithout(run.options, [...chosen, "seed"]));
  return cells.flatMap((cell) => {
    const trials = grouped(cell, ({ run }) => keyWithout(run.options, ["seed"]))
      .map((runs) => ({ runs, trial: trialOf(runs) }))
      .sort((a, b) => (b.trial.top1 ?? -1) - (a.trial.top1 ?? -1));
    const [best] = trials;
    if (best.trial.top1 === undefined) return [];
    const complete = cell.every(({ state, diverged }) => state === "done" || diverged === true);
    return [{ runs: best.runs, trials: trials.map(({ trial }) => trial), complete }];
  });
}

function trialOf(runs: readonly Outcome[]): Trial {
  const { optimizer, learningRate, weightDecay, momentum } = runs[0].run.options;
  const ended = runs.every(({ state }) => state === "done");
  const best = runs.map(({ metrics }) => bestEpoch(metrics)?.top1 ?? 0);
  const top1 = ended ? best.reduce((a, b) => a + b, 0) / runs.length : undefined;
  return { optimizer, learningRate, weightDecay, momentum, seeds: runs.length, top1 };
}

/** A study of the runs picked, as `sweep` reads it. */
export function studyOf(name: string, choices: readonly Choice[]): object {
  const settings = ({ run }: Outcome) => without(run.options, ({ isLocal }) => isLocal === true);
  return { name, runs: choices.flatMap(({ runs }) => runs.map(settings)) };
}

const keyWithout = (options: RunOptions, keys: readonly (keyof RunOptions)[]): string =>
  hashOf({ ...options, ...Object.fromEntries(keys.map((key) => [key, undefined])) });
