/** The script that makes a clone ready, with a compiler and a bundler that only leave their mark. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { execute } from "./cli.test.fixture.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

let folder: string;
const put = (path: string, text: string): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-setup-"));
  for (const name of ["setup.mjs", "node-version.mjs"]) {
    cpSync(join(root, "scripts", name), join(folder, "scripts", name));
  }
  for (const name of ["package.json", "package-lock.json", "tsconfig.json", "tsconfig.build.json"]) {
    cpSync(join(root, name), join(folder, name));
  }
  put("scripts/build-kernels.mjs", "export const buildKernels = () => {};");
  put("src/dashboard/api.ts", "export {};");
  put("web/dashboard/index.html", "");
  put("node_modules/.package-lock.json", "{}");
  const tool = `
    const { mkdirSync, writeFileSync } = require("node:fs");
    const folder = process.argv[process.argv.indexOf("--outDir") + 1];
    mkdirSync(folder, { recursive: true });
    writeFileSync(folder + "/made", "");`;
  put("node_modules/typescript/bin/tsc", tool);
  put("node_modules/vite/bin/vite.js", tool);
});
afterEach(() => rmSync(folder, { recursive: true }));

const setup = () => execute(process.execPath, [join(folder, "scripts/setup.mjs")], folder);
const everything = /building the dashboard's page.*\n.*compiling TypeScript/;

test("what is up to date is not made again, and what a source changed is", async () => {
  expect(await setup()).toMatchObject({ code: 0, stdout: expect.stringMatching(everything), stderr: "" });
  expect(await setup()).toEqual({ code: 0, stdout: "", stderr: "" });
  put("src/more.ts", "export {};");
  const { stdout } = await setup();
  expect(stdout).toContain("compiling TypeScript");
  expect(stdout).not.toContain("page");
});

test.each(["", '{"hash":"12', "null", "[]"])(
  "a record that says %j is made again, with what it is of",
  async (content) => {
    await setup();
    const records = ["page", "dist"].map((name) => join(folder, "build", `${name}.json`));
    const whole = records.map((record) => readFileSync(record, "utf8"));
    for (const record of records) writeFileSync(record, content);
    rmSync(join(folder, "dist", "made"));
    expect(await setup()).toMatchObject({ code: 0, stdout: expect.stringMatching(everything), stderr: "" });
    expect(records.map((record) => readFileSync(record, "utf8"))).toEqual(whole);
    expect(existsSync(join(folder, "dist", "made"))).toBe(true);
  },
);
