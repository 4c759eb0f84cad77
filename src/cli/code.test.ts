/** Code is loaded only if the command names its file, and for a stored run only if it is the file that it was trained with. */
import { appendFileSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startDashboard } from "../dashboard/index.js";
import { quoted, UserError } from "../errors.js";
import { build, dorefa, expectRefusal, fewbit, newFolder, training } from "./cli.test.fixture.js";
import { refuseShare } from "./flags.js";

let folder: string;
const at = (...names: string[]) => join(folder, ...names);
/** How often the method's file has been run since the last question. */
function timesLoaded(): number {
  const times = existsSync(at("loaded")) ? readFileSync(at("loaded"), "utf8").length : 0;
  rmSync(at("loaded"), { force: true });
  return times;
}

beforeAll(async () => {
  build();
  folder = newFolder();
  const quantization = new URL("../../dist/quantization/index.js", import.meta.url).href;
  const code = [
    'import { appendFileSync } from "node:fs";',
    `import { dorefa } from ${JSON.stringify(quantization)};`,
    `appendFileSync(${JSON.stringify(at("loaded"))}, "x");`,
    'const create = (options) => ({ ...dorefa(options), name: "mine" });',
    "export default { weightBits: [2], activationBits: [2], create };",
  ];
  writeFileSync(at("it's mine.mjs"), code.join("\n"));
  cpSync("data/digits", at("digits"), { recursive: true });
  const pixels = gunzipSync(readFileSync(at("mnist", "t10k-images-idx3-ubyte.gz"))).subarray(16, 16 + 784);
  await sharp(pixels, { raw: { width: 28, height: 28, channels: 1 } }).toFile(at("digit.png"));
  const bits = ["--weight-bits", "2", "--activation-bits", "2"];
  const words = [...training.split(" "), "--epochs", "1", "--method", "./it's mine.mjs", ...bits];
  expect(await fewbit(folder, [...words, "--out", "run"])).toMatchObject({ code: 0, stderr: "" });
  expect(await fewbit(folder, `${training} ${dorefa} --epochs 1 --out plain`)).toMatchObject({ code: 0 });
  expect(timesLoaded()).toBe(1);
});
afterAll(() => rmSync(folder, { recursive: true }));

const commands = [
  ["eval", "run"],
  ["predict", "run", "digit.png"],
  ["train", "--resume", "run"],
];

test.each(commands)("%s does not load what a run's folder names", async (...words) => {
  const how = `add --method './it'\\''s mine.mjs'`;
  const said = "the method of run is code, in ./it's mine.mjs, which is loaded only if you name it";
  await expectRefusal(folder, words, `${said}: ${how}`);
  expect(timesLoaded()).toBe(0);
});

test("a file that the command names is loaded, wherever it lies now", async () => {
  const named = await fewbit(folder, ["eval", "run", "--method", "./it's mine.mjs"]);
  cpSync(at("it's mine.mjs"), at("plain", "moved.mjs"));
  const moved = await fewbit(folder, ["eval", "run", "--method", "plain/moved.mjs"]);
  rmSync(at("plain", "moved.mjs"));
  expect(named).toMatchObject({ code: 0, stderr: "" });
  expect(moved).toEqual(named);
  const words = ["train", "--resume", "run", "--method", "./it's mine.mjs", "--epochs", "2", "--quiet"];
  expect(await fewbit(folder, words)).toMatchObject({ code: 0, stderr: "" });
  expect(timesLoaded()).toBe(3);
});

test.each(commands)("%s refuses another file unless that is allowed", async (...words) => {
  cpSync(at("it's mine.mjs"), at("other.mjs"));
  appendFileSync(at("other.mjs"), "\n");
  const { method } = JSON.parse(readFileSync(at("run", "config.json"), "utf8")) as {
    method: { options: { file: string } };
  };
  const refused = await fewbit(folder, [...words, "--method", "other.mjs"]);
  expect(refused).toMatchObject({ code: 2, stdout: "" });
  const difference = "other.mjs is not the file that run was trained with: its checksum is ";
  expect(refused.stderr.startsWith(`fewbit: ${difference}`)).toBe(true);
  expect(refused.stderr).toContain(
    `, the run's "${method.options.file}"; name that file, or add --allow-changed-code`,
  );
  expect(timesLoaded()).toBe(0);
  if (words[0] === "predict") return;
  const allowed = await fewbit(folder, [...words, "--method", "other.mjs", "--allow-changed-code"]);
  expect(allowed.code).toBe(0);
  expect(allowed.stderr.startsWith(`warning: ${difference}`)).toBe(true);
  expect(timesLoaded()).toBe(1);
});

