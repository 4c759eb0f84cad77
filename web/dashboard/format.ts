/** How values read. */
import type { Run } from "./store.js";

export const none = "–";

export const percent = (value: number | null | undefined): string =>
  value === null || value === undefined ? none : `${value.toFixed(2)}%`;

/** At most so many digits, without zeros that say nothing. */
export const number = (value: number | null | undefined, digits = 4): string =>
  value === null || value === undefined ? none : String(Number(value.toPrecision(digits)));

export function duration(seconds: number | undefined): string {
  if (seconds === undefined) return none;
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  return minutes < 48 * 60 ? `${(minutes / 60).toFixed(1)} h` : `${(minutes / 1440).toFixed(1)} days`;
}

export const bits = ({ weightBits, activationBits }: Pick<Run, "weightBits" | "activationBits">): string =>
  `${weightBits ?? "?"}/${activationBits ?? "?"}`;

export const count = (value: number, one: string, many = `${one}s`): string =>
  `${value.toLocaleString("en")} ${value === 1 ? one : many}`;

/** Until a run has ended, by the median of its last epochs; undefined if it does not run or none has ended. */
export function secondsLeft({ state, curves, epochs, epochsPlanned, ended }: Run): number | undefined {
  if (state !== "running" || epochs === 0 || ended === null) return undefined;
  const recent = [...curves.seconds.slice(-9)].sort((a, b) => a - b);
  const median = recent[recent.length >> 1];
  const begun = Math.min(median, Math.max(0, (Date.now() - ended) / 1000));
  return Math.max(0, (epochsPlanned - epochs) * median - begun);
}

export const last = <T>(values: readonly T[]): T | undefined => values[values.length - 1];
