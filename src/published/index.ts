/**
 * The published study's table (RedBit, arXiv 2301.06193, and its page of results): six methods on
 * five networks, with the optimizer and initial learning rate of each cell.
 */
import type { PublishedRow } from "./row.js";
import { rows } from "./rows.js";

export type { PublishedRow, PublishedTuple } from "./row.js";

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
  }),
);

/** Whether the table has top-5 accuracies of a data set. */
export const hasTop5 = (dataset: string | undefined): boolean =>
  published.some((row) => row.dataset === dataset && row.top5 !== null);

/** The cell of a network, data set, method and bits, if the table has one. */
export function publishedRow(
  cell: Pick<PublishedRow, "dataset" | "model" | "method" | "weightBits" | "activationBits">,
): PublishedRow | undefined {
  const keys = Object.keys(cell) as (keyof typeof cell)[];
  return published.find((row) => keys.every((key) => row[key] === cell[key]));
}
