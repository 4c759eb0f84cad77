import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import base from "./vitest.config.js";

/** By what a test is known that starts a browser, a server or a process. */
const startsOthers =
  /child_process|playwright|createServer|\.listen\(|(cli|browser|redis|server|packed|pictures)\.test\.fixture|\.test\.child|dist\//;

/** Long comparisons with golden values, and trainings; `npm test` has them. */
const long = [
  "compiler/bf16",
  "compiler/counts",
  "data/dataset",
  "runtime/conformance",
  "runtime/native-maps",
  "training/golden",
  "training/golden-blocks",
  "training/golden-deep",
  "training/golden-imagenet",
  "training/methods-document",
  "training/sample-defaults",
  "training/saver",
  "training/start",
  "training/stop",
  "training/streamed",
  "training/train",
  "training/under-way",
  "wrong-arguments",
].map((name) => `src/${name}.test.ts`);

const files = readdirSync("src", { recursive: true, encoding: "utf8" })
  .map((name) => join("src", name).replaceAll("\\", "/"))
  .filter((name) => name.endsWith(".test.ts") && !long.includes(name))
  .filter((name) => !startsOthers.test(readFileSync(name, "utf8")));

/** What can be run after each change: no browser, no server, no other process, in less than a minute on two CPUs. */
export default defineConfig({
  test: { ...base.test, include: files, poolOptions: { forks: { maxForks: 2, minForks: 1 } } },
});
