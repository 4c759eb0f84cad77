#!/usr/bin/env node
/**
 * Makes a clone ready to run: packages, then dist/ from src/, then the native kernels. Each step is
 * skipped where its result is up to date, and shown as one line where it is not.
 *
 * Plain Node, nothing imported but its own modules: it runs before anything is installed.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const oldestNode = 20;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const at = (...names) => join(root, ...names);

function stop(message) {
  console.error(`error: ${message}`);
  process.exit(1);
}

/** Runs a command out of sight; its output is shown only if it fails. */
function run(command, args) {
  const result = spawnSync(command, args, {
    cwd: root,
    encoding: "utf8",
    shell: process.platform === "win32" && command === "npm",
  });
  if (result.status === 0) return;
  const output = `${result.stdout ?? ""}${result.stderr ?? ""}`.trim();
  if (output !== "") console.error(output);
  stop(`${[command, ...args].join(" ")} failed${result.error ? ` (${result.error.message})` : ""}`);
}

async function step(doing, work) {
  const start = Date.now();
  process.stdout.write(`  ${doing} ...`);
  await work();
  console.log(` ${seconds(start)}`);
}

const seconds = (start) => `${((Date.now() - start) / 1000).toFixed(1)} s`;

/** npm writes this file last, so an interrupted installation is repeated. */
async function installPackages() {
  const installed = at("node_modules", ".package-lock.json");
  const time = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (time(installed) >= time(at("package-lock.json")) && existsSync(installed)) return;
  await step("installing packages", () =>
    // The package's own scripts would do what the steps below do.
    runNpm(["ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]),
  );
}

function runNpm(args) {
  const npm = process.env.npm_execpath;
  if (npm?.endsWith(".js")) run(process.execPath, [npm, ...args]);
  else run("npm", args);
}

/** dist/ carries the hash of the sources that it was made from. */
async function compileSources() {
  const record = at("build", "dist.json");
  const hash = hashOf([
    at("tsconfig.json"),
    at("tsconfig.build.json"),
    at("package-lock.json"),
    ...sourcesIn(at("src")),
  ]);
  const upToDate = existsSync(at("dist", "index.js")) && existsSync(record);
  if (upToDate && JSON.parse(readFileSync(record, "utf8")).hash === hash) return;
  await step("compiling TypeScript", () => {
    const fresh = at("build", `dist-${process.pid}`);
    mkdirSync(at("build"), { recursive: true });
    try {
      run(process.execPath, [
        at("node_modules", "typescript", "bin", "tsc"),
        "-p",
        "tsconfig.build.json",
        "--outDir",
        fresh,
      ]);
      rmSync(at("dist"), { recursive: true, force: true });
      renameSync(fresh, at("dist"));
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
    writeFileSync(record, `${JSON.stringify({ hash })}\n`);
  });
}

function sourcesIn(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return sourcesIn(path);
      return entry.name.endsWith(".ts") ? [path] : [];
    });
}

function hashOf(files) {
  const hash = createHash("sha256");
  for (const file of files) hash.update(`${file}\0`).update(readFileSync(file));
  return hash.digest("hex");
}

if (Number.parseInt(process.versions.node, 10) < oldestNode) {
  stop(
    `fewbit needs Node ${oldestNode} or newer, and this is ${process.versions.node}; see https://nodejs.org`,
  );
}
await installPackages();
await compileSources();
// It says what it builds, or why it cannot: without kernels fewbit still runs.
const { buildKernels } = await import("./build-kernels.mjs");
await buildKernels();
