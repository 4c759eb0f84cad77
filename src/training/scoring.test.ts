/** What an image's answer is, on every executor: ranks of tied logits, and what eval, confusion and answers agree on. */
import { describe, expect, test } from "vitest";
import { compile } from "../compiler/compile.js";
import { createState } from "../compiler/state.js";
import type { Tensor } from "../graph/index.js";
import { topKCorrect } from "../graph/index.js";
import { chooseExecutor } from "../runtime/choose.js";
import type { ExecutorName } from "../runtime/executor.js";
import { answerOf, countAnswers, noCounts } from "../run-folder/index.js";

const classes = 10;
const count = 500;

/** Small whole numbers, so that most rows tie, as those of a network whose last layer is quantized; some NaN and infinite. */
function rows(): { logits: Float32Array; labels: Int32Array } {
  let state = 7;
  const random = (below: number): number => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
  const special = [NaN, Infinity, -Infinity, -0];
  const logits = Float32Array.from({ length: count * classes }, () =>
    random(60) === 0 ? special[random(4)] : random(4) - 1,
  );
  return { logits, labels: Int32Array.from({ length: count }, () => random(classes)) };
}

/** Classes of a row from the highest logit to the lowest, equal ones by index (a stable sort). */
const ranked = (row: readonly number[]): number[] => [...row.keys()].sort((a, b) => row[b] - row[a] || a - b);

describe.each<ExecutorName>(["native", "wasm", "reference"])("on the %s executor", (name) => {
  test("ranks are those of a stable sort, rank 0 is the answer, and the counts' diagonal is top-1", async () => {
    const { executor } = chooseExecutor({ executor: name });
    const { logits, labels } = rows();
    const step = compile(
      (_: { none: Tensor }, batch: { logits: Tensor; labels: Tensor }) => ({
        top1: topKCorrect(batch.logits, batch.labels, 1),
        top5: topKCorrect(batch.logits, batch.labels, 5),
      }),
      { executor },
    );
    const state = createState<{ none: Tensor }>(
      { none: { data: new Float32Array(1), shape: [1] } },
      { executor },
    );
    const host = { data: logits, shape: [count, classes] };
    const { top1, top5 } = await step(state, { logits: host, labels: { data: labels, shape: [count] } });

    const expected = Array.from(labels, (label, i) => {
      const row = Array.from(logits.subarray(i * classes, (i + 1) * classes));
      return row.some(Number.isNaN) ? Infinity : ranked(row).indexOf(label);
    });
    expect(top1.data[0]).toBe(expected.filter((rank) => rank === 0).length);
    expect(top5.data[0]).toBe(expected.filter((rank) => rank < 5).length);

    const answers = Array.from(labels, (_, i) => answerOf(host, i));
    expect(answers.map((answer, i) => answer === labels[i])).toEqual(expected.map((rank) => rank === 0));
    const counts = noCounts(classes);
    countAnswers(counts, host, labels);
    expect(counts.reduce((sum, row, label) => sum + row[label], 0)).toBe(top1.data[0]);
    const without = expected.filter((rank) => rank === Infinity).length;
    expect(without).toBeGreaterThan(10);
    expect(counts.flat().reduce((a, b) => a + b)).toBe(count - without);
  });
});
