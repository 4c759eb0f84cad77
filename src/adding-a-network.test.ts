/** docs/adding-a-network.md, followed to the letter by a user who has fewbit in node_modules. */
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { root, userFolder } from "./documents.test.fixture.js";

const text = readFileSync(join(root, "docs/adding-a-network.md"), "utf8");
const [network, training] = [...text.matchAll(/```js\n([^]*?)```/g)].map(([, code]) => code);
const [, commands] = /```sh\n([^]*?)```/.exec(text)!;

let folder: string;
beforeAll(() => {
  folder = userFolder();
  const [, file] = /Save it as `([\w.]+)`/.exec(text)!;
  writeFileSync(join(folder, file), network);
  writeFileSync(join(folder, "train.mjs"), training);
});
afterAll(() => rmSync(folder, { recursive: true }));

test("the network of the page is built in a method's order and learns", () => {
  const output = execFileSync(process.execPath, ["train.mjs"], { cwd: folder, encoding: "utf8" });
  const [parameters, top1] = output.trim().split("\n").map(Number);
  // 28x28 grey images end at 3x3 with 64 channels. Norms stand before the layers, but for the first.
  const convolutions = 9 * (1 * 16 + 16 * 16 + 16 * 32 + 32 * 32 + 32 * 64 + 64 * 64);
  const norms = 2 * (16 + 16 + 16 + 32 + 32 + 64 + 576);
  expect(parameters).toBe(convolutions + 576 * 128 + 128 * 10 + norms);
  expect(top1).toBeGreaterThan(60);
});

test("the page's commands train it, and score the run as it was", () => {
  const [summary, trained, scored] = commands
    .trim()
    .split("\n")
    .map((line) => execFileSync("sh", ["-c", line], { cwd: folder, encoding: "utf8" }));
  const bits = summary.split("\n").map((line) => line.split(/ +/).slice(0, 2).join(" "));
  expect(bits.slice(1, 9)).toEqual([
    "conv1 32/32",
    ...["conv2", "conv3", "conv4", "conv5", "conv6", "fc1"].map((name) => `${name} 2/2`),
    "fc2 32/32",
  ]);
  const [, best] = /([\d.]+%) of the test images right/.exec(trained)!;
  expect(scored.startsWith(`${best} of 400 test images`)).toBe(true);
});
