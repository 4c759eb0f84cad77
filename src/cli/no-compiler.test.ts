/** The package where no kernels have been built, as after `npm install --ignore-scripts` or on Windows. */
import { cpSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
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

const slow =
  "the native kernels are not built, so fewbit computes in WebAssembly on one thread, several times slower; build them with: " +
  "node package/scripts/build-kernels.mjs (npm 12, pnpm and bun run no install scripts), or ask for executor wasm";

test("a training runs on it with a warning, and again with the same bits and none, as asked", async () => {
  for (const [out, asked, warning] of [
    ["one", "", `warning: ${slow}\n`],
    ["two", " --executor wasm", ""],
  ]) {
    const { code, stdout, stderr } = await fewbit(
      `${training} ${dorefa} --epochs 1 --json --out ${out}${asked}`,
    );
    expect(stderr).toBe(warning);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ executor: "wasm", epochs: 1 });
  }
  expect(digests(join(folder, "two"))).toEqual(digests(join(folder, "one")));
});

test("eval and doctor warn too; a study of several runs warns once", async () => {
  expect((await fewbit("eval one --data-dir mnist")).stderr).toBe(`warning: ${slow}\n`);
  expect((await fewbit("doctor")).stdout).toContain(`\n${slow}\n`);
  const defaults = { model: "lenet5", data: "mnist", dataDir: "mnist", method: "twn", epochs: 1 };
  writeFileSync(join(folder, "study.json"), JSON.stringify({ defaults, runs: [{ seed: 1 }, { seed: 2 }] }));
  const { code, stderr } = await fewbit("sweep study.json --quiet");
  expect(code).toBe(0);
  expect(stderr.split(slow)).toHaveLength(2);
});

test("the library passes the warning to onWarning, or else to Node", async () => {
  const script = join(folder, "library.mjs");
  writeFileSync(
    script,
    `import { chooseExecutor, datasets, models, optim, quant, train } from "./package/dist/index.js";
     const data = await datasets.mnist({ directory: "mnist" });
     const options = { model: models.lenet5, method: quant.baseline(), data, optimizer: optim.adam({ learningRate: 0.01 }), epochs: 1 };
     const heard = [];
     const onWarning = (message) => heard.push(message);
     if (process.argv[2] === "heard") await train({ ...options, onWarning });
     else await train(options);
     chooseExecutor();
     console.log(JSON.stringify(heard));`,
  );
  const heard = await execute(process.execPath, [script, "heard"], folder);
  expect(heard).toEqual({ code: 0, stdout: `${JSON.stringify([slow])}\n`, stderr: "" });
  const unheard = await execute(process.execPath, [script, "unheard"], folder);
  expect(unheard.stdout).toBe("[]\n");
  expect(unheard.stderr).toMatch(
    /^\(node:\d+\) FewbitWarning: the native kernels are not built, so [^\n]*\n\(Use [^\n]*\n$/,
  );
});

test("--executor native is refused in one line", async () => {
  const { code, stderr } = await fewbit(`${training} --executor native --out refused`);
  expect(code).toBe(2);
  expect(stderr).toBe(
    "fewbit: executor native cannot run: the native kernels are not built; " +
      "mend that or use executor wasm (from --executor)\n",
  );
});
