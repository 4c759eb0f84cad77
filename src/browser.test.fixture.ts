/** Chromium for tests: Debian's package chromium, or $CHROMIUM, the path of another. */
import { existsSync } from "node:fs";
import type { Browser } from "playwright-core";
import { chromium } from "playwright-core";

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
