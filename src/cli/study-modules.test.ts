/** Studies that are modules, and methods in files that studies name. */
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { build, digests, expectRefusal, fewbit, newFolder } from "./cli.test.fixture.js";

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
])("%s, which waits for ever, is reported", async (name, text, command, message) => {
  writeFileSync(join(folder, name), text);
  await expectRefusal(folder, command, message);
});

test.each([
  ["no-default.mjs", "export const runs = [{}];", "no-default.mjs must export a study as its default"],
  [
    "torn.ts",
    "export default {\n  runs: [{ seed: 1 },\n;",
    "cannot load torn.ts: ParseError: Unexpected token (torn.ts:3)",
  ],
  [
    "torn.mjs",
    "export default {\n  runs: [{ seed: 1 },\n;",
    "cannot load torn.mjs: Unexpected token ';' (torn.mjs:3)",
  ],
  ["imports.mjs", 'import "./torn.mjs";', "cannot load imports.mjs: Unexpected token ';' (torn.mjs:3)"],
  [
    "lacks.mjs",
    'import fs from "node:fs";\nimport { none } from "node:fs";',
    "cannot load lacks.mjs: The requested module 'node:fs' does not provide an export named 'none' (lacks.mjs:2)",
  ],
  [
    "parses.mjs",
    'JSON.parse("[;");',
    "cannot load parses.mjs: Unexpected token ';', \"[;\" is not valid JSON",
  ],
  ["throws.mjs", 'throw new Error("no luck");', "cannot load throws.mjs: no luck"],
])("%s is refused", async (name, text, message) => {
  writeFileSync(join(folder, name), text);
  await expectRefusal(folder, `sweep ${name}`, message);
});

test.skipIf(process.platform === "win32")("a pipe in a study's place is not waited for", async () => {
  for (const name of ["pipe.mjs", "pipe.ts"]) {
    execFileSync("mkfifo", [join(folder, name)]);
    const message = `cannot read ${name}: it is a pipe, a socket or a device, and no file`;
    await expectRefusal(folder, `sweep ${name}`, message);
  }
});

test("an --out that is no folder is refused before anything begins", async () => {
  writeFileSync(join(folder, "plain.json"), '{"runs": [{ "model": "lenet5" }]}');
  const message = "plain.json is not a folder; choose another with --out";
  await expectRefusal(folder, "sweep plain.json --out plain.json", message);
  await expectRefusal(folder, "sweep plain.json --out plain.json/below", message);
});

