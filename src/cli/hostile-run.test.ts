/** A run's folder from a stranger, and files that are none: each command ends in a line, and nothing outside changes. */
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  ftruncateSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fileNames } from "../run-folder/index.js";
import { build, dorefa, fewbit, newFolder, training } from "./cli.test.fixture.js";

let folder: string;
const at = (...names: string[]) => join(folder, ...names);

beforeAll(async () => {
  build();
  folder = newFolder();
  expect(await fewbit(folder, `${training} ${dorefa} --epochs 1 --out sound`)).toMatchObject({ code: 0 });
  writeFileSync(at("victim"), "precious\n");
  cpSync(join(import.meta.dirname, "../../docs/report.png"), at("digit.png"));
});
afterAll(() => rmSync(folder, { recursive: true }));

type Config = Record<string, unknown> & { model: object; preparation: object };

/** A copy of the sound run with another configuration. */
function copy(name: string, change: (config: Config) => object = (config) => config): string {
  cpSync(at("sound"), at(name), { recursive: true });
  const config = JSON.parse(readFileSync(at(name, "config.json"), "utf8")) as Config;
  writeFileSync(at(name, "config.json"), JSON.stringify(change(config)));
  return name;
}

/** A line of the user's mistake, and no defect. */
async function expectLine(words: string, line: RegExp | string): Promise<void> {
  const { code, stdout, stderr } = await fewbit(folder, words);
  expect([code, stdout], stderr).toEqual([2, ""]);
  expect(stderr).toMatch(/^fewbit: [^\n]*\n$/);
  expect(stderr).toMatch(line);
}

describe("sizes that only the configuration claims", () => {
  test.each([
    ["classes", { classes: 1e8 }, /"model\.classes" is not what a run writes/],
    ["sides", { input: [1e6, 1e6, 1] }, /"model\.input\.0" is not what a run writes/],
  ])("%s", async (name, model, line) => {
    copy(name, (config) => ({ ...config, model: { ...config.model, ...model } }));
    await expectLine(`eval ${name}`, line);
  });

  test("weights that the file does not have", async () => {
    copy("larger", (config) => ({ ...config, model: { ...config.model, input: [500, 500, 1] } }));
    await expectLine("eval larger", /larger\/best\.safetensors is of lenet5 28x28x1/);
  });
});

test("names of classes do nothing to the terminal", async () => {
  const evil = "cat\u001b]0;owned\u0007\n\u009b2Jdog";
  copy("named", (config) => ({
    ...config,
    preparation: { ...config.preparation, classNames: Array.from({ length: 10 }, (_, i) => `${evil}${i}`) },
  }));
  const plain = await fewbit(folder, "predict named digit.png");
  expect(plain, plain.stderr).toMatchObject({ code: 0 });
  expect(plain.stdout).toContain("cat\\u001b]0;owned\\u0007\\u000a\\u009b2Jdog");
  expect(plain.stdout.trimEnd()).not.toMatch(/\p{Cc}/u);
  const json = await fewbit(folder, "predict named digit.png --json");
  const { classes } = JSON.parse(json.stdout) as { classes: string[] };
  expect(classes[3]).toBe(`${evil}3`);
});

