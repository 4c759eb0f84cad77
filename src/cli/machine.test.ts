/** Machines with more CPUs than a program takes, and systems that make fewer threads than that. */
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { nativeProblem } from "../runtime/native.js";
import { build, digests, execute, fewbit, newFolder, program, training } from "./cli.test.fixture.js";

let folder: string;
beforeAll(() => {
  build();
  folder = newFolder();
  chmodSync(folder, 0o777); // another user trains here
  const study = {
    defaults: { model: "lenet5", data: "mnist", dataDir: "mnist", epochs: 1, batchSize: 64 },
    grids: [{ seed: [1] }],
  };
  writeFileSync(join(folder, "study.json"), JSON.stringify(study));
  writeFileSync(
    join(folder, "many.mjs"),
    `import os from "node:os";
     import { syncBuiltinESMExports } from "node:module";
     os.availableParallelism = () => 96;
     os.cpus = () => Array.from({ length: 96 }, () => ({ model: "many" }));
     syncBuiltinESMExports();`,
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

test("96 CPUs: a training, a study and its plan run with the default flags", async () => {
  const env = { NODE_OPTIONS: `--import ${join(folder, "many.mjs")}` };
  const many = (args: string) => fewbit(folder, args, { env });
  const { stdout: doctor } = await many("doctor");
  expect(doctor).toMatch(/^CPU +many, 96 usable of 96$/m);
  if (nativeProblem() === undefined) expect(doctor).toMatch(/^threads +64$/m);
  for (const args of [
    `${training} --epochs 1 --out run`,
    "sweep study.json --dry-run",
    "sweep study.json --out study",
    "sweep study.json --out two --jobs 2 --threads 200",
  ]) {
    expect(await many(args)).toMatchObject({ code: 0, stderr: "" });
  }
});

/** Root has no limit of threads, but may become a user who has. */
const asUser = ["--reuid=54321", "--regid=54321", "--clear-groups"];
const isRoot = process.platform === "linux" && process.getuid?.() === 0;

test.skipIf(!isRoot)(
  "96 CPUs and room for 16 threads: Node gets few enough for its files",
  async ({ skip }) => {
    const reads = await execute("setpriv", [...asUser, "test", "-r", program], folder);
    if (reads.code !== 0) skip("another user cannot read this clone");
    writeFileSync(join(folder, "many.cjs"), 'require("os").availableParallelism = () => 96;');
    const shell = ["bash", "-c", `ulimit -u 16; exec "$0" "$@"`, process.execPath, program, "methods"];
    const env = { NODE_OPTIONS: `--require ${join(folder, "many.cjs")}` };
    expect(await execute("setpriv", [...asUser, ...shell], folder, { env })).toMatchObject({
      code: 0,
      stderr: "",
    });
  },
);

test.skipIf(!isRoot || nativeProblem() !== undefined)(
  "where threads cannot be made, a training says so once and gives the same bits with fewer",
  async ({ skip }) => {
    const reads = await execute("setpriv", [...asUser, "test", "-r", program], folder);
    if (reads.code !== 0) skip("another user cannot read this clone");
    const command = `${training} --epochs 1 --quiet --threads 48 --out`;
    expect(await fewbit(folder, `${command} free`)).toMatchObject({ code: 0, stderr: "" });

    const limited = `ulimit -u 30; exec "$0" "$@"`;
    const words = [...command.split(" "), "limited"];
    const shell = ["bash", "-c", limited, process.execPath, program, ...words];
    const { code, stderr } = await execute("setpriv", [...asUser, ...shell], folder, {
      env: { UV_THREADPOOL_SIZE: "4" },
    });
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(
        /^warning: this system makes no more than \d+ of 48 threads for the kernels \([^\n]*\); [^\n]*\n$/,
      ),
    ]);
    expect(digests(join(folder, "limited"))).toEqual(digests(join(folder, "free")));
    const config = JSON.parse(readFileSync(join(folder, "limited", "config.json"), "utf8")) as {
      threads: number;
    };
    expect(config.threads).toBeLessThan(48);
  },
);
