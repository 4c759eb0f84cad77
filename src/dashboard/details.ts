/** What a run's page shows beside its curves: configuration, layers over the epochs, confusion matrices. */
import { join } from "node:path";
import { UserError } from "../errors.js";
import { grouped } from "../experiments/index.js";
import type { LayerLine } from "../training/index.js";
import { fileNames, mostClasses, readConfig, readConfusion, readLayers } from "../run-folder/index.js";
import type { ConfusionMatrix, LayerHistory, RunDetails } from "./api.js";
import type { WatchedRun } from "./watched-run.js";
import { short } from "./watched-run.js";

/** Counts in all matrices that are sent. */
const mostCounts = 200_000;

export function detailsOf({ id, directory }: WatchedRun): RunDetails {
  const warnings: string[] = [];
  /** A damaged file costs what it holds, not the page. */
  const orNone = <T>(read: () => readonly T[]): readonly T[] => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      warnings.push(error.message);
      return [];
    }
  };
  const config = readConfig(directory);
  const layers = orNone(() => historiesOf(readLayers(join(directory, fileNames.layers), Infinity)));
  const confusion = orNone(() => matrices(join(directory, fileNames.confusion), config.model.classes));
  // As many as a matrix that was read has rows: what the configuration says may be any number.
  const numbers = (confusion[0]?.counts ?? []).map((_, i) => String(i));
  const classNames = config.preparation?.classNames ?? numbers;
  return { id, config: { ...config }, layers, confusion, classNames, warnings };
}

/** In the order of the network. */
function historiesOf(lines: readonly LayerLine[]): LayerHistory[] {
  return grouped(lines, ({ layer }) => layer).map((ofLayer) => ({
    name: ofLayer[0].layer,
    epochs: ofLayer.map(({ epoch }) => epoch),
    levels: ofLayer.map(({ levels }) => levels),
    sparsity: ofLayer.map(({ sparsity }) => short(sparsity)),
    signFlips: ofLayer.map(({ signFlips }) => short(signFlips)),
    lowest: ofLayer.map(({ histogram }) => short(histogram.lowest)),
    highest: ofLayer.map(({ histogram }) => short(histogram.highest)),
    counts: ofLayer.map(({ histogram }) => histogram.counts),
  }));
}

function matrices(path: string, classes: number): ConfusionMatrix[] {
  const lines = readConfusion(path, Infinity);
  const square = lines.every(
    ({ counts }) => counts.length === classes && counts.every((row) => row.length === classes),
  );
  if (!square) throw new UserError(`${path} is damaged: it is not for ${classes} classes`);
  return classes > mostClasses ? [] : lines.slice(-Math.floor(mostCounts / classes ** 2));
}
