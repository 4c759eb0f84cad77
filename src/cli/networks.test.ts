/** Networks in files: `fewbit train ./net.mjs`, and all that may come after it. */
import { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadRun } from "../training/index.js";
import { build, digests, dorefa, expectRefusal, fewbit, newFolder } from "./cli.test.fixture.js";

let folder: string;
const at = (...names: string[]) => join(folder, ...names);
/** How often the network's file has been run since the last question. */
function timesLoaded(): number {
  const times = existsSync(at("loaded")) ? readFileSync(at("loaded"), "utf8").length : 0;
  rmSync(at("loaded"), { force: true });
  return times;
}

const on = "--data mnist --data-dir mnist --batch-size 64 --learning-rate 0.01";
const library = new URL("../../dist/web.js", import.meta.url).href;
const code = () => `
import { appendFileSync } from "node:fs";
import { network } from ${JSON.stringify(library)};
appendFileSync(${JSON.stringify(at("loaded"))}, "x");
export default network("small", { input: [28, 28, 1], classes: 10 }, (net, images) => {
  const pool = { size: 4 };
  const x = net.block("conv", images, { channels: 4, kernel: 5, norm: { name: "bn" }, pool });
  return net.linear("fc2", net.block("fc1", net.flatten(x), { features: 20 }), { features: net.classes });
});`;

beforeAll(async () => {
  build();
  folder = newFolder();
  writeFileSync(at("net.mjs"), code());
  const pixels = gunzipSync(readFileSync(at("mnist", "t10k-images-idx3-ubyte.gz"))).subarray(16, 16 + 784);
  await sharp(pixels, { raw: { width: 28, height: 28, channels: 1 } }).toFile(at("digit.png"));
  expect(await fewbit(folder, `train ./net.mjs ${dorefa} ${on} --epochs 1 --out run`)).toMatchObject({
    code: 0,
    stderr: "",
  });
  expect(timesLoaded()).toBe(1);
});
afterAll(() => rmSync(folder, { recursive: true }));

test("summary shows its layers", async () => {
  const { stdout } = await fewbit(folder, `summary ./net.mjs ${dorefa}`);
  const bits = stdout.split("\n").map((line) => line.split(/ +/).slice(0, 2).join(" "));
  expect(bits.slice(1, 4)).toEqual(["conv 32/32", "fc1 1/2", "fc2 32/32"]);
  timesLoaded();
});

const commands = [
  ["eval run", "--model ./net.mjs"],
  ["predict run digit.png", "--model ./net.mjs"],
  ["train --resume run --epochs 2", "./net.mjs"],
];

test.each(commands)("%s loads it where the command names it, and only then", async (command, naming) => {
  const said = "the network of run is code, in ./net.mjs, which is loaded only if you name it";
  await expectRefusal(folder, command, `${said}: add ${naming}`);
  expect(timesLoaded()).toBe(0);
  expect(await fewbit(folder, `${command} ${naming}`)).toMatchObject({ code: 0, stderr: "" });
  expect(timesLoaded()).toBe(1);
});

test("a run that was resumed has the bits of an unbroken one", async () => {
  expect(await fewbit(folder, `train ./net.mjs ${dorefa} ${on} --epochs 2 --out whole`)).toMatchObject({
    code: 0,
  });
  expect(digests(at("run"))).toEqual(digests(at("whole")));
});

test.each(commands)("%s refuses another file unless that is allowed", async (command, naming) => {
  cpSync(at("net.mjs"), at("other.mjs"));
  appendFileSync(at("other.mjs"), "\n");
  const named = `${command} ${naming.replace("net.mjs", "other.mjs")}`;
  timesLoaded();
  const refused = await fewbit(folder, named);
  const recorded = loadRun(at("run")).config.code;
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain("./other.mjs is not the file that run was trained with: its checksum is ");
  expect(refused.stderr).toContain(
    `the run's "${recorded?.model}"; name that file, or add --allow-changed-code`,
  );
  expect(timesLoaded()).toBe(0);
  const allowed = await fewbit(folder, `${named} --allow-changed-code`);
  expect(allowed.code).toBe(0);
  expect(allowed.stderr.startsWith("warning: ./other.mjs is not the file")).toBe(true);
  expect(loadRun(at("run")).config.code).toEqual(recorded);
});

