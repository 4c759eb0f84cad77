/** Which files a command opens, and how much memory it takes. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Result } from "./cli.test.fixture.js";
import { fewbit } from "./cli.test.fixture.js";

/** Loaded into the command, and into its threads, before anything else: it writes down what is opened or listed. */
const recorder = `
  import fs from "node:fs";
  import { syncBuiltinESMExports } from "node:module";
  import { isMainThread } from "node:worker_threads";
  const log = process.env.OPENED_LOG;
  const append = fs.appendFileSync;
  const note = (line) => append(log, JSON.stringify(line) + "\\n");
  for (const object of [fs, fs.promises]) {
    for (const name of ["open", "openSync", "readFile", "readFileSync", "readdir", "readdirSync", "opendir", "opendirSync"]) {
      const original = object[name];
      if (original === undefined) continue;
      object[name] = function (path, ...rest) {
        if (typeof path === "string" || path instanceof URL || Buffer.isBuffer(path)) note({ path: String(path) });
        return original.call(this, path, ...rest);
      };
    }
  }
  syncBuiltinESMExports();
  if (isMainThread) process.on("exit", () => note({ kibibytes: process.resourceUsage().maxRSS }));
`;

/** fewbit's own files, and what the system tells of a process. */
const own = [fileURLToPath(new URL("../..", import.meta.url)), "/proc/", "/sys/"];

export interface Opened extends Result {
  /** Paths of files and folders in the order in which they were opened first, without fewbit's own. */
  readonly paths: readonly string[];
  /** The most memory that the process had, in MiB. */
  readonly mebibytes: number;
}

/** Runs `fewbit` in a folder and tells what it opened. */
export async function opened(folder: string, args: string): Promise<Opened> {
  const [script, log] = [join(folder, "recorder.mjs"), join(folder, "opened.log")];
  writeFileSync(script, recorder);
  rmSync(log, { force: true });
  const env = { NODE_OPTIONS: `--import ${pathToFileURL(script).href}`, OPENED_LOG: log };
  const result = await fewbit(folder, args, { env });
  const lines = readFileSync(log, "utf8").trimEnd().split("\n");
  const notes = lines.map((line) => JSON.parse(line) as { path?: string; kibibytes?: number });
  const paths = notes.flatMap(({ path }) => (path === undefined ? [] : [pathOf(path)]));
  const others = paths
    .map((path) => resolve(folder, path))
    .filter((path) => !own.some((at) => path.startsWith(at)));
  return { ...result, paths: [...new Set(others)], mebibytes: (notes.at(-1)?.kibibytes ?? NaN) / 1024 };
}

const pathOf = (path: string): string => (path.startsWith("file:") ? fileURLToPath(path) : path);
