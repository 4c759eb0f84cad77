/** The page in Chromium, as people use it. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import axe from "axe-core";
import type { AxeResults } from "axe-core";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { launchChromium, openWindow } from "../browser.test.fixture.js";
import { build } from "../cli/cli.test.fixture.js";
import { lockDirectory } from "../run-folder/index.js";
import { endEpoch, metricsLine, writeRun } from "../runs.test.fixture.js";
import type { Dashboard } from "./server.js";
import { startDashboard } from "./server.js";

const folder = mkdtempSync(join(tmpdir(), "fewbit-page-"));
const names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const trained = { layers: ["conv1", "conv2", "fc1"], confusion: true, classNames: names };
const live = {
  ...trained,
  epochs: 2,
  planned: 9,
  method: "qnn",
  options: { weightBits: 1, activationBits: 1 },
};

let browser: Browser;
let dashboard: Dashboard;
let running: string;
let release: () => void;
const pages: { page: Page; complaints: string[] }[] = [];

beforeAll(async () => {
  build();
  writeRun(folder, "dorefa-2", { ...trained, epochs: 6, top1: 98.5, seed: 2 });
  writeRun(folder, "dorefa-10", { ...trained, epochs: 6, top1: 99.2, seed: 10 });
  writeRun(folder, "float", { epochs: 6, top1: 99.6, method: "baseline", options: {}, data: "digits" });
  writeRun(folder, "broken-off", { epochs: 1, planned: 4, top1: 60, optimizer: "sgd", learningRate: 0.1 });
  running = writeRun(folder, "trains", live);
  release = lockDirectory(running).release;
  dashboard = await startDashboard({ folder, port: 0 });
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  await dashboard?.close();
  release();
  rmSync(folder, { recursive: true });
});

/** No page may complain, or ask another server for anything. */
async function closePages(): Promise<void> {
  for (const { page, complaints } of pages.splice(0)) {
    await page.context().close();
    expect(complaints).toEqual([]);
  }
}
afterEach(closePages);

async function openPage(hash = "", options: BrowserContextOptions = {}, url = dashboard.url): Promise<Page> {
  const context = await openWindow(browser, { viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", ({ message }) => complaints.push(message));
  page.on("console", (message) => {
    const ofTests = message.text().includes("willReadFrequently"); // they read what is drawn
    if (["error", "warning"].includes(message.type()) && !ofTests) complaints.push(message.text());
  });
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) complaints.push(request.url());
  });
  pages.push({ page, complaints });
  await page.goto(`${url}${hash}`);
  await page.locator("main h1").waitFor();
  return page;
}

const namesShown = (page: Page): Promise<string[]> => page.locator(".runs tbody th a").allTextContents();
const row = (page: Page, name: string) => page.locator(".runs tbody tr", { hasText: name });

/** Pixels of a canvas that are not transparent. */
const inkOf = (page: Page, selector: string): Promise<number> =>
  page.evaluate<number>(`(() => {
    const canvas = document.querySelector(${JSON.stringify(selector)});
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let ink = 0;
    for (let i = 3; i < data.length; i += 4) if (data[i] > 0) ink++;
    return ink;
  })()`);

async function expectAccessible(page: Page): Promise<void> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<AxeResults>("axe.run()");
  expect(
    violations.map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => [html, failureSummary])]),
  ).toEqual([]);
}

test("all runs are counted, ordered by their headings, and filtered", async () => {
  const page = await openPage();
  await expect.poll(() => namesShown(page)).toHaveLength(5);
  expect(await page.locator(".counts").innerText()).toMatch(
    /running\s+1\s+done\s+3\s+interrupted\s+1\s+damaged\s+0/,
  );
  const sortBy = (name: string) => page.getByRole("button", { name }).click();
  expect(await namesShown(page)).toEqual(["broken-off", "dorefa-2", "dorefa-10", "float", "trains"]);
  expect(await page.locator("th.c-name[aria-sort]").getAttribute("aria-sort")).toBe("ascending");
  await sortBy("Best");
  expect((await namesShown(page))[0]).toBe("float");
  await sortBy("Best");
  expect((await namesShown(page))[0]).toBe("broken-off");
  expect(await page.locator("[aria-sort]").count()).toBe(1);

  await sortBy("Run");
  await page.getByLabel("Search").fill("DoReFa w1a2 done");
  await expect.poll(() => namesShown(page)).toEqual(["dorefa-2", "dorefa-10"]);
  expect(await page.locator(".shown").textContent()).toBe("2 of 5 runs");
  await page.getByRole("button", { name: "Clear filters" }).click();
  await page.getByLabel("State").selectOption("interrupted");
  await expect.poll(() => namesShown(page)).toEqual(["broken-off"]);
  await page.getByLabel("Method").selectOption("dorefa");
  await page.getByLabel("State").selectOption("");
  await expect.poll(() => namesShown(page)).toHaveLength(3);
  await page.getByLabel("Search").fill("nothing like this");
  await page.getByText("No run matches").waitFor();
});

