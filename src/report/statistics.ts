/** Means, spreads, comparisons and fronts. */
import type { Counts, ReportedRun, Spread } from "./report.js";

/** The difference in points up to which a cell counts as equal to the published accuracy. */
export const tolerance = 0.3;

/** Mean, deviation and extremes of one value or more. */
export function spreadOf(values: readonly number[]): Spread {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    count,
    mean,
    deviation: count > 1 ? Math.sqrt(squares / (count - 1)) : null,
    least: Math.min(...values),
    most: Math.max(...values),
  };
}

/** `ours` - `published` without the rounding error of binary fractions: 99.25 - 99.55 is -0.3. */
export function differenceOf(ours: number, published: number): number {
  return Math.round((ours - published) * 1e9) / 1e9;
}

/** Whether a run has been trained as long as it was to be. */
export const isFinished = ({ epochs, epochsPlanned }: ReportedRun): boolean => epochs >= epochsPlanned;

/** A finished run's difference from the published accuracy. */
export const runDifference = (run: ReportedRun): number | null =>
  run.best === null || run.published === null || !isFinished(run)
    ? null
    : differenceOf(run.best.top1, run.published);

/** Counts together. */
export function totalOf(all: readonly Counts[]): Counts {
  const sum = (name: keyof Counts) => all.reduce((total, counts) => total + counts[name], 0);
  const [published, compared, within] = [sum("published"), sum("compared"), sum("within")];
  return { published, compared, within, ahead: sum("ahead"), behind: sum("behind") };
}

/** Counts cells by their published accuracy and our difference from it. */
export function countsOf(
  cells: readonly {
    readonly published: { top1: number | null } | null;
    readonly difference: number | null;
  }[],
): Counts {
  const differences = cells.flatMap(({ difference }) => (difference === null ? [] : [difference]));
  const ahead = differences.filter((difference) => difference > tolerance).length;
  const behind = differences.filter((difference) => difference < -tolerance).length;
  return {
    published: cells.filter(({ published }) => published !== null && published.top1 !== null).length,
    compared: differences.length,
    within: differences.length - ahead - behind,
    ahead,
    behind,
  };
}

/**
 * Which points are on the Pareto front: no other has at most the cost and at least the gain, and is better in one of
 * them. Equal points are all on it.
 */
export function paretoFront(points: readonly { readonly cost: number; readonly gain: number }[]): boolean[] {
  const order = [...points.keys()].sort(
    (a, b) => points[a].cost - points[b].cost || points[b].gain - points[a].gain,
  );
  const front = points.map(() => false);
  let best: { readonly cost: number; readonly gain: number } | undefined;
  for (const i of order) {
    const { cost, gain } = points[i];
    if (best !== undefined && gain <= best.gain && !(gain === best.gain && cost === best.cost)) continue;
    front[i] = true;
    best = points[i];
  }
  return front;
}
