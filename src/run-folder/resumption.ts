/**
 * Reads and compares the files from which a run is resumed: a file that is lost, damaged, of another run or older than
 * the rest is refused before anything is written.
 */
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { UserError } from "../errors.js";
import { isThere } from "../files/read.js";
import { sizeOf } from "../files/write.js";
import type { Checkpoint, Expected, Owner } from "./checkpoint.js";
import { readCheckpoint, readWeights } from "./checkpoint.js";
import type { ConfusionLine } from "./confusion.js";
import { mostClasses, readConfusion } from "./confusion.js";
import type { LayerLine } from "./layers.js";
import { readLayers } from "./layers.js";
import type { EpochMetrics } from "./metrics.js";
import { bestEpoch, readMetrics } from "./metrics.js";
import type { RunConfig } from "./run.js";
import { fileNames as names, isEventFile } from "./run.js";

export interface Resumption {
  /** Undefined if nothing has been trained. */
  readonly checkpoint: Checkpoint | undefined;
  readonly metrics: readonly EpochMetrics[];
  readonly layers: readonly LayerLine[];
  readonly confusion: readonly ConfusionLine[];
  /** Whether the best weights are to be written again, from the checkpoint. */
  readonly lacksBest: boolean;
}

/** The state from which a run is resumed. */
export const nothingYet: Resumption = {
  checkpoint: undefined,
  metrics: [],
  layers: [],
  confusion: [],
  lacksBest: false,
};

export interface ResumptionOptions {
  readonly owner: Owner;
  readonly expected: Expected;
  readonly onWarning: (message: string) => void;
}

/** @throws UserError if a run cannot be resumed. */
export function readResumption(path: string, config: RunConfig, options: ResumptionOptions): Resumption {
  const { owner, expected, onWarning } = options;
  const file = (name: keyof typeof names): string => join(path, names[name]);
  // A file cannot replace a folder, which would be noticed only after others have been written.
  for (const name of readdirSync(path).filter((name) => isEventFile(name) || name === names.summary)) {
    if (lstatSync(join(path, name)).isDirectory())
      throw new UserError(`${join(path, name)} is a folder; move it away`);
  }
  if (!isThere(file("checkpoint"))) {
    refuseTrained(path, file);
    return nothingYet;
  }
  const checkpoint = readCheckpoint(file("checkpoint"), owner, expected);
  const { epoch: epochs } = checkpoint;
  const metrics = readEpochs(file("metrics"), epochs);
  const whole = <T extends { readonly epoch: number }>(
    name: "layers" | "confusion",
    read: (path: string, epochs: number) => T[],
    rule: Whole<T>,
  ): T[] => {
    const lines = read(file(name), epochs);
    const first = firstWhole(file(name), lines, epochs, rule.isWhole);
    if (first > 1 && rule.isKept) {
      const lost = first === 2 ? "epoch 1" : `epochs 1 to ${first - 1}`;
      onWarning(`${file(name)} has lost its lines of ${lost}; the run goes on without them`);
    }
    return lines;
  };
  const { classes } = config.model;
  const layerNames = Object.keys(expected.signs).sort();
  const layers = whole("layers", readLayers, {
    isKept: true,
    isWhole: (lines) => isDeepStrictEqual(lines.map(({ layer }) => layer).sort(), layerNames),
  });
  const confusion = whole("confusion", readConfusion, {
    // First versions kept none, and they had no revisions either.
    isKept: config.revision !== undefined && classes <= mostClasses,
    isWhole: ([{ counts }, ...more]) =>
      more.length === 0 && counts.length === classes && counts.every((row) => row.length === classes),
  });
  const lacksBest = metrics.length > 0 && !holdsBest(file("best"), metrics, checkpoint, options);
  return { checkpoint, metrics, layers, confusion, lacksBest };
}

/** Without a checkpoint a run was killed before its first step, or the file is lost. */
function refuseTrained(path: string, file: (name: keyof typeof names) => string): void {
  const found = (["metrics", "layers", "confusion", "best"] as const).find((name) => sizeOf(file(name)) > 0);
  if (found === undefined) return;
  throw new UserError(
    `${file("checkpoint")} is not there, but ${names[found]} is of a run that was trained: the checkpoint is lost; put it back, or overwrite ${path} to begin again`,
  );
}

/**
 * The epochs that a checkpoint has. Lines are written just before their checkpoint, so a process that was
 * killed leaves those of one epoch more.
 */
function readEpochs(file: string, epochs: number): EpochMetrics[] {
  const all = readMetrics(file, epochs + 2);
  const metrics = all.filter(({ epoch }) => epoch <= epochs);
  if (metrics.length !== epochs || metrics.some(({ epoch }, i) => epoch !== i + 1)) {
    throw new UserError(`${file} is damaged: it does not hold each of ${epochs} epochs once`);
  }
  if (all.some(({ epoch }) => epoch > epochs + 1)) {
    throw new UserError(
      `${file} goes beyond epoch ${epochs + 1}, but ${names.checkpoint} is of epoch ${epochs}: it is an older one; put the latest back, or remove the lines after epoch ${epochs}`,
    );
  }
  return metrics;
}

interface Whole<T> {
  /** Whether every epoch must have lines. */
  readonly isKept: boolean;
  /** Whether all lines of an epoch exist. */
  isWhole(lines: readonly T[]): boolean;
}

/** The epoch from which on each has its lines; epochs + 1 if none has. @throws UserError where some are missing after it. */
function firstWhole<T extends { readonly epoch: number }>(
  file: string,
  lines: readonly T[],
  epochs: number,
  isWhole: (lines: readonly T[]) => boolean,
): number {
  const first = lines[0]?.epoch ?? epochs + 1;
  let at = 0;
  for (let epoch = first; epoch <= epochs; epoch++) {
    const begin = at;
    while (lines[at]?.epoch === epoch) at++;
    if (begin === at || !isWhole(lines.slice(begin, at))) throw incomplete(file, epoch);
  }
  if (at < lines.length) throw incomplete(file, lines[at].epoch);
  return first;
}

const incomplete = (file: string, epoch: number): UserError =>
  new UserError(
    `${file} is damaged: its lines of epoch ${epoch} are not those of each epoch once; put the file back, or remove it to go on without the lines so far`,
  );

/**
 * Whether the best weights are there. A process killed between the checkpoint and the best weights leaves
 * those of an epoch before; the best epoch is then the checkpoint's own. @throws UserError if they are lost
 */
function holdsBest(
  file: string,
  metrics: readonly EpochMetrics[],
  checkpoint: Checkpoint,
  { owner, expected }: ResumptionOptions,
): boolean {
  const best = bestEpoch(metrics)?.epoch;
  const isCheckpoints = best === checkpoint.epoch && checkpoint.step === 0;
  try {
    if (isThere(file) && readWeights(file, owner, expected.values).epoch === best) return true;
  } catch (error) {
    if (!isCheckpoints) throw error;
  }
  if (isCheckpoints) return false;
  throw new UserError(
    `${file} does not hold epoch ${best}, the best so far, and the checkpoint is a later one; put the file back, or overwrite the run`,
  );
}
