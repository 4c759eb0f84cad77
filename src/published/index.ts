/**
 * The published study's table (RedBit, arXiv 2301.06193, and its page of results): six methods on
 * five networks, with the optimizer and initial learning rate of each cell.
 */
import { rows } from "./rows.js";

export type PublishedTuple = readonly [
  dataset: "MNIST" | "CIFAR-10" | "ImageNet",
  model: string,
  method: string,
  weightBits: number,
  activationBits: number,
  optimizer: "adam" | "sgd" | null,
  learningRate: number | null,
  weightDecay: number,
  batchSize: number | null,
  top1: number | null,
  top5: number | null,
];

/** A cell of the table. */
export interface PublishedRow {
  readonly dataset: PublishedTuple[0];
  readonly model: string;
  readonly method: string;
  /** 2 for ternary weights. */
  readonly weightBits: number;
  readonly activationBits: number;
  /** Null, as the rate: not reported. Momentum of SGD is 0.9. */
  readonly optimizer: PublishedTuple[5];
  readonly learningRate: number | null;
  readonly weightDecay: number;
  readonly batchSize: number | null;
  /** Best accuracy over all epochs on the test set, percent; null: not reported. */
  readonly top1: number | null;
  readonly top5: number | null;
}

export const published: readonly PublishedRow[] = rows.map(
  ([
    dataset,
    model,
    method,
    weightBits,
    activationBits,
    optimizer,
    learningRate,
    weightDecay,
    batchSize,
    top1,
    top5,
  ]) => ({
    ...{ dataset, model, method, weightBits, activationBits },
    ...{ optimizer, learningRate, weightDecay, batchSize, top1, top5 },
  }),
);

/** The cell of a network, data set, method and bits, if the table has one. */
export function publishedRow(
  cell: Pick<PublishedRow, "dataset" | "model" | "method" | "weightBits" | "activationBits">,
): PublishedRow | undefined {
  const keys = Object.keys(cell) as (keyof typeof cell)[];
  return published.find((row) => keys.every((key) => row[key] === cell[key]));
}
