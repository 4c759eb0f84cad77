/** Studies that are modules, and methods in files that studies name. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, test } from "vitest";
import { build, expectRefusal, newFolder } from "./cli.test.fixture.js";

let folder: string;
beforeAll(() => {
  build();
  folder = newFolder();
});
afterAll(() => rmSync(folder, { recursive: true }));

const never = "it waits for something that never happens";
test.each([
  [
    "promise.mjs",
    "export default new Promise(() => {});",
    "sweep promise.mjs",
    `cannot load promise.mjs: ${never}`,
  ],
  [
    "waits.ts",
    "await new Promise(() => {}); export default {};",
    "sweep waits.ts",
    `cannot load waits.ts: ${never}`,
  ],
  [
    "method.mjs",
    "await new Promise(() => {});",
    "train lenet5 --method ./method.mjs",
    `cannot load the method ./method.mjs: ${never} (from --method)`,
  ],
])("%s, which waits for ever, is told", async (name, text, command, message) => {
  writeFileSync(join(folder, name), text);
  await expectRefusal(folder, command, message);
});
