import { expect, test } from "vitest";
import { confusionSchema, countAnswers, noCounts } from "./confusion.js";

const logits = (...rows: number[][]) => ({
  data: Float32Array.from(rows.flat()),
  shape: [rows.length, rows[0].length],
});

test("an image counts for its label and the class of its largest logit, the first of equals", () => {
  const counts = noCounts(3);
  countAnswers(counts, logits([0, 2, 1], [5, 5, 5], [-1, -3, -1]), [1, 2, 0]);
  countAnswers(counts, logits([0, 1, 2]), Uint8Array.of(1));
  expect(counts).toEqual([
    [1, 0, 0],
    [0, 1, 1],
    [1, 0, 0],
  ]);
});

test.each([{ counts: [[-1]] }, { counts: [[0.5]] }, { counts: [1] }, { split: "validation" }, { epoch: 0 }])(
  "%j is no line",
  (change) => {
    const line = { epoch: 1, split: "test", counts: [[1]] };
    expect(confusionSchema.safeParse(line).success).toBe(true);
    expect(confusionSchema.safeParse({ ...line, ...change }).success).toBe(false);
  },
);
