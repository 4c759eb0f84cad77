/** The confusion matrices of a run: the lines of `confusion.jsonl`, one per epoch. */
import { z } from "zod";
import type { HostArray } from "../graph/host.js";
import { readLines } from "./metrics.js";

/** Networks with more classes have no lines, since a line has a number per pair of classes. */
export const mostClasses = 100;

/** counts[label][answer]: images of class `label` whose largest logit, the first of equals, is that of `answer`. */
export type ConfusionCounts = readonly (readonly number[])[];

/** A line of `confusion.jsonl`. */
export interface ConfusionLine {
  readonly epoch: number;
  /** What the images are. */
  readonly split: "test";
  readonly counts: ConfusionCounts;
}

/** The class of the largest logit in row `row` of logits [N, classes], the first of equals; -1 where one is NaN. */
export function answerOf({ data, shape: [, classes] }: HostArray, row: number): number {
  let answer = 0;
  for (let c = 0; c < classes; c++) {
    const logit = data[row * classes + c];
    if (Number.isNaN(logit)) return -1;
    if (logit > data[row * classes + answer]) answer = c;
  }
  return answer;
}

export const confusionSchema = z.strictObject({
  epoch: z.int().positive(),
  split: z.literal("test"),
  counts: z.array(z.array(z.int().nonnegative())),
}) satisfies z.ZodType<ConfusionLine>;

/** The lines of `confusion.jsonl` of the first `epochs` epochs. Throws `UserError` as `readLines` does. */
export function readConfusion(path: string, epochs: number): ConfusionLine[] {
  return readLines(path, epochs, confusionSchema);
}

/** Counts of no images. */
export function noCounts(classes: number): number[][] {
  return Array.from({ length: classes }, () => Array<number>(classes).fill(0));
}

/** Adds a batch to counts: logits [N, classes] and the labels of its images. An image without an answer counts nowhere. */
export function countAnswers(counts: number[][], logits: HostArray, labels: ArrayLike<number>): void {
  for (let image = 0; image < logits.shape[0]; image++) {
    const answer = answerOf(logits, image);
    if (answer !== -1) counts[labels[image]][answer]++;
  }
}
