/**
 * What a report holds: plain data, which every writer takes and `report.json` is. Accuracies are percent of the test
 * images right (top-1 by default), differences are points, and missing values are null.
 */
import type { NetworkCost } from "../nn/index.js";
import type { Split } from "../training/index.js";

export interface Report {
  readonly formatVersion: 1;
  readonly title: string;
  /** One per data set and network, in the published order. */
  readonly tables: readonly Table[];
  /** How the cells of all tables compare with the published ones, by method. */
  readonly methods: readonly MethodCounts[];
  /** What each cell's accuracy costs; the fronts are those of a data set, over all its networks. */
  readonly points: readonly Point[];
  /** In the order in which they were found. */
  readonly runs: readonly ReportedRun[];
  /** Warnings about runs that were left out. */
  readonly warnings: readonly string[];
}

export interface Table {
  /** "MNIST". */
  readonly dataset: string;
  /** "lenet5", and for people "LeNet-5". */
  readonly model: string;
  readonly modelTitle: string;
  /** The published data set of which the table's is a part, which is not compared. */
  readonly partOf: string | null;
  /** Whether the published table has top-5 accuracies of the data set, so that ours are shown as well. */
  readonly hasTop5: boolean;
  /** How the published study trained; null if the table is not published. */
  readonly protocol: { readonly epochs: number; readonly decayEvery: number } | null;
  readonly columns: readonly BitPair[];
  readonly rows: readonly Row[];
  readonly counts: Counts;
}

export interface BitPair {
  /** Null for a method of the user's that does not say. */
  readonly weightBits: number | null;
  readonly activationBits: number | null;
}

/** A method; one whose layers have bits of their own has a row for each such choice. */
export interface Row {
  readonly method: string;
  readonly title: string;
  /** The cells, as many as the table has columns. */
  readonly cells: readonly Cell[];
}

/**
 * "trained": some run has ended. "unfinished": there are runs, none of which has. "untrained": published,
 * but there is no run. "none": neither.
 */
export type CellState = "trained" | "unfinished" | "untrained" | "none";

export interface Cell extends BitPair {
  readonly state: CellState;
  /** Null where the published table has no such cell. */
  readonly published: PublishedCell | null;
  /** The runs that the cell shows: of one configuration but for the seed. */
  readonly group: Group | null;
  /** Our mean best accuracy less the published one, in points. */
  readonly difference: number | null;
  /** Our mean top-5 at the best epochs less the published one, in points. */
  readonly differenceTop5: number | null;
  /** Runs of the same cell with other settings. */
  readonly others: readonly Group[];
}

export interface PublishedCell {
  /** Null: not reported. */
  readonly top1: number | null;
  readonly top5: number | null;
  readonly optimizer: string | null;
  readonly learningRate: number | null;
}

/** Runs that differ only in their seed. */
export interface Group {
  /** Everything but the seed, in words. */
  readonly settings: string;
  readonly epochs: number;
  /** The seeds of the runs that have ended. */
  readonly seeds: readonly number[];
  /** The best accuracies of the runs that have ended; null without one. */
  readonly best: Spread | null;
  readonly last: Spread | null;
  /** Mean top-5 at the best epochs. */
  readonly bestTop5: number | null;
  readonly unfinished: readonly { readonly seed: number; readonly epochs: number }[];
  /** Indices of `Report.runs`, those that have not ended included. */
  readonly runs: readonly number[];
}

/** The spread of the accuracies of several seeds. */
export interface Spread {
  readonly count: number;
  readonly mean: number;
  /** Sample standard deviation, with count - 1; null for one value. */
  readonly deviation: number | null;
  readonly least: number;
  readonly most: number;
}

export interface Counts {
  /** Cells with a published accuracy. */
  readonly published: number;
  /** How many of them have a trained run. Each is within 0.3 points of the published accuracy, ahead or behind. */
  readonly compared: number;
  readonly within: number;
  readonly ahead: number;
  readonly behind: number;
}

export interface MethodCounts extends Counts {
  readonly method: string;
  readonly title: string;
}

export interface Point extends BitPair {
  readonly dataset: string;
  readonly model: string;
  readonly modelTitle: string;
  readonly methodTitle: string;
  /** Our mean best accuracy. */
  readonly top1: number;
  readonly published: number | null;
  readonly cost: NetworkCost | null;
  /** Whether no other point of the data set is as accurate for less, or more accurate for as much. */
  readonly onFront: Readonly<Record<CostName, boolean>>;
}

export type CostName = "bytes" | "bitOperations";

export interface ReportedRun extends BitPair {
  /** The path of its folder, below the one that was searched. */
  readonly name: string;
  readonly directory: string;
  readonly dataset: string;
  readonly model: string;
  readonly method: string;
  readonly methodTitle: string;
  /** Everything but the seed, in words. */
  readonly settings: string;
  readonly preset: string | null;
  readonly optimizer: string;
  readonly learningRate: number | null;
  readonly weightDecay: number | null;
  readonly batchSize: number;
  readonly gradients: string;
  /** Revision of the rules by which right answers were counted; by the first an equal logit of another class was wrong. */
  readonly scoring: number;
  readonly seed: number;
  /** Trained, and asked for. */
  readonly epochs: number;
  readonly epochsPlanned: number;
  /** What the best epoch was chosen on; null before the first. Its scores are those on the test set all the same. */
  readonly chosenOn: Split | null;
  readonly best: EpochScores | null;
  readonly last: EpochScores | null;
  readonly published: number | null;
  readonly publishedTop5: number | null;
  readonly seconds: number;
  readonly cost: NetworkCost | null;
  /** Why there is no cost. */
  readonly costMissing: string | null;
  readonly curve: readonly { readonly epoch: number; readonly top1: number; readonly trainLoss: number }[];
}

export interface EpochScores {
  readonly epoch: number;
  readonly top1: number;
  readonly top5: number;
  readonly loss: number;
}
