import { expect, test } from "vitest";
import type { Batches } from "../data/batches.js";
import { feed } from "./feed.js";

/** Five images, [1, 2, 1] each, in steps of two; notes what happens in which order. */
function setUp() {
  const log: string[] = [];
  const batches: Batches = {
    steps: 3,
    size: (step) => (step < 2 ? 2 : 1),
    prepare: (epoch, step, images, labels) => {
      log.push(`prepare ${epoch}.${step}`);
      images.fill(10 * step);
      labels.fill(step);
    },
  };
  return { log, batches };
}

test("a batch is prepared while the one before it is in use, and each has its shape and its values", async () => {
  const { log, batches } = setUp();
  const complete = await feed(batches, [1, 2, 1], 7, 0, async ({ images, labels }, step) => {
    log.push(
      `use ${step}: ${images.data.join()} ${labels.data.join()} of ${images.shape.join("x")} ${labels.shape.join()}`,
    );
    await Promise.resolve();
    log.push(`end ${step}`);
    return true;
  });
  expect(complete).toBe(true);
  expect(log).toEqual([
    "prepare 7.0",
    "use 0: 0,0,0,0 0,0 of 2x1x2x1 2",
    "prepare 7.1",
    "end 0",
    "use 1: 10,10,10,10 1,1 of 2x1x2x1 2",
    "prepare 7.2",
    "end 1",
    "use 2: 20,20 2 of 1x1x2x1 1",
    "end 2",
  ]);
});

test("it begins where it is told, and ends where it is told", async () => {
  const { log, batches } = setUp();
  const used: number[] = [];
  const use = (_: unknown, step: number) => {
    used.push(step);
    return Promise.resolve(step < 1);
  };
  expect(await feed(batches, [1, 2, 1], 0, 1, use)).toBe(false);
  expect(used).toEqual([1]);
  log.length = 0;
  expect(await feed(batches, [1, 2, 1], 0, 3, use)).toBe(true);
  expect([used, log]).toEqual([[1], []]);
});
