/** How many tasks are under way, and in which order they begin. */
import { expect, test } from "vitest";
import { inTurn } from "./turns.js";

test("no more tasks than asked for are under way, each begins in its turn, and a failure lets the next one begin", async () => {
  const turn = inTurn(2);
  const [ends, began]: [(() => void)[], number[]] = [[], []];
  const tasks = [0, 1, 2, 3, 4].map((i) =>
    turn(async () => {
      began.push(i);
      await new Promise<void>((resolve) => (ends[i] = resolve));
      if (i === 1) throw new Error("task 1");
      return i;
    }),
  );
  const settled = Promise.allSettled(tasks);
  const seen: number[][] = [];
  for (const i of [1, 0, 2, 3, 4]) {
    await new Promise((resolve) => setImmediate(resolve));
    seen.push([...began]);
    ends[i]();
  }
  expect(seen).toEqual([
    [0, 1],
    [0, 1, 2],
    [0, 1, 2, 3],
    [0, 1, 2, 3, 4],
    [0, 1, 2, 3, 4],
  ]);
  expect((await settled).map((result) => (result.status === "fulfilled" ? result.value : "failed"))).toEqual([
    0,
    "failed",
    2,
    3,
    4,
  ]);
});