test("chosen runs are drawn over one another, by epochs and by time", async () => {
  const page = await openPage();
  await page.getByText("Choose runs in the table").waitFor();
  await page.getByLabel("Choose dorefa-10").check();
  await page.getByLabel("Choose float").check();
  const charts = page.locator(".compare .chart");
  await expect.poll(() => charts.count()).toBe(3);
  expect(await charts.locator("figcaption").allTextContents()).toEqual([
    "Top-1 accuracy on the test set",
    "Training loss",
    "Learning rate",
  ]);
  const legend = page.locator(".compare .legend li a");
  await expect.poll(() => legend.allTextContents()).toEqual(["dorefa-10", "float"]);
  expect(await inkOf(page, ".compare canvas")).toBeGreaterThan(500);
  const drawn = (): Promise<string> =>
    page.evaluate<string>("document.querySelector('.compare canvas').toDataURL()");
  const two = await drawn();
  await page.getByLabel("Choose dorefa-2", { exact: true }).check();
  await expect.poll(drawn).not.toBe(two);
  const label = (): Promise<string | null> =>
    page.locator(".compare .plot").first().getAttribute("aria-label");
  expect(await label()).toMatch(/epoch 1 to 6: .*float from \d.*% to 8\d\.\d\d%/);
  await page.getByLabel("time", { exact: true }).check();
  await expect.poll(label).toMatch(/, seconds 1[12]/);
  await page.locator(".compare summary").first().click();
  // The table is made when it is opened.
  const heads = page.locator(".compare .numbers thead th");
  await expect.poll(() => heads.allTextContents()).toEqual(["seconds", "dorefa-10", "dorefa-2", "float"]);
  await page.getByRole("button", { name: "Choose none" }).click();
  await page.getByText("Choose runs in the table").waitFor();
});

test("a run's page shows its curves, layers, confusion matrix and configuration", async () => {
  const page = await openPage();
  await page.getByRole("link", { name: "dorefa-10" }).first().click();
  await page.getByRole("heading", { level: 1, name: "dorefa-10" }).waitFor();
  await expect.poll(() => page.title()).toBe("dorefa-10 · fewbit");
  expect(await page.locator(".facts").innerText()).toMatch(/published\s+99\.61%\s+epoch\s+6 of 6/);
  await page.getByRole("heading", { name: "Confusion matrix" }).waitFor();
  expect(await page.locator(".charts .plot").count()).toBe(7);
  expect(await inkOf(page, "canvas[role=img]")).toBeGreaterThan(2000);

  await page.getByRole("combobox", { name: "Layer" }).selectOption("fc1");
  const last = page.locator("section[aria-labelledby=layers]");
  await last.getByText("Weights of fc1 after epoch 6").first().waitFor();
  expect(await last.locator(".inline").innerText()).toMatch(/levels\s+4\s/);
  await last.getByRole("slider", { name: "Epoch" }).press("Home");
  await last.getByText("Weights of fc1 after epoch 1").first().waitFor();
  expect(await last.locator(".bars rect").count()).toBe(32);

  const matrix = page.locator(".matrix table");
  expect(await matrix.locator("tbody tr").count()).toBe(10);
  expect(await matrix.locator("tbody tr").nth(3).locator("th, td").nth(4).innerText()).toMatch(
    /^93\s+\d+\.\d%$/,
  );
  expect(await matrix.locator("thead th").allTextContents()).toEqual(["class", ...names, "right"]);
  await page.getByText("Most often:").waitFor();
  expect(await page.locator(".configuration").innerText()).toContain("optimizer.options.learningRate");

  await page.getByRole("link", { name: "Runs", exact: true }).click();
  await page.getByRole("link", { name: "float" }).first().click();
  await page.getByText("Not recorded in this run").waitFor();
  await page.getByText("Nothing is recorded before the first epoch's end").waitFor();
});