test("two files are asked for at once", async () => {
  const quantization = new URL("../../dist/quantization/index.js", import.meta.url).href;
  const method = `import { dorefa } from ${JSON.stringify(quantization)};
    export default { weightBits: [2], activationBits: [2], create: (o) => ({ ...dorefa(o), name: "mine" }) };`;
  writeFileSync(at("method.mjs"), method);
  const settings = `--method ./method.mjs --bits 2/2 ${on} --epochs 1 --out both`;
  expect(await fewbit(folder, `train ./net.mjs ${settings}`)).toMatchObject({ code: 0, stderr: "" });
  const said = "the network and the method of both are code, in ./net.mjs and ./method.mjs";
  const how = "which are loaded only if you name them: add --model ./net.mjs --method ./method.mjs";
  await expectRefusal(folder, "eval both", `${said}, ${how}`);
  expect(await fewbit(folder, "eval both --model ./net.mjs --method ./method.mjs")).toMatchObject({
    code: 0,
  });
});

test("reports have its size and bit operations, and load nothing", async () => {
  timesLoaded();
  expect(await fewbit(folder, "report run --out written --json")).toMatchObject({ code: 0 });
  expect(timesLoaded()).toBe(0);
  const { runs } = JSON.parse(readFileSync(at("written", "report.json"), "utf8")) as { runs: unknown[] };
  // A convolution 5x5 to 4 channels on 24x24 places; 4 channels of 6x6 to 20 features and 10 classes; 8 scales and shifts.
  const [conv, fc1, fc2] = [5 * 5 * 4, 144 * 20, 20 * 10];
  expect(runs).toMatchObject([
    {
      model: "small",
      cost: {
        parameters: conv + fc1 + fc2 + 8,
        multiplyAccumulates: conv * 24 * 24 + fc1 + fc2,
        bitOperations: 32 * 32 * (conv * 24 * 24 + fc2) + 1 * 2 * fc1,
        bytes: 4 * (conv + fc2 + 8) + fc1 / 8,
      },
    },
  ]);
});

test("a study trains it, from the study's own folder, and again once the file is another", async () => {
  mkdirSync(at("mine"));
  cpSync(at("net.mjs"), at("mine", "net.mjs"));
  const study = {
    defaults: { data: "mnist", dataDir: "mnist", batchSize: 64, epochs: 2, learningRate: 0.01 },
    grids: [{ model: ["./net.mjs", "lenet5"], method: "dorefa", bits: "1/2", seed: [1, 2] }],
    exclude: [{ model: "lenet5" }, { model: "./net.mjs", seed: 2 }],
  };
  writeFileSync(at("mine", "study.json"), JSON.stringify(study));
  const planned = await fewbit(folder, "sweep mine/study.json --out out --dry-run");
  expect(planned.stdout).toMatch(/\ncode that the study loads: \.\/mine\/net\.mjs\n$/);
  const { stdout } = await fewbit(folder, "sweep mine/study.json --out out --json");
  const [{ directory }] = JSON.parse(stdout.trim().split("\n").at(-1)!) as { directory: string }[];
  expect(directory).toMatch(/^out\/small-dorefa-w1a2-adam-0\.01-s1-[0-9a-f]{6}$/);
  expect(digests(at(directory))).toEqual(digests(at("whole")));
  const stateOf = async (): Promise<string> => {
    const dry = await fewbit(folder, "sweep mine/study.json --out out --dry-run --json");
    return (JSON.parse(dry.stdout) as { state: string }[])[0].state;
  };
  expect(await stateOf()).toBe("done");
  appendFileSync(at("mine", "net.mjs"), "\n");
  expect(await stateOf()).toBe("open");
  expect(await fewbit(folder, "sweep mine/study.json --out out --queue redis://127.0.0.1:1")).toEqual({
    code: 2,
    stdout: "",
    stderr: "fewbit: a worker loads no code: model ./mine/net.mjs is a file; train it without --queue\n",
  });
});

test.each([
  [
    "nothing.mjs",
    "export const model = 1;",
    './nothing.mjs must have a network as its default export, such as network("mine", { input: [28, 28, 1], classes: 10 }, build)',
  ],
  [
    "named.mjs",
    `import { models } from ${JSON.stringify(library)}; export default models.lenet5;`,
    'the network of ./named.mjs must have a name of its own, got "lenet5"',
  ],
  [
    "sized.mjs",
    'export default { name: "x", input: [28, 28], classes: 10, build() {} };',
    "./sized.mjs: network x: input must be",
  ],
  [
    "throws.mjs",
    'export default { name: "x", input: [28, 28, 1], classes: 10, build() { throw new Error("no luck"); } };',
    "build() of ./throws.mjs fails: no luck",
  ],
])("%s is refused in a line", async (name, text, message) => {
  writeFileSync(at(name), text);
  const { code: exit, stderr } = await fewbit(folder, `train ./${name} --out none`);
  expect([exit, stderr.startsWith(`fewbit: ${message}`), stderr.split("\n").length]).toEqual([2, true, 2]);
  expect(existsSync(at("none"))).toBe(false);
});
