/** The library in a browser: what it may import, and that Chromium trains to the same bits as Node. */
import { readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { FileServer } from "./browser.test.fixture.js";
import { launchChromium, openWindow, serveFiles } from "./browser.test.fixture.js";
import { build } from "./cli/cli.test.fixture.js";
import type { WasmModule } from "./runtime/wasm.js";
import { loadWasm } from "./runtime/wasm-file.js";

const root = fileURLToPath(new URL("..", import.meta.url));
beforeAll(build);

/** Every module that one reaches, and every import that is no relative path. */
function walk(path: string, reached = new Set<string>(), foreign: string[] = []) {
  if (reached.has(path)) return { reached, foreign };
  reached.add(path);
  const text = readFileSync(path, "utf8").replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, "");
  for (const [, target] of text.matchAll(
    /(?:\bfrom|\bimport|\bimport\(|\brequire\()\s*["']([^"'\n]+)["']/g,
  )) {
    if (target.startsWith(".")) walk(resolve(dirname(path), target), reached, foreign);
    else foreign.push(`${relative(root, path)} imports ${target}`);
  }
  return { reached, foreign };
}

test("fewbit/web reaches its own modules only", () => {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    exports: Record<string, { default: string }>;
  };
  const { reached, foreign } = walk(join(root, exports["./web"].default));
  expect(foreign).toEqual([]);
  expect(reached.size).toBeGreaterThan(50);
  expect(walk(join(root, exports["."].default)).foreign.length).toBeGreaterThan(0);
});

interface Training {
  readonly losses: readonly number[];
  readonly hash: string;
}
type Trainings = Readonly<Record<"float" | "dorefa", Training>>;

let server: FileServer | undefined;
let browser: Browser | undefined;
afterAll(async () => {
  await browser?.close();
  server?.close();
});

test("Chromium trains LeNet-5 in a worker to the same bits as Node", async () => {
  server = await serveFiles(root);
  browser = await launchChromium();
  const page = await (await openWindow(browser)).newPage();
  await page.goto(`${server.url}web/test/`);
  const inBrowser = await page.evaluate<Trainings>("results");

  const script = new URL("../web/test/train.js", import.meta.url).href;
  const { trainAll } = (await import(script)) as { trainAll(module: WasmModule): Promise<Trainings> };
  const inNode = await trainAll(loadWasm().module!);
  expect(inBrowser).toEqual(inNode);
  for (const { losses, hash } of Object.values(inNode)) {
    expect(losses).toHaveLength(20);
    expect(losses[19]).toBeLessThan(losses[0] / 2);
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
  }
});
