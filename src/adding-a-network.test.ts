/** docs/adding-a-network.md, followed to the letter by a user who has fewbit in node_modules. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const text = readFileSync(join(root, "docs/adding-a-network.md"), "utf8");
const [network, training] = [...text.matchAll(/```js\n([^]*?)```/g)].map(([, code]) => code);

test("the network of the page is built in a method's order and learns", () => {
  const folder = mkdtempSync(join(tmpdir(), "fewbit-network-"));
  try {
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(root, join(folder, "node_modules/fewbit"));
    writeFileSync(join(folder, "vgg7.mjs"), network);
    writeFileSync(join(folder, "train.mjs"), training);
    const output = execFileSync(process.execPath, ["train.mjs"], { cwd: folder, encoding: "utf8" });
    const [parameters, top1] = output.trim().split("\n").map(Number);
    // 28x28 grey images end at 3x3 with 64 channels. Norms stand before the layers, but for the first.
    const convolutions = 9 * (1 * 16 + 16 * 16 + 16 * 32 + 32 * 32 + 32 * 64 + 64 * 64);
    const norms = 2 * (16 + 16 + 16 + 32 + 32 + 64 + 576);
    expect(parameters).toBe(convolutions + 576 * 128 + 128 * 10 + norms);
    expect(top1).toBeGreaterThan(60);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
