/** What is measured in each epoch, and the JSON-lines files that keep it. All accuracies are in percent. */
import { z } from "zod";
import { UserError } from "../errors.js";
import { isThere, largest, readText } from "../files/read.js";
import { isUnsharedFile, writeAtomically } from "../files/write.js";

/** Which images the best epoch is chosen on. */
export type Split = "test" | "validation";

/** The name of the images that a run watches: its held-out training images, or the test set if it holds none out. */
export const watchedImages = (heldOut: number): "held out" | "test" => (heldOut > 0 ? "held out" : "test");

/** The mean loss of a set of images and the accuracies on it. */
export interface Scores {
  /** Mean cross-entropy. */
  readonly loss: number;
  /** Percent of images whose label has the largest logit, or is among the five largest. */
  readonly top1: number;
  readonly top5: number;
}

/** A line of `metrics.jsonl`. */
export interface EpochMetrics extends Scores {
  /** Epochs trained, from 1. */
  readonly epoch: number;
  /** Steps trained, of all epochs. */
  readonly step: number;
  /** Spent on this epoch, evaluation included, by the process that ended it. */
  readonly seconds: number;
  readonly learningRate: number;
  /** Over the epoch's own steps, in training mode and with augmentation. */
  readonly trainLoss: number;
  readonly trainTop1: number;
  /** What loss, top1 and top5 were measured on. */
  readonly split: Split;
  /** The same scores on the test set. */
  readonly test: Scores;
  /** Images that the epoch left out, of all sets, because they are damaged; absent for none. */
  readonly damaged?: number;
}

/** Sums over images: of their losses, and of how many were right. */
export interface Sums {
  readonly images: number;
  readonly loss: number;
  readonly top1: number;
  readonly top5: number;
}

export const noImages: Sums = { images: 0, loss: 0, top1: 0, top5: 0 };

/** Adds a batch: its mean loss and its counts of right answers. */
export function addBatch(sums: Sums, images: number, loss: number, top1: number, top5: number): Sums {
  return {
    images: sums.images + images,
    loss: sums.loss + loss * images,
    top1: sums.top1 + top1,
    top5: sums.top5 + top5,
  };
}

export function scoresOf({ images, loss, top1, top5 }: Sums): Scores {
  return { loss: loss / images, top1: (100 * top1) / images, top5: (100 * top5) / images };
}

/** The epoch with the highest top-1, the first of equals; undefined without epochs. */
export function bestEpoch(metrics: readonly EpochMetrics[]): EpochMetrics | undefined {
  return metrics.reduce<EpochMetrics | undefined>(
    (best, epoch) => (best === undefined || epoch.top1 > best.top1 ? epoch : best),
    undefined,
  );
}

const scores = { loss: z.number(), top1: z.number(), top5: z.number() };
export const metricsSchema = z.strictObject({
  epoch: z.int().positive(),
  step: z.int().positive(),
  seconds: z.number(),
  learningRate: z.number(),
  trainLoss: z.number(),
  trainTop1: z.number(),
  split: z.enum(["test", "validation"]),
  ...scores,
  test: z.strictObject(scores),
  damaged: z.int().positive().optional(),
}) satisfies z.ZodType<EpochMetrics>;

/**
 * The lines of a JSON-lines file that belong to the first `epochs` epochs; a last line that was cut
 * short by a crash does not count. Throws `UserError` if a line before it is damaged.
 */
export function readLines<T extends { readonly epoch: number }>(
  path: string,
  epochs: number,
  schema: z.ZodType<T>,
): T[] {
  if (!isThere(path)) return [];
  const lines = readText(path, largest.lines).split("\n");
  lines.pop(); // what follows the last newline: nothing, or a line cut short
  const kept: T[] = [];
  for (const [i, line] of lines.entries()) {
    const value = parse(line, schema);
    if (value === undefined) {
      throw new UserError(`${path} is damaged: line ${i + 1} is not the record of an epoch`);
    }
    if (value.epoch > epochs) break;
    kept.push(value);
  }
  return kept;
}

/** The lines of `metrics.jsonl`, as `readLines` reads them. */
export function readMetrics(path: string, epochs: number): EpochMetrics[] {
  return readLines(path, epochs, metricsSchema);
}

/** A line of `metrics.jsonl`; undefined for anything else. */
export const parseMetrics = (line: string): EpochMetrics | undefined => parse(line, metricsSchema);

/** Replaces a file by this text, unless it holds exactly that; a link by a file, since lines may follow. */
export function replaceIfOther(path: string, text: string): void {
  if (!isUnsharedFile(path) || readText(path, largest.lines) !== text) writeAtomically(path, text);
}

export function formatLines(lines: readonly object[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
}

function parse<T>(line: string, schema: z.ZodType<T>): T | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return schema.safeParse(value).success ? (value as T) : undefined;
  } catch {
    return undefined;
  }
}