interface Row {
  readonly identity: string;
  readonly directory: string;
  readonly state: string;
}
async function rows(command: string): Promise<Row[]> {
  const { code, stdout, stderr } = await fewbit(folder, `${command} --json`);
  expect([code, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout.trim().split("\n")[0]) as Row[];
}

test("a method in TypeScript is summarised, trained, scored and swept", async () => {
  const quantization = new URL("../../dist/quantization/index.js", import.meta.url).href;
  const code = [
    `import { dorefa } from ${JSON.stringify(quantization)};`,
    "interface Options { readonly weightBits: number; readonly activationBits: number }",
    'const create = (options: Options) => ({ ...dorefa(options), name: "typed" });',
    "export default { weightBits: [2] as readonly number[], activationBits: [2] as const, create };",
  ];
  writeFileSync(join(folder, "typed.ts"), code.join("\n"));
  const method = "--method ./typed.ts";
  expect((await fewbit(folder, `summary lenet5 ${method} --bits 2/2`)).stdout).toMatch(/^fc1 +2\/2 /m);
  const settings = `--data mnist --data-dir mnist --batch-size 64 --epochs 1 --learning-rate 0.01`;
  const training = `train lenet5 ${method} --bits 2/2 ${settings} --out typed-run`;
  expect(await fewbit(folder, training)).toMatchObject({ code: 0, stderr: "" });
  expect(await fewbit(folder, `eval typed-run ${method}`)).toMatchObject({ code: 0, stderr: "" });
  const study = {
    runs: [
      { model: "lenet5", data: "mnist", method: "./typed.ts", bits: "2/2", learningRate: 0.01, epochs: 1 },
    ],
  };
  writeFileSync(join(folder, "typed.json"), JSON.stringify(study));
  const planned = await fewbit(folder, "sweep typed.json --dry-run");
  expect(planned.stdout).toMatch(/\ncode that the study loads: \.\/typed\.ts\n$/);

  writeFileSync(join(folder, "torn-method.ts"), "export default {\n  weightBits: [2],\n;");
  await expectRefusal(
    folder,
    "summary lenet5 --method ./torn-method.ts",
    "cannot load the method ./torn-method.ts: ParseError: Unexpected token (torn-method.ts:3) (from --method)",
  );
});

test("a method in a file is swept as it is trained; its path begins in the study's folder, its bytes say what is done", async () => {
  mkdirSync(join(folder, "mine"));
  const quantization = new URL("../../dist/quantization/index.js", import.meta.url).href;
  const code = [
    `import { dorefa } from ${JSON.stringify(quantization)};`,
    'const create = (options) => ({ ...dorefa(options), name: "mine" });',
    "export default { weightBits: [2], activationBits: [2], create };",
  ];
  writeFileSync(join(folder, "mine", "method.mjs"), code.join("\n"));
  const study = {
    defaults: { model: "lenet5", data: "mnist", dataDir: "mnist", batchSize: 64, epochs: 1 },
    grids: [
      { method: ["./method.mjs", "dorefa"], bits: "2/2", learningRate: [0.01, 0.001], optimizer: "adam" },
    ],
    exclude: [{ method: "./method.mjs", learningRate: 0.001 }],
  };
  writeFileSync(join(folder, "mine", "study.json"), JSON.stringify(study));
  const planned = await fewbit(folder, "sweep mine/study.json --out out --dry-run");
  expect(planned.stdout).toMatch(/\ncode that the study loads: \.\/mine\/method\.mjs\n$/);

  const [mine, ...others] = await rows("sweep mine/study.json --out out --pick best-rate");
  expect(others).toHaveLength(2);
  const flags = "--method ./mine/method.mjs --weight-bits 2 --activation-bits 2 --optimizer adam";
  const command = `train lenet5 --data mnist --data-dir mnist --batch-size 64 --epochs 1 ${flags}`;
  expect(await fewbit(folder, `${command} --learning-rate 0.01 --out alone`)).toMatchObject({ code: 0 });
  expect(digests(join(folder, mine.directory))).toEqual(digests(join(folder, "alone")));

  // The runs picked are done, and those of a study that has moved.
  const picked = await rows("sweep out/picked.json --out out --data-dir mnist --dry-run");
  expect(picked.map(({ state }) => state)).toEqual(["done", "done"]);
  const byFullPath = await rows(`sweep ${join(folder, "mine", "study.json")} --out out --dry-run`);
  expect(byFullPath.map(({ state }) => state)).toEqual(["done", "done", "done"]);
  renameSync(join(folder, "mine"), join(folder, "moved"));
  expect(await rows("sweep moved/study.json --out out --dry-run")).toMatchObject([
    { identity: mine.identity, directory: mine.directory, state: "done" },
    { state: "done" },
    { state: "done" },
  ]);

  appendFileSync(join(folder, "moved", "method.mjs"), "\n// another file");
  const [edited, ...same] = await rows("sweep moved/study.json --out out --dry-run");
  expect(edited).toMatchObject({ state: "open" });
  expect(edited.identity).not.toBe(mine.identity);
  expect(same.map(({ state }) => state)).toEqual(["done", "done"]);
  expect(existsSync(join(folder, mine.directory))).toBe(true);

  await expectRefusal(
    folder,
    "sweep moved/study.json --out out --queue redis://127.0.0.1:1",
    "a worker loads no code: method ./moved/method.mjs is a file; train it without --queue",
  );
  rmSync(join(folder, "moved", "method.mjs"));
  await expectRefusal(
    folder,
    "sweep moved/study.json --out out",
    "cannot load the method ./moved/method.mjs: there is no such file (from moved/study.json)",
  );
  expect(readdirSync(join(folder, "out"))).toHaveLength(5); // three runs, logs, picked.json
});