test("what has no effect is refused", async () => {
  await expectRefusal(
    folder,
    "eval plain --allow-changed-code",
    "--allow-changed-code has no effect: nothing of plain that this command uses is code",
  );
  await expectRefusal(
    folder,
    ["eval", "plain", "--method", "./it's mine.mjs"],
    `method is "./it's mine.mjs", but plain was trained with "dorefa" (from --method)`,
  );
  await expectRefusal(
    folder,
    "train lenet5 --allow-changed-code",
    "--allow-changed-code has no effect without --resume: it concerns the code of a stored run",
  );
});

/** A sound run, but its configuration says these settings. */
function hostile(name: string, options: Readonly<Record<string, unknown>>): void {
  cpSync(at("plain"), at(name), { recursive: true });
  const config = JSON.parse(readFileSync(at(name, "config.json"), "utf8")) as { options: object };
  writeFileSync(
    at(name, "config.json"),
    JSON.stringify({ ...config, options: { ...config.options, ...options } }),
  );
}

const named = ["model", "method", "data", "optimizer", "loss"];

test.each(named)("no command loads the %s that a stranger's run names", async (key) => {
  hostile(`from-${key}`, { [key]: "./it's mine.mjs" });
  const asked = { eval: ["model", "method", "data"], predict: ["model", "method"], "train --resume": named };
  for (const [command, uses] of Object.entries(asked)) {
    const words = `${command} from-${key}${command === "predict" ? " digit.png" : ""}`;
    const { code, stderr } = await fewbit(folder, words);
    if (uses.includes(key)) {
      expect(code).toBe(2);
      expect(stderr).toMatch(
        / of from-\w+ is code, in \.\/it's mine\.mjs, which is loaded only if you name it/,
      );
    } else expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  }
  expect(timesLoaded()).toBe(0);
});

test("reports and the dashboard load no code", async () => {
  for (const key of named) hostile(`downloads/${key}`, { [key]: at("it's mine.mjs") });
  expect(await fewbit(folder, "report downloads --out written")).toMatchObject({ code: 0 });
  const dashboard = await startDashboard({ folder: at("downloads"), port: 0, stoppable: false });
  try {
    const { runs } = dashboard.watch.snapshot(false);
    expect(runs).toHaveLength(named.length);
    for (const path of [...runs.map(({ id }) => `api/runs/${id}`), "api/report"]) {
      expect((await fetch(new URL(path, dashboard.url))).status).toBe(200);
    }
  } finally {
    await dashboard.close();
  }
  expect(timesLoaded()).toBe(0);
});

test("a dry run lists the files of code that a study loads", async () => {
  writeFileSync(at("study.mjs"), 'export default { runs: [{ model: "lenet5" }] };\n');
  writeFileSync(at("study.json"), '{ "runs": [{ "model": "lenet5" }] }\n');
  const [module, json] = [
    await fewbit(folder, "sweep study.mjs --dry-run"),
    await fewbit(folder, "sweep study.json --dry-run"),
  ];
  expect(module.stdout).toMatch(/\ncode that the study loads: study\.mjs\n$/);
  expect(json).toMatchObject({ code: 0 });
  expect(json.stdout).not.toContain("code");
});

/** Refuses all that a process wants to connect to, and lists it. */
const guard = (log: string) => `
  import { appendFileSync } from "node:fs";
  import { Socket } from "node:net";
  Socket.prototype.connect = function (...given) {
    const [options] = given.flat();
    appendFileSync(${JSON.stringify(log)}, \`\${options.servername ?? options.host}\\n\`);
    process.nextTick(() => this.destroy(new Error("refused by the test")));
    return this;
  };`;

test("a server that a run's folder names is not asked", async () => {
  writeFileSync(at("guard.mjs"), guard(at("contacted")));
  hostile("calling", { dataDir: undefined, mirrors: ["http://evil.example/"], out: "elsewhere" });
  const env = { FEWBIT_CACHE: at("cache"), NODE_OPTIONS: `--import ${pathToFileURL(at("guard.mjs")).href}` };
  const contacted = async (words: string): Promise<string> => {
    rmSync(at("contacted"), { force: true });
    expect(await fewbit(folder, words, { env })).toMatchObject({ code: 2 });
    return readFileSync(at("contacted"), "utf8");
  };
  expect(await contacted("eval calling --mirror http://typed.example/")).toMatch(/^(typed\.example\n)+$/);
  for (const words of ["eval calling", "train --resume calling --epochs 2"]) {
    expect(await contacted(words)).not.toContain("evil");
  }
});

test.each(["\\\\host\\share", "//host/share"])(
  "a machine that a run's folder names, as %s on Windows, is not asked",
  (dataDir) => {
    expect(() => refuseShare(dataDir, "run", "win32")).toThrow(
      new UserError(
        `the data of run is on another machine, in ${dataDir}, which is asked only if you name it: add --data-dir ${quoted(dataDir)}`,
        "dataDir",
      ),
    );
    for (const near of ["C:\\data", "\\data", "data", undefined]) refuseShare(near, "run", "win32");
    refuseShare(dataDir, "run", "linux");
  },
);
