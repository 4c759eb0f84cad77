#!/usr/bin/env node
/**
 * Makes a clone ready to run: packages, then the dashboard's page, dist/ from src/, and the native
 * kernels. Each step is skipped where its result is up to date, and shown as one line where it is not.
 *
 * Plain Node, nothing imported but its own modules: it runs before anything is installed.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
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
import { nodeProblem } from "./node-version.mjs";

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

/**
 * Makes a folder anew unless its record in build/ has the hash of these files: `make` gets the path of
 * another folder to fill, which takes its place when it is whole. Returns the hash.
 */
async function folderOf(name, doing, files, folder, make, more = "") {
  const record = at("build", `${name}.json`);
  const hash = hashOf(files, more);
  if (existsSync(folder) && hashIn(record) === hash) return hash;
  await step(doing, () => {
    const fresh = at("build", `${name}-${process.pid}`);
    mkdirSync(at("build"), { recursive: true });
    try {
      make(fresh);
      rmSync(folder, { recursive: true, force: true });
      renameSync(fresh, folder);
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
    writeFileSync(record, `${JSON.stringify({ hash })}\n`);
  });
  return hash;
}

/** The hash in a record; undefined if there is none, or it was cut short: what it is of is then made anew. */
function hashIn(record) {
  try {
    return JSON.parse(readFileSync(record, "utf8"))?.hash;
  } catch {
    return undefined;
  }
}

function buildPage() {
  const files = [
    at("package-lock.json"),
    at("src", "dashboard", "api.ts"),
    ...sourcesIn(at("web", "dashboard")),
  ];
  return folderOf("page", "building the dashboard's page", files, at("build", "page"), (fresh) =>
    run(process.execPath, [
      at("node_modules", "vite", "bin", "vite.js"),
      "build",
      at("web", "dashboard"),
      "--outDir",
      fresh,
      "--logLevel=warn",
    ]),
  );
}

/** dist/ holds the page, too, so that it is there or not as a whole. */
function compileSources(page) {
  const files = [
    at("tsconfig.json"),
    at("tsconfig.build.json"),
    at("package-lock.json"),
    ...sourcesIn(at("src")),
  ];
  const make = (fresh) => {
    run(process.execPath, [
      at("node_modules", "typescript", "bin", "tsc"),
      "-p",
      "tsconfig.build.json",
      "--outDir",
      fresh,
    ]);
    cpSync(at("build", "page"), join(fresh, "dashboard", "page"), { recursive: true });
  };
  return folderOf("dist", "compiling TypeScript", files, at("dist"), make, page);
}

function sourcesIn(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return sourcesIn(path);
      const builtFrom =
        /\.(tsx?|css|html|svg)$|^tsconfig\.json$/.test(entry.name) && !/\.test\./.test(entry.name);
      return builtFrom ? [path] : [];
    });
}

function hashOf(files, more) {
  const hash = createHash("sha256").update(more);
  for (const file of files) hash.update(`${file}\0`).update(readFileSync(file));
  return hash.digest("hex");
}

const tooOld = nodeProblem();
if (tooOld) stop(tooOld);
await installPackages();
await compileSources(await buildPage());
// It says what it builds, or why it cannot: without kernels fewbit still runs.
const { buildKernels } = await import("./build-kernels.mjs");
await buildKernels();
