/** The package where no kernels have been built, as after `npm install --ignore-scripts` or on Windows. */
import { cpSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { build, digests, dorefa, execute, newFolder, training } from "./cli.test.fixture.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
let folder: string;
beforeAll(() => {
  build();
  folder = newFolder();
  for (const part of ["bin", "dist", "wasm", "scripts", "package.json"]) {
    cpSync(join(root, part), join(folder, "package", part), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const fewbit = (args: string) =>
  execute(process.execPath, [join(folder, "package/bin/fewbit.js"), ...args.split(" ")], folder);

test("doctor names WebAssembly, and why", async () => {
  const { code, stdout } = await fewbit("doctor");
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^executor +wasm: the WebAssembly executor on one thread, because the native kernels are not built$/m,
  );
  expect(stdout).toMatch(/^WebAssembly +its kernels load$/m);
});

test("a training runs on it, and again with the same bits", async () => {
  for (const out of ["one", "two"]) {
    const { code, stdout } = await fewbit(`${training} ${dorefa} --epochs 1 --json --out ${out}`);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ executor: "wasm", epochs: 1 });
  }
  expect(digests(join(folder, "two"))).toEqual(digests(join(folder, "one")));
});

test("--executor native is refused in one line", async () => {
  const { code, stderr } = await fewbit(`${training} --executor native --out refused`);
  expect(code).toBe(2);
  expect(stderr).toBe(
    "fewbit: executor native cannot run: the native kernels are not built; " +
      "mend that or use executor wasm (from --executor)\n",
  );
});
