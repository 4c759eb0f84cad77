import { setImmediate as turn } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { buildReport, tablesHtml } from "../report/index.js";
import { madeRun, of } from "../report/report.test.fixture.js";
import { Feed } from "./feed.js";
import { Tables } from "./tables.js";

const few = [
  madeRun(of("dorefa", "1/2"), [97, 98]),
  madeRun({ ...of("dorefa", "1/2"), seed: 2 }, [96, 99]),
  madeRun({ ...of("qnn", "2/2"), learningRate: 0.02 }, [90]),
];

test("they are the report's, and other work is done while they are made", async () => {
  const runs = Array.from({ length: 1000 }, (_, i) => {
    const run = few[i % few.length];
    return { ...run, config: { ...run.config, seed: i } };
  });
  const collection = { runs, warnings: [] };
  const tables = new Tables({ collection: () => collection, feed: new Feed() });
  let [turns, isMade] = [0, false];
  const made = tables.html().finally(() => (isMade = true));
  while (!isMade) {
    await turn();
    turns++;
  }
  expect(turns).toBeGreaterThanOrEqual(20);
  expect(await made).toBe(tablesHtml(buildReport(collection)));
});

test("they are made once for all who ask before something changes, and again after a failure", async () => {
  const feed = new Feed();
  const collection = vi.fn(() => ({ runs: few, warnings: [] }));
  const tables = new Tables({ collection, feed });
  const both = await Promise.all([tables.html(), tables.html()]);
  expect(await tables.html()).toBe(both[0]);
  expect(collection).toHaveBeenCalledTimes(1);
  feed.publish({ runs: [], removed: [] });
  collection.mockImplementationOnce(() => {
    throw new Error("a defect");
  });
  await expect(tables.html()).rejects.toThrow("a defect");
  expect(await tables.html()).toBe(both[0]);
  expect(collection).toHaveBeenCalledTimes(3);
});
