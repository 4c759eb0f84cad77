/** The examples that the README shows run as they stand, as a user would run them, and learn. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

async function output(name: string): Promise<string> {
  const path = fileURLToPath(new URL(`../examples/${name}.mjs`, import.meta.url));
  const env = { ...process.env, EPOCHS: "1" };
  return (await promisify(execFile)(process.execPath, [path], { env })).stdout;
}

test.each([
  ["train", 60],
  ["quantizer", 60],
  ["network", 90],
])("examples/%s.mjs reaches %d%%", async (name, least) => {
  const [, accuracy] = /^([\d.]+)% of the test images right/.exec(await output(name))!;
  expect(Number(accuracy)).toBeGreaterThan(least);
});

test("examples/engine.mjs finds the line", async () => {
  expect(await output("engine")).toMatch(/^w = 3\.000, -1\.000, loss/);
});
