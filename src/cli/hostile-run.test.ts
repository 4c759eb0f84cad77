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
  readdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { build, dorefa, fewbit, newFolder, training } from "./cli.test.fixture.js";

let folder: string;
const at = (...names: string[]) => join(folder, ...names);

beforeAll(async () => {
  build();
  folder = newFolder();
  expect(await fewbit(folder, `${training} ${dorefa} --epochs 1 --out sound`)).toMatchObject({ code: 0 });
  writeFileSync(at("victim"), "precious\n");
}, 120_000);
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
  cpSync(join(import.meta.dirname, "../../docs/report.png"), at("digit.png"));
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

  test.each(Object.keys(kinds))(
    "a %s is refused by every command that reads it",
    async (kind) => {
      for (const file of ["config.json", "best.safetensors"]) {
        const run = copy(`${kind}-${file}`);
        put(kind, at(run, file));
        await expectLine(`eval ${run}`, `cannot read ${run}/${file}: it is a `);
      }
      for (const file of ["lock", "metrics.jsonl", "layers.jsonl", "checkpoint.safetensors"]) {
        const run = copy(`${kind}-${file}`);
        put(kind, at(run, file));
        await expectLine(`train --resume ${run} --epochs 2`, `cannot read ${run}/${file}: it is a `);
      }
      put(kind, at(`${kind}.json`));
      await expectLine(`train --config ${kind}.json`, `cannot read ${kind}.json: it is a `);
      await expectLine(`sweep ${kind}.json`, `cannot read ${kind}.json: it is a `);
      put(kind, at(`${kind}.png`));
      await expectLine(`predict sound ${kind}.png`, `${kind}.png`);
    },
    240_000,
  );

  test("reports leave such runs out", async () => {
    mkdirSync(at("many"));
    for (const kind of Object.keys(kinds))
      put(kind, at("many", copy(`many/${kind}`).slice(5), "metrics.jsonl"));
    copy("many/sound");
    const { code, stderr } = await fewbit(folder, "report many");
    expect(code).toBe(0);
    expect(stderr.match(/left out: cannot read /g)).toHaveLength(3);
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

test.skipIf(process.platform === "win32")(
  "links in a run's folder: what they lead to stays as it is",
  async () => {
    const run = copy("linked");
    const written = [
      "config.json",
      "checkpoint.safetensors",
      "best.safetensors",
      "summary.json",
      "report.md",
    ];
    for (const name of [...written, "report.html", "lock"]) symlinkSync(at("victim"), at(run, `${name}.tmp`));
    const lines = ["metrics.jsonl", "layers.jsonl", "confusion.jsonl"];
    mkdirSync(at("outside"));
    for (const name of lines) {
      cpSync(at(run, name), at("outside", name));
      unlinkSync(at(run, name));
      symlinkSync(at("outside", name), at(run, name));
    }
    const before = lines.map((name) => readFileSync(at("outside", name), "utf8"));
    const resumed = await fewbit(folder, `train --resume ${run} --epochs 2 --quiet`);
    expect(resumed, resumed.stderr).toMatchObject({ code: 0 });
    expect(await fewbit(folder, `report ${run}`)).toMatchObject({ code: 0 });
    expect(readFileSync(at("victim"), "utf8")).toBe("precious\n");
    expect(lines.map((name) => readFileSync(at("outside", name), "utf8"))).toEqual(before);
    expect(readFileSync(at(run, "metrics.jsonl"), "utf8").trimEnd().split("\n")).toHaveLength(2);
    expect(readdirSync(at(run)).filter((name) => existsSync(at(run, name)) && name === "lock")).toEqual([]);
  },
);
