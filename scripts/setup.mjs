#!/usr/bin/env node
/**
 * Makes a fresh clone ready: installs packages, compiles TypeScript, builds the native kernels. Does
 * only what is out of date, so it may run before every command. Needs nothing but Node.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync, utimesSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const oldest = 20;

/** Newest change of a file, or of any file in a folder; 0 if there is none. */
function changed(path) {
  if (!existsSync(path)) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => changed(join(path, name))));
}

function step(text, command, args) {
  console.log(text);
  const shell = process.platform === "win32";
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: "utf8", shell });
  if (status === 0) return;
  console.error(`${stdout ?? ""}${stderr ?? ""}`.trim());
  console.error(`${command} ${args.join(" ")} failed; mend what it says above and run this again`);
  process.exit(1);
}

if (Number(process.versions.node.split(".")[0]) < oldest) {
  console.error(
    `fewbit needs Node ${oldest} or newer, but this is ${process.versions.node}; install a newer one`,
  );
  process.exit(1);
}

const installed = join(root, "node_modules/.package-lock.json");
if (changed(installed) < changed(join(root, "package-lock.json"))) {
  step("Installing packages ...", "npm", [
    "ci",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ]);
  utimesSync(installed, new Date(), new Date());
}

const compiled = join(root, "dist/index.js");
if (changed(compiled) < Math.max(changed(join(root, "src")), changed(join(root, "tsconfig.json")))) {
  step("Compiling TypeScript ...", process.execPath, [
    join(root, "node_modules/typescript/bin/tsc"),
    "-p",
    "tsconfig.build.json",
  ]);
  utimesSync(compiled, new Date(), new Date());
}

const { buildKernels } = await import("./build-kernels.mjs");
await buildKernels({ quiet: false });