describe.skipIf(process.platform === "win32")("in the place of a file", () => {
  const kinds: Readonly<Record<string, (path: string) => void>> = {
    pipe: (path) => execFileSync("mkfifo", [path]),
    zero: (path) => symlinkSync("/dev/zero", path),
    folder: (path) => mkdirSync(path),
  };
  const put = (kind: string, path: string): void => {
    rmSync(path, { force: true });
    kinds[kind](path);
  };
  /** What is said of one in a run's folder. */
  const refusal = (kind: string, path: string): string =>
    kind === "zero" ? `${path} is a symbolic link that leads out` : `cannot read ${path}: it is a `;

  test.each(Object.keys(kinds))("a %s is refused by every command that reads it", async (kind) => {
    for (const file of ["config.json", "best.safetensors"]) {
      const run = copy(`${kind}-${file}`);
      put(kind, at(run, file));
      await expectLine(`eval ${run}`, refusal(kind, `${run}/${file}`));
    }
    for (const file of ["lock", "metrics.jsonl", "layers.jsonl", "checkpoint.safetensors"]) {
      const run = copy(`${kind}-${file}`);
      put(kind, at(run, file));
      await expectLine(`train --resume ${run} --epochs 2`, refusal(kind, `${run}/${file}`));
    }
    put(kind, at(`${kind}.json`));
    await expectLine(`train --config ${kind}.json`, `cannot read ${kind}.json: it is a `);
    await expectLine(`sweep ${kind}.json`, `cannot read ${kind}.json: it is a `);
    put(kind, at(`${kind}.png`));
    await expectLine(`predict sound ${kind}.png`, `${kind}.png`);
  });

  test("reports leave such runs out", async () => {
    mkdirSync(at("many"));
    for (const kind of Object.keys(kinds))
      put(kind, at("many", copy(`many/${kind}`).slice(5), "metrics.jsonl"));
    copy("many/sound");
    const { code, stderr } = await fewbit(folder, "report many");
    expect(code).toBe(0);
    expect(
      stderr.match(/left out: (cannot read |many\/zero\/metrics.jsonl is a symbolic link)/g),
    ).toHaveLength(3);
  });
});

test("a file of lines larger than any run's is refused by its size", async () => {
  const run = copy("vast");
  const file = openSync(at(run, "metrics.jsonl"), "w");
  ftruncateSync(file, 600 * 2 ** 20); // without a byte on the disk
  closeSync(file);
  const said = "it holds 600.0 MiB, and at most 256.0 MiB are read";
  await expectLine(`eval ${run}`, `cannot read ${run}/metrics.jsonl: ${said}`);
});

describe.skipIf(process.platform === "win32")("links in a run's folder", () => {
  test("what they lead to is not written", async () => {
    const run = copy("linked");
    const written = ["config.json", "checkpoint.safetensors", "best.safetensors", "summary.json"];
    for (const name of [...written, "report.md", "report.html", "lock"])
      symlinkSync(at("victim"), at(run, `${name}.tmp`));
    const resumed = await fewbit(folder, `train --resume ${run} --epochs 2 --quiet`);
    expect(resumed, resumed.stderr).toMatchObject({ code: 0 });
    expect(await fewbit(folder, `report ${run}`)).toMatchObject({ code: 0 });
    expect(readFileSync(at("victim"), "utf8")).toBe("precious\n");
    expect(existsSync(at(run, "lock"))).toBe(false);
  });

  test.each(Object.values(fileNames))("%s is not read where it lies outside", async (name) => {
    const run = copy(`out-${name}`);
    mkdirSync(at("outside"), { recursive: true });
    cpSync(at("sound", name === "stop" ? "config.json" : name), at("outside", name));
    rmSync(at(run, name), { force: true });
    symlinkSync(`../outside/${name}`, at(run, name));
    const before = readFileSync(at("outside", name));
    const line = `${run}/${name} is a symbolic link that leads out of the run's folder, to ../outside/${name}; put the file itself in its place`;
    for (const command of ["eval", "predict", "train --epochs 2 --resume"]) {
      await expectLine(`${command} ${run}${command === "predict" ? " digit.png" : ""}`, line);
    }
    const report = await fewbit(folder, `report ${run}`);
    expect([report.code, report.stderr]).toEqual([2, expect.stringContaining(line)]);
    expect(readFileSync(at("outside", name)).equals(before)).toBe(true);
  });

  test("what they lead to is read where it lies within", async () => {
    const run = copy("within");
    mkdirSync(at(run, "..files"));
    cpSync(at(run, "best.safetensors"), at(run, "..files", "weights"));
    rmSync(at(run, "best.safetensors"));
    symlinkSync("..files/weights", at(run, "best.safetensors"));
    const { code, stderr } = await fewbit(folder, `eval ${run}`);
    expect(code, stderr).toBe(0);
  });
});
