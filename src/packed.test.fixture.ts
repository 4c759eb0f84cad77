/** The package as npm would publish it. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The paths in the package. */
export function packedFiles(): string[] {
  const npm = process.env.npm_execpath;
  const args = ["pack", "--dry-run", "--json", "--ignore-scripts"];
  const [command, ...first] = npm?.endsWith(".js") ? [process.execPath, npm] : ["npm"];
  const text = execFileSync(command, [...first, ...args], { cwd: root, encoding: "utf8" });
  const [{ files }] = JSON.parse(text) as [{ files: { path: string }[] }];
  return files.map(({ path }) => path);
}

/** Installs the package in a folder, without kernels, as package managers do that run no install scripts. */
export function installPacked(folder: string): void {
  const modules = join(folder, "node_modules");
  for (const path of packedFiles()) cpSync(join(root, path), join(modules, "fewbit", path));
  for (const name of readdirSync(join(root, "node_modules")).filter((entry) => !entry.startsWith("."))) {
    symlinkSync(join(root, "node_modules", name), join(modules, name));
  }
}

/** Copies an example of the package into a new folder, and gives its path. */
export function copyExample(name: string, folder: string): string {
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, "examples", name), folder, { recursive: true });
  return folder;
}
