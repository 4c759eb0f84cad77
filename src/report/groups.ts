/** Groups the runs of a cell: runs that differ only in their seed form a group, and one group represents the cell. */
import type { FoundRun } from "../experiments/index.js";
import { grouped } from "../experiments/index.js";
import { bestEpoch } from "../run-folder/index.js";
import type { Group } from "./report.js";
import { likeness, settingsKey } from "./settings.js";
import { spreadOf } from "./statistics.js";

/** A run and its place in the report. */
export interface Placed {
  readonly run: FoundRun;
  readonly index: number;
  readonly settings: string;
}

export const hasEnded = ({ config, metrics }: FoundRun): boolean => metrics.length >= config.epochs;

/** The groups of a cell's runs, the one to show first: see `order`. */
export function groupsOf(placed: readonly Placed[]): Group[] {
  return grouped(placed, ({ run }) => settingsKey(run.config))
    .map((members) => ({ members, group: groupOf(members) }))
    .sort(order)
    .map(({ group }) => group);
}

function groupOf(members: readonly Placed[]): Group {
  const ended = members.filter(({ run }) => hasEnded(run));
  const best = ended.map(({ run }) => bestEpoch(run.metrics)!.test);
  const top5 = best.map((scores) => scores.top5);
  return {
    settings: members[0].settings,
    epochs: members[0].run.config.epochs,
    seeds: ended.map(({ run }) => run.config.seed),
    best: ended.length === 0 ? null : spreadOf(best.map(({ top1 }) => top1)),
    last: ended.length === 0 ? null : spreadOf(ended.map(({ run }) => run.metrics.at(-1)!.test.top1)),
    bestTop5: ended.length === 0 ? null : spreadOf(top5).mean,
    unfinished: members
      .filter(({ run }) => !hasEnded(run))
      .map(({ run: { config, metrics } }) => ({ seed: config.seed, epochs: metrics.length })),
    // The runs that represent the group come first.
    runs: [...ended, ...members.filter(({ run }) => !hasEnded(run))].map(({ index }) => index),
  };
}

interface Candidate {
  readonly members: readonly Placed[];
  readonly group: Group;
}

/**
 * Runs that have ended before others; then most epochs, then the latest revision of the method, then nearest
 * to the published settings, then by the latest rule of counting, then the most accurate.
 */
function order(a: Candidate, b: Candidate): number {
  const [first, second] = [a, b].map(({ members, group }) => {
    const [{ run }] = members;
    const trained = Math.max(...members.map(({ run: { metrics } }) => metrics.length));
    return [
      group.best === null ? 0 : 1,
      group.best === null ? trained : group.epochs,
      run.config.revision?.method ?? 1,
      likeness(run.config, run.published),
      run.config.revision?.scoring ?? 1,
      group.best?.mean ?? 0,
    ];
  });
  const at = first.findIndex((value, i) => value !== second[i]);
  return at === -1 ? 0 : second[at] - first[at];
}
