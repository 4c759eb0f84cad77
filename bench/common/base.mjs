/** The commit that a benchmark compares with, in a clone of its own. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./processes.mjs";

/**
 * Calls `use` with the folder of a clone at the commit, and removes it afterwards. Without a commit the process ends
 * with code 2.
 */
export async function withBase(name, base, use) {
  if (base === undefined) {
    console.error(`${name} needs the commit to compare with: --base REVISION`);
    process.exit(2);
  }
  const folder = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
  const clone = join(folder, "clone");
  const git = (...parts) => execFileSync("git", parts, { stdio: "ignore" });
  try {
    git("clone", "-q", root, clone);
    git("-C", clone, "checkout", "-q", base);
    await use(clone);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Present code and the base, each first in every other round. */
export const turns = (round, clone) => {
  const both = [
    ["present", root],
    ["base", clone],
  ];
  return round % 2 === 0 ? both : both.reverse();
};
