/** Data sets, optimizers and losses in files: trained with, resumed, swept, and refused where they are wrong. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadRun } from "../training/index.js";
import { build, digests, expectRefusal, fewbit, newFolder } from "./cli.test.fixture.js";

let folder: string;
const at = (...names: string[]) => join(folder, ...names);
const library = new URL("../../dist/index.js", import.meta.url).href;

const files: Readonly<Record<string, string>> = {
  "data.mjs": `
import { datasets } from ${JSON.stringify(library)};
const set = (count) => ({
  images: Uint8Array.from({ length: count * 784 }, (_, i) => (i * (1 + (Math.floor(i / 784) % 3)) * 37) % 256),
  labels: Uint8Array.from({ length: count }, (_, i) => i % 3),
});
export default {
  load: () => datasets.fromArrays({ name: "waves", train: set(96), test: set(30), shape: [28, 28, 1], classes: 3 }),
};`,
  // Plain descent, of which PyTorch's form of SGD without momentum is another way to say it.
  "optimizer.mjs": `
import { mul, sub } from ${JSON.stringify(library)};
const map = (record, f) => Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value, key)]));
export default {
  create: ({ learningRate }) => ({
    name: "descent",
    options: {},
    learningRate,
    initial: () => ({}),
    scalars: (_, rate) => ({ rate }),
    update: (parameters, gradients, own, { rate }) =>
      ({ parameters: map(parameters, (p, name) => sub(p, mul(gradients[name], rate))), own }),
  }),
};`,
  "loss.mjs": `
import { mul, softmaxCrossEntropy } from ${JSON.stringify(library)};
const value = (logits, labels) => mul(softmaxCrossEntropy(logits, labels), 2);
export default { title: "twice", create: () => ({ name: "twice", options: { factor: 2 }, value }) };`,
};
const settings = "--batch-size 32 --learning-rate 0.01";

beforeAll(() => {
  build();
  folder = newFolder();
  for (const [name, text] of Object.entries(files)) writeFileSync(at(name), text);
});
afterAll(() => rmSync(folder, { recursive: true }));

const train = (words: string) => fewbit(folder, `train lenet5 ${settings} ${words}`);

test("a run with all of them goes on with the bits of an unbroken one", async () => {
  const parts = "--data ./data.mjs --optimizer ./optimizer.mjs --loss ./loss.mjs";
  expect(await train(`${parts} --epochs 2 --out whole`)).toMatchObject({ code: 0, stderr: "" });
  expect(await train(`${parts} --epochs 1 --out broken`)).toMatchObject({ code: 0, stderr: "" });
  const said = "the data set, the optimizer and the loss of broken are code";
  await expectRefusal(
    folder,
    "train --resume broken --epochs 2",
    `${said}, in ./data.mjs, ./optimizer.mjs and ./loss.mjs, which are loaded only if you name them: add ${parts}`,
  );
  const resumed = await fewbit(folder, `train --resume broken --epochs 2 ${parts}`);
  expect(resumed).toMatchObject({ code: 0, stderr: "" });
  expect(digests(at("broken"))).toEqual(digests(at("whole")));
  const { loss, optimizer, data, code } = loadRun(at("whole")).config;
  expect([loss, optimizer, data.name]).toEqual([
    { name: "twice", options: { factor: 2 } },
    { name: "descent", options: { learningRate: 0.01 } },
    "waves",
  ]);
  expect(Object.keys(code ?? {}).sort()).toEqual(["data", "loss", "optimizer"]);
});

test("data that has changed is reported by how it was named", async () => {
  const shared = files["data.mjs"].replace(
    "export default",
    'import { step } from "./step.mjs";\nexport default',
  );
  writeFileSync(at("imports.mjs"), shared.replace("* 37)", "* step)"));
  writeFileSync(at("step.mjs"), "export const step = 37;");
  expect(await train("--data ./imports.mjs --epochs 1 --out imported")).toMatchObject({ code: 0 });
  writeFileSync(at("step.mjs"), "export const step = 41;");
  await expectRefusal(
    folder,
    "train --resume imported --data ./imports.mjs --epochs 2",
    "data ./imports.mjs is not the data that imported was started with; let it load the same, or start another run (from --data)",
  );
  expect(await train("--epochs 1 --out shipped")).toMatchObject({ code: 0 });
  const path = at("shipped", "config.json");
  writeFileSync(
    path,
    readFileSync(path, "utf8").replace(/"checksum": "\w+"/, `"checksum": "${"0".repeat(64)}"`),
  );
  await expectRefusal(
    folder,
    "train --resume shipped --epochs 2",
    "data digits is not the data that shipped was started with; resume it with the fewbit that it was started with, or start another run (from shipped/config.json)",
  );
});

test("a trained network is scored and asked without the optimizer and the loss", async () => {
  const scored = await fewbit(folder, "eval whole --data ./data.mjs --json");
  expect(scored).toMatchObject({ code: 0, stderr: "" });
  const { test: kept } = loadRun(at("whole")).summary!.best;
  expect(JSON.parse(scored.stdout)).toMatchObject({ ...kept, data: "waves", images: 30 });
  // It has three classes.
  const whole = await fewbit(folder, "eval whole --data ./data.mjs");
  expect(whole.stdout).toMatch(/^\d+\.\d\d% of 30 test images of waves right, loss \d\.\d{4}\n/);
  // Scored on other data, its own is not asked for.
  expect(await fewbit(folder, "eval whole --data images --data-dir none")).toMatchObject({
    code: 2,
    stderr: expect.not.stringContaining("code") as unknown,
  });
});

test("plain descent is SGD without momentum, and a loss twice as large is a rate twice as large", async () => {
  const on = "--data mnist --data-dir mnist --epochs 1";
  await train(`${on} --optimizer ./optimizer.mjs --loss ./loss.mjs --out doubled`);
  await fewbit(
    folder,
    `train lenet5 --batch-size 32 --learning-rate 0.02 ${on} --optimizer sgd --momentum 0 --out sgd`,
  );
  const [doubled, sgd] = [loadRun(at("doubled")), loadRun(at("sgd"))].map(({ metrics: [line] }) => line);
  expect(doubled.trainLoss).toBeCloseTo(2 * sgd.trainLoss, 3);
  // What is reported for the test set is the cross-entropy, whatever was minimised.
  expect(doubled.test.loss).toBeCloseTo(sgd.test.loss, 3);
});

test("a study trains with them, and again once one is another", async () => {
  mkdirSync(at("mine"));
  for (const name of Object.keys(files)) writeFileSync(at("mine", name), files[name]);
  const study = {
    defaults: { model: "lenet5", batchSize: 32, learningRate: 0.01, epochs: 2, data: "./data.mjs" },
    grids: [{ optimizer: ["./optimizer.mjs", "sgd"], loss: ["./loss.mjs", "crossEntropy"] }],
    exclude: [
      { optimizer: "sgd", loss: "./loss.mjs" },
      { optimizer: "./optimizer.mjs", loss: "crossEntropy" },
    ],
  };
  writeFileSync(at("mine", "study.json"), JSON.stringify(study));
  interface Row {
    readonly directory: string;
    readonly state: string;
  }
  const rows = async (words = ""): Promise<Row[]> => {
    const { stdout, code } = await fewbit(folder, `sweep mine/study.json --out out --json ${words}`);
    expect(code).toBe(0);
    return JSON.parse(stdout.trim().split("\n").at(-1)!) as Row[];
  };
  const [all] = await rows();
  expect(all.directory).toMatch(/^out\/lenet5-baseline-descent-0\.01-s1-[0-9a-f]{6}$/);
  expect(digests(at(all.directory))).toEqual(digests(at("whole")));
  const states = async () => (await rows("--dry-run")).map(({ state }) => state);
  expect(await states()).toEqual(["done", "done"]);
  appendFileSync(at("mine", "loss.mjs"), "\n");
  expect(await states()).toEqual(["open", "done"]);
  appendFileSync(at("mine", "data.mjs"), "\n");
  expect(await states()).toEqual(["open", "open"]);
  await expectRefusal(
    folder,
    "sweep mine/study.json --out out --queue redis://127.0.0.1:1",
    "a worker loads no code: data ./mine/data.mjs is a file; train it without --queue",
  );
  renameSync(at("mine"), at("moved"));
});

const optimizer = (rest: string) =>
  `export default { create: ({ learningRate }) => ({ name: "x", options: {}, learningRate, initial: () => ({}), scalars: () => ({}), ${rest} }) };`;

test.each([
  [
    "--data",
    "a.mjs",
    "export const load = 1;",
    "./a.mjs must have a default export { title, load } (from --data)",
  ],
  [
    "--data",
    "b.mjs",
    "export default { load() {}, count: [1, 2] };",
    './b.mjs has no option "count"; allowed are title, needsFolder, isFitted, counts, load; did you mean counts? (from --data)',
  ],
  [
    "--data",
    "c.mjs",
    'export default { load() { throw new Error("no luck"); } };',
    "load() of ./c.mjs fails: no luck (from --data)",
  ],
  [
    "--data",
    "waits.mjs",
    "export default { load: () => new Promise(() => {}) };",
    "load() of ./waits.mjs fails: it waits for something that never happens (from --data)",
  ],
  [
    "--data",
    "empty.mjs",
    `import { datasets } from ${JSON.stringify(library)};
     const set = { images: new Uint8Array(0), labels: new Uint8Array(0) };
     export default { load: () => datasets.fromArrays({ train: set, test: set, shape: [28, 28, 1], classes: 2 }) };`,
    "load() of ./empty.mjs fails: train.labels is empty; give at least one image (from --data)",
  ],
  [
    "--data",
    "d.mjs",
    "export default { load: () => ({ train: 1 }) };",
    'load() of ./d.mjs must return a data set, such as await datasets.digits() gives, got {"train":1} (from --data)',
  ],
  [
    "--data",
    "e.mjs",
    `import { datasets } from ${JSON.stringify(library)}; export default { load: () => datasets.digits() };`,
    'the data set of ./e.mjs must have a name of its own, got "digits" (from --data)',
  ],
  [
    "--data",
    "f.mjs",
    "export default { needsFolder: true, load() {} };",
    "dataDir is needed for data ./f.mjs: the folder with its files (set it with --data-dir)",
  ],
  [
    "--optimizer",
    "g.mjs",
    "export default () => {};",
    "./g.mjs must have a default export { title, options, create } (from --optimizer)",
  ],
  [
    "--optimizer",
    "h.mjs",
    'export default { options: ["alphas"], create() {} };',
    './h.mjs: options must be an array of settings that it takes, of momentum, weightDecay, nesterov, betas and epsilon, got ["alphas"] (from --optimizer)',
  ],
  [
    "--optimizer",
    "i.mjs",
    "export default { create: () => ({}) };",
    "create() of ./i.mjs: optimizer must be an optimizer, such as optim.adam({ learningRate: 0.001 }), got {} (from --optimizer)",
  ],
  [
    "--optimizer",
    "j.mjs",
    `import { optim } from ${JSON.stringify(library)}; export default { create: optim.adam };`,
    'the optimizer of ./j.mjs must have a name of its own, got "adam" (from --optimizer)',
  ],
  [
    "--optimizer",
    "k.mjs",
    optimizer("update() { return nothing; }"),
    "update() of ./k.mjs fails: nothing is not defined (from --optimizer)",
  ],
  [
    "--weight-decay 0.1 --optimizer",
    "l.mjs",
    optimizer("update() {}"),
    "weightDecay has no effect without optimizer adam, adamw or sgd (from --weight-decay)",
  ],
  [
    "--loss",
    "m.mjs",
    "export default {};",
    "./m.mjs must have a default export { title, create } (from --loss)",
  ],
  [
    "--loss",
    "n.mjs",
    'export default { create: () => ({ name: "crossEntropy", options: {}, value() {} }) };',
    'the loss of ./n.mjs must have a name of its own, got "crossEntropy" (from --loss)',
  ],
  [
    "--loss",
    "o.mjs",
    'export default { create: () => ({ name: "x", options: {}, value: (logits) => logits.none.x }) };',
    "value() of ./o.mjs fails: Cannot read properties of undefined (reading 'x') (from --loss)",
  ],
])("%s ./%s is refused in a line", async (flag, name, text, message) => {
  writeFileSync(at(name), text);
  const { code, stdout, stderr } = await fewbit(folder, `train lenet5 ${flag} ./${name} --quiet --out none`);
  expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: "", stderr: `fewbit: ${message}\n` });
  expect(existsSync(at("none"))).toBe(false);
});

test.each([
  ["optimizer", "train lenet5 --optimizer optimizer", "--optimizer"],
  ["loss", "train lenet5 --loss loss", "--loss"],
  ["data set", "train lenet5 --data data", "--data"],
  ["network", "train loss", "the command line"],
  ["network", "summary loss", "the command line"],
  ["method", "train lenet5 --method loss", "--method"],
])("a %s named without its file's ending: fewbit %s", async (title, command, source) => {
  const name = command.split(" ").at(-1);
  await expectRefusal(
    folder,
    command,
    `there is no ${title} "${name}"; did you mean the file ./${name}.mjs? (from ${source})`,
  );
});

test("unknown names are refused with a list of the known ones", async () => {
  await expectRefusal(
    folder,
    "train lenet5 --loss crossEntrpy",
    'loss must be one of crossEntropy, got "crossEntrpy"; did you mean crossEntropy? (from --loss)',
  );
});