test("the page follows a run that trains, and asks before it stops it", async () => {
  const page = await openPage();
  const cell = row(page, "trains").locator(".c-epoch");
  await expect.poll(() => cell.textContent()).toBe("2/9");
  endEpoch(running, 3, live);
  await expect.poll(() => cell.textContent()).toBe("3/9");
  await page.getByRole("link", { name: "trains" }).click();
  await page.getByText("Weights of conv2 after epoch 3").first().waitFor();
  endEpoch(running, 4, live);
  await page.getByText("Weights of conv2 after epoch 4").first().waitFor();
  expect(await page.locator(".facts").innerText()).toContain("4 of 9");

  const file = join(running, "stop");
  const dialog = page.getByRole("dialog");
  await page.getByRole("button", { name: "Stop this run" }).click();
  expect(await dialog.innerText()).toMatch(
    /Stop trains\?[^]*saves the step it is at, epoch 5 of 9[^]*can be resumed/,
  );
  await expectAccessible(page);
  await page.keyboard.press("Enter"); // the focus is on what changes nothing
  await dialog.waitFor({ state: "hidden" });
  await page.getByRole("button", { name: "Stop this run" }).click();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  expect(existsSync(file)).toBe(false);
  await page.getByRole("button", { name: "Stop this run" }).click();
  await dialog.getByRole("button", { name: "Stop it" }).click();
  await page.getByText("Asked to stop; it ends after the step").waitFor();
  expect(existsSync(file)).toBe(true);
  expect(await page.getByRole("button", { name: "Stop this run" }).count()).toBe(0);
  rmSync(file);
});

test("everything is reached by the keyboard", async () => {
  const page = await openPage();
  const focused = (): Promise<string> =>
    page.evaluate<string>(
      "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.slice(0, 60)",
    );
  const tabTo = async (text: string): Promise<void> => {
    for (let presses = 0; presses < 40 && (await focused()) !== text; presses++)
      await page.keyboard.press("Tab");
    expect(await focused()).toBe(text);
  };
  await page.keyboard.press("Tab");
  expect(await focused()).toBe("Skip to the content");
  await page.keyboard.press("Enter");
  expect(await page.evaluate("document.activeElement.id")).toBe("main");
  await tabTo("Run▲");
  await page.keyboard.press("Enter");
  await expect.poll(focused).toBe("Run▼");
  await page.keyboard.press("Space");
  await tabTo("Choose broken-off");
  await page.keyboard.press("Space");
  await page.keyboard.press("ArrowDown");
  await expect.poll(focused).toBe("Choose dorefa-2");
  await page.keyboard.press("Space");
  expect(await page.locator(".compare .legend li").count()).toBe(2);
  await page.keyboard.press("End");
  await expect.poll(focused).toBe("Choose trains");
  await page.keyboard.press("Tab");
  expect(await focused()).toBe("trains");
  expect(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")).toBe("solid");
  await page.keyboard.press("Home");
  await expect.poll(focused).toBe("broken-off");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "broken-off" }).waitFor();
  await expect.poll(() => page.evaluate("document.activeElement.tagName")).toBe("H1");
});

test("pages are accessible in light and dark, wide and narrow", async () => {
  const ids = dashboard.watch.snapshot(true).runs;
  const id = ids.find(({ name }) => name === "dorefa-2")!.id;
  for (const colorScheme of ["light", "dark"] as const) {
    const page = await openPage("", { colorScheme, reducedMotion: "reduce" });
    await page.getByLabel("Choose all").check();
    await page.locator(".compare .chart").first().waitFor();
    await page.locator(".compare summary").first().click();
    await expectAccessible(page);
    await page.goto(`${dashboard.url}#/run/${id}`);
    await page.getByText("Most often:").waitFor();
    await expectAccessible(page);
    await page.goto(`${dashboard.url}#/report`);
    await page.locator(".report table").first().waitFor();
    await expectAccessible(page);
  }
  const narrow = await openPage(`#/run/${id}`, { viewport: { width: 400, height: 800 } });
  await narrow.getByText("Most often:").waitFor();
  expect(await narrow.evaluate("document.documentElement.scrollWidth")).toBe(400);
  await expectAccessible(narrow);
  await narrow.getByRole("link", { name: "Runs", exact: true }).click();
  await expect.poll(() => namesShown(narrow)).toHaveLength(5);
  expect(await narrow.evaluate("document.documentElement.scrollWidth")).toBe(400);
});

