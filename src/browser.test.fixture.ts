/** Chromium for tests, and a server of files for it. */
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import type { Browser, BrowserContext, BrowserContextOptions } from "playwright-core";
import { chromium } from "playwright-core";

/** Debian's package chromium, or $CHROMIUM, the path of another. */
export function launchChromium(): Promise<Browser> {
  const path = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser"].find(
    (candidate) => candidate && existsSync(candidate),
  );
  if (path === undefined) {
    throw new Error("this test needs Chromium: apt-get install chromium, or set CHROMIUM to its path");
  }
  // Its sandbox refuses to run for root, which continuous integration often is.
  return chromium.launch({ executablePath: path, args: ["--no-sandbox"] });
}

/** A window whose waits have the patience of the tests (vitest.config.ts). */
export async function openWindow(browser: Browser, options?: BrowserContextOptions): Promise<BrowserContext> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(30_000 * Number(process.env.FEWBIT_TEST_PATIENCE ?? 1));
  return context;
}

const types: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".wasm": "application/wasm",
};

export interface FileServer {
  /** The address of the server, such as "http://127.0.0.1:1234/". */
  readonly url: string;
  close(): void;
}

/** Serves a folder's pages, scripts and WebAssembly on this machine alone. */
export async function serveFiles(root: string): Promise<FileServer> {
  const server: Server = createServer(({ url = "/" }, response) => {
    const { pathname } = new URL(url, "http://localhost");
    const path = join(root, pathname.endsWith("/") ? `${pathname}index.html` : pathname);
    const type = types[extname(path)];
    if (type === undefined || !existsSync(path)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": type }).end(readFileSync(path));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () => server.close(),
  };
}
