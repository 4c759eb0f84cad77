/** What a reader sees of the plots, on a phone and where the axes leave something out. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Browser } from "playwright-core";
import { launchChromium } from "../browser.test.fixture.js";
import { buildReport, page } from "./index.js";
import { madeRun, of } from "./report.test.fixture.js";

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

const pageOf = (top1: readonly number[]): Promise<string> =>
  page(buildReport({ runs: [madeRun(of("dorefa", "2/2"), top1)], warnings: [] }, { title: "One run" }));

test("plots of costs and curves fit a screen of 390 pixels", async () => {
  const view = await browser.newPage({ viewport: { width: 390, height: 844 } });
  await view.setContent(await pageOf([95, 97, 98]));
  const rights = await view.evaluate<number[]>(
    `[...document.querySelectorAll(".fb-costs .fb-plot, .fb-curves .fb-plot")].map((plot) => plot.getBoundingClientRect().right)`,
  );
  expect(rights).toHaveLength(4);
  for (const right of rights) expect(right).toBeLessThanOrEqual(390);
  await view.close();
});

const settled = Array.from({ length: 19 }, (_, i) => 98 + i / 100);
test.each([
  ["a first epoch far below the others is said to be outside the axes", [10, ...settled], true],
  ["curves that the axes hold whole are not spoken of", [98, 98], false],
])("%s", async (_, top1, isSaid) => {
  const text = await pageOf(top1);
  expect(text.includes("The axes leave out what is below the 5th percentile")).toBe(isSaid);
});