test("the theme follows the system, or is chosen and kept", async () => {
  const page = await openPage("", { colorScheme: "dark" });
  const ground = (): Promise<string> =>
    page.evaluate<string>("getComputedStyle(document.documentElement).backgroundColor");
  expect(await ground()).toBe("rgb(18, 21, 26)");
  await page.getByLabel("Theme").selectOption("light");
  expect(await ground()).toBe("rgb(246, 247, 249)");
  await page.reload();
  await page.locator("main h1").waitFor();
  expect(await ground()).toBe("rgb(246, 247, 249)");
});

test("the report's tables fill in as epochs end", async () => {
  const page = await openPage("#/report");
  const cell = page.locator(".report .fb-grid tr", { hasText: "QNN" });
  await cell.waitFor();
  const before = await cell.innerText();
  endEpoch(running, 5, live);
  await expect.poll(() => cell.innerText()).not.toBe(before);
});

test("without runs the page says how to start one, and shows it when it begins; a lost server is reported", async () => {
  const empty = mkdtempSync(join(tmpdir(), "fewbit-empty-"));
  const other = await startDashboard({ folder: empty, port: 0 });
  try {
    const page = await openPage("", {}, other.url);
    await page.getByText("npx fewbit train lenet5").waitFor();
    writeRun(empty, "first", { epochs: 1 });
    await expect.poll(() => namesShown(page)).toEqual(["first"]);
    expect(await page.locator(".connection").textContent()).toBe("Live");
    await other.close();
    await page.getByText("Connection lost; trying again").waitFor();
    await expect.poll(() => page.locator("[role=status].unseen").textContent()).toContain("lost");
    pages[0].complaints.splice(0); // the browser's own, of requests that failed
  } finally {
    await other.close().catch(() => {});
    rmSync(empty, { recursive: true });
  }
});

test("1,000 runs of 200 epochs: all are there, and only those in sight are in the document", async () => {
  const many = mkdtempSync(join(tmpdir(), "fewbit-many-"));
  const metrics = Array.from({ length: 200 }, (_, i) => metricsLine(i + 1)).join("");
  for (let i = 1; i <= 1000; i++) {
    const method = ["dorefa", "qnn", "xnor", "twn"][i % 4];
    const directory = writeRun(many, `run-${i}`, { epochs: 0, planned: 200, method, options: {}, seed: i });
    writeFileSync(join(directory, "metrics.jsonl"), metrics);
  }
  const other = await startDashboard({ folder: many, port: 0 });
  try {
    const page = await openPage("", {}, other.url);
    await expect.poll(() => page.locator(".shown").textContent()).toBe("1,000 runs");
    const rows = (): Promise<number> => page.locator(".runs tbody tr:not(.gap)").count();
    expect(await page.locator(".runs table").getAttribute("aria-rowcount")).toBe("1001");
    expect(await rows()).toBeLessThan(60);
    expect((await namesShown(page))[0]).toBe("run-1");
    await page.getByLabel("Choose run-1", { exact: true }).focus();
    await page.keyboard.press("End");
    await expect.poll(async () => (await namesShown(page)).at(-1)).toBe("run-1000");
    expect(await rows()).toBeLessThan(60);
    await page.evaluate("document.querySelector('.runs').scrollTop = 18000");
    await expect.poll(async () => (await namesShown(page)).includes("run-500")).toBe(true);
    expect(await rows()).toBeLessThan(60);
    expect(await row(page, "run-500").getAttribute("aria-rowindex")).toBe("501");

    await page.getByLabel("Choose all").check();
    await page.getByText("The first 100 of 1,000 are drawn.").waitFor();
    expect(await inkOf(page, ".compare canvas")).toBeGreaterThan(500);
    await page.getByLabel("Search").fill("xnor");
    await expect.poll(() => page.locator(".shown").textContent()).toBe("250 of 1,000 runs, 1,000 chosen");
    await closePages();
  } finally {
    await other.close();
    rmSync(many, { recursive: true });
  }
});
