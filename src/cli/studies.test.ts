/** Studies: run, stopped, killed and continued. */
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { build, digests, expectRefusal, fewbit, listing, newFolder } from "./cli.test.fixture.js";

let folder: string;
beforeAll(() => {
  build();
  folder = newFolder();
  const study = {
    defaults: { model: "lenet5", data: "mnist", dataDir: "mnist", batchSize: 32, epochs: 2 },
    grids: [{ method: ["dorefa", "qnn"], bits: ["1/2"], seed: [1, 2] }],
  };
  writeFileSync(join(folder, "study.json"), JSON.stringify(study));
  writeFileSync(
    join(folder, "same.ts"),
    `const study: object = ${JSON.stringify(study)};\nexport default study;\n`,
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Row {
  readonly identity: string;
  readonly directory: string;
  readonly state: string;
  readonly epochs: number;
  readonly configuration: { readonly seed: number };
}
const rows = ({ stdout }: { stdout: string }) => JSON.parse(stdout.trim().split("\n").at(-1)!) as Row[];

const runsIn = (study: string) => readdirSync(join(folder, study)).filter((name) => name !== "logs");
const digestsOf = (study: string) =>
  Object.fromEntries(runsIn(study).map((run) => [run, digests(join(folder, study, run))]));

test("a study killed in mid-run goes on with what is missing and ends with the same bits, side by side or not", async () => {
  const whole = await fewbit(folder, "sweep study.json --out whole --json");
  expect(whole).toMatchObject({ code: 0, stderr: "" });
  expect(rows(whole)).toHaveLength(4);
  for (const row of rows(whole)) expect(row).toMatchObject({ state: "done", epochs: 2 });

  const { code } = await fewbit(folder, "sweep same.ts --out broken --jobs 2", {
    interruptWhen: (text) => (text.match(/epoch 1\/2/g) ?? []).length >= 3,
    signal: "SIGKILL",
  });
  expect(code).toBeNull();
  const planned = rows(await fewbit(folder, "sweep same.ts --out broken --dry-run --json"));
  expect(planned.map(({ identity }) => identity)).toEqual(rows(whole).map(({ identity }) => identity));
  expect(planned.some(({ state }) => state !== "done")).toBe(true);
  expect(await fewbit(folder, "sweep same.ts --out broken --jobs 2")).toMatchObject({ code: 0, stderr: "" });
  expect(digestsOf("broken")).toEqual(digestsOf("whole"));

  for (const { directory } of rows(whole)) {
    const log = readFileSync(join(folder, directory.replace("/", "/logs/") + ".log"), "utf8");
    const lines = log.trimEnd().split("\n");
    expect(lines).toEqual([
      expect.stringMatching(/^[\d-]+T[\d:.]+Z begins, process \d+ on \S+, \d+ threads$/),
      expect.stringMatching(
        /Z epoch 1\/2  training loss [\d.]+ top-1 [\d.]+%  test loss [\d.]+ top-1 [\d.]+%  best /,
      ),
      expect.stringMatching(/Z epoch 2\/2 /),
      expect.stringMatching(/Z done$/),
    ]);
  }

  const before = listing(join(folder, "whole"));
  const again = await fewbit(folder, "sweep study.json --out whole");
  expect(again).toMatchObject({ code: 0, stderr: "" });
  expect(again.stdout).toMatch(
    /^run +epochs +best test top-1 +last test top-1 *\n(lenet5-\S+ +2\/2 +[\d.]+% +[\d.]+% *\n){4}$/,
  );
  expect(listing(join(folder, "whole"))).toEqual(before);
});

test("two processes that train one study train each run once", async () => {
  const command = "sweep study.json --out shared --json";
  const both = await Promise.all([fewbit(folder, command), fewbit(folder, command)]);
  for (const end of both) {
    expect(end.code, end.stdout + end.stderr).toBe(0);
    expect(rows(end).map(({ state }) => state)).toEqual(["done", "done", "done", "done"]);
  }
  const logs = readdirSync(join(folder, "shared", "logs"));
  expect(logs).toHaveLength(4);
  for (const log of logs) {
    expect(readFileSync(join(folder, "shared", "logs", log), "utf8").match(/ done\n/g)).toHaveLength(1);
  }
});

test("SIGTERM saves as Ctrl-C does", async () => {
  const { code, stdout } = await fewbit(folder, "sweep study.json --out ended --index 0", {
    interruptWhen: (text) => text.includes("epoch 1/2"),
    signal: "SIGTERM",
  });
  expect([code, stdout]).toEqual([130, expect.stringContaining("1/2")]);
  const [log] = readdirSync(join(folder, "ended", "logs"));
  expect(readFileSync(join(folder, "ended", "logs", log), "utf8")).toMatch(/ interrupted and saved\n$/);
});

test("a folder that holds another run than its name says is reported and left alone", async () => {
  await fewbit(folder, "sweep study.json --out moved --index 0 --quiet");
  const [first, second] = rows(await fewbit(folder, "sweep study.json --out moved --dry-run --json"));
  renameSync(join(folder, first.directory), join(folder, second.directory));
  const before = listing(join(folder, second.directory));
  const { code, stdout } = await fewbit(folder, "sweep study.json --out moved --index 1");
  expect(code).toBe(2);
  expect(stdout).toContain("holds another run: seed 1, not 2; move it away");
  expect(listing(join(folder, second.directory))).toEqual(before);
});

test("one run of a study by its number, and a command for each", async () => {
  const { stdout } = await fewbit(folder, "sweep study.json --print-commands --out part");
  expect(stdout.split("\n").slice(0, 2)).toEqual([
    "npx fewbit sweep study.json --index 0 --out part",
    "npx fewbit sweep study.json --index 1 --out part",
  ]);
  const one = rows(await fewbit(folder, "sweep study.json --index 1 --out part --json"));
  expect(one.map(({ configuration }) => configuration.seed)).toEqual([2]);
  expect(runsIn("part")).toHaveLength(1);
});

test("a run that diverges is reported, and the others are trained all the same", async () => {
  const runs = [{ learningRate: 1e30, optimizer: "sgd" }, { learningRate: 0.01 }];
  const defaults = { model: "lenet5", data: "mnist", dataDir: "mnist", epochs: 1 };
  writeFileSync(join(folder, "wild.json"), `\uFEFF${JSON.stringify({ defaults, runs })}`);
  const { code, stdout } = await fewbit(folder, "sweep wild.json --json");
  expect(code).toBe(3);
  expect(JSON.parse(stdout)).toMatchObject([
    { state: "begun", failure: expect.stringMatching(/^the loss became/) as string },
    { state: "done", bestTop1: expect.any(Number) as number },
  ]);
  const [{ directory }] = rows({ stdout });
  const log = readFileSync(join(folder, `${directory.replace("wild/", "wild/logs/")}.log`), "utf8");
  expect(log).toMatch(/Z failed: the loss became [^\n]+ is kept\n$/);
  expect(existsSync(join(folder, "runs", "wild"))).toBe(true);
});

test("a run that is asked to stop ends, and the others go on", async () => {
  const defaults = { model: "lenet5", data: "mnist", dataDir: "mnist", batchSize: 32, log: ["tensorboard"] };
  const runs = [{ epochs: 10_000 }, { epochs: 1, seed: 2 }];
  writeFileSync(join(folder, "asked.json"), JSON.stringify({ defaults, runs }));
  const [{ directory }] = rows(await fewbit(folder, "sweep asked.json --dry-run --json"));
  const { code, stdout, stderr } = await fewbit(folder, "sweep asked.json", {
    interruptWhen: (text) => {
      if (text.includes("epoch 1/10000") && !existsSync(join(folder, directory, "stop")))
        writeFileSync(join(folder, directory, "stop"), "");
      return false;
    },
  });
  expect([code, stderr]).toEqual([130, ""]);
  const [stopped, done] = stdout.trim().split("\n").slice(-2);
  expect(stopped).toMatch(/ \d+\/10000 .* stopped on request; run the study again to go on$/);
  expect(done).toMatch(/ 1\/1 +[\d.]+% +[\d.]+% *$/);
  const events = readdirSync(join(folder, directory)).filter((name) =>
    name.startsWith("events.out.tfevents."),
  );
  expect(events).toHaveLength(1);
});

test("a damaged run is reported and left alone", async () => {
  const [{ directory }] = rows(await fewbit(folder, "sweep study.json --out hurt --dry-run --json"));
  mkdirSync(join(folder, directory), { recursive: true });
  writeFileSync(join(folder, directory, "config.json"), "{");
  const listed = await fewbit(folder, "sweep study.json --out hurt --dry-run");
  expect(listed.stdout).toMatch(/\n4 runs, 3 to do: about /);
  const { code, stdout } = await fewbit(folder, "sweep study.json --out hurt --index 0");
  expect(code).toBe(2);
  expect(stdout).toContain("config.json is damaged: it is not JSON");
  expect(readFileSync(join(folder, directory, "config.json"), "utf8")).toBe("{");
});

test("the best rate of each cell is picked, and the picked runs are a study that is done", async () => {
  const grids = [{ method: "dorefa", bits: ["1/2", "2/2"], learningRate: [0.01, 1e-6] }];
  const defaults = { model: "lenet5", data: "mnist", dataDir: "mnist", epochs: 1 };
  writeFileSync(join(folder, "rates.json"), JSON.stringify({ defaults, grids }));
  const { code, stdout } = await fewbit(folder, "sweep rates.json --pick best-rate --quiet");
  expect(code).toBe(0);
  const cells = [
    ...stdout.matchAll(/^lenet5-dorefa-w.a2 on mnist +\S+ \S+ +test ([\d.]+)% +\S+ \S+ test ([\d.]+)%/gm),
  ];
  expect(cells).toHaveLength(2);
  for (const [, best, other] of cells) expect(Number(best)).toBeGreaterThanOrEqual(Number(other));
  const picked = join("runs", "rates", "picked.json");
  expect(stdout).toContain(picked);
  const again = await fewbit(folder, `sweep ${picked} --out runs/rates --data-dir mnist --dry-run --json`);
  expect(rows(again).map(({ state }) => state)).toEqual(["done", "done"]);
});

test("a published table is listed without being trained", async () => {
  const before = listing(folder);
  const { code, stdout } = await fewbit(folder, "reproduce mnist --dry-run");
  expect(code).toBe(0);
  expect(stdout.split("\n").filter((line) => line.startsWith("lenet5-"))).toHaveLength(24);
  expect(stdout).toMatch(/\n24 runs, 24 to do: about [\d.]+ \S+.*\n$/);
  expect(listing(folder)).toEqual(before);
});

test("a study that logs, at a rate that breaks down, is listed with a time all the same", async () => {
  const defaults = { model: "lenet5", data: "mnist", dataDir: "mnist", log: ["tensorboard"] };
  const runs = [{ optimizer: "sgd", learningRate: 1e30 }];
  writeFileSync(join(folder, "logs.json"), JSON.stringify({ defaults, runs }));
  const { code, stdout } = await fewbit(folder, "sweep logs.json --dry-run");
  expect(code).toBe(0);
  expect(stdout).toMatch(/\n1 run, 1 to do: (about [\d.]+ \S+.*|how long is known after the first epoch)\n$/);
});

test.each([
  ["sweep none.json", "cannot read none.json: there is no such file"],
  [
    "sweep study.json --index 4",
    "index must be below 4, the number of runs in study.json, got 4 (from --index)",
  ],
  ["sweep study.json --index x", 'index must be an integer of at least 0, got "x" (from --index)'],
  ["sweep study.json --pick best", 'pick must be best-rate, got "best" (from --pick)'],
  [
    "sweep study.json --pick best-rate --index 1",
    "--pick chooses among all runs, so it excludes --index, --dry-run and --print-commands",
  ],
  ["reproduce mnist --seeds 1e9", "seeds must be at most 1000, got 1000000000 (from --seeds)"],
  ["sweep study.json --out=", 'out must be a text that is not empty, got "" (from --out)'],
  ["sweep study.json --jobs 0", "jobs must be an integer of at least 1, got 0 (from --jobs)"],
  [
    "sweep mnist/train-images-idx3-ubyte.gz",
    expect.stringMatching(
      / is not JSON: line 1, column 1 has .* where a value should be; give a study as JSON/,
    ) as string,
  ],
  ["reproduce mnist --epochs 0", "epochs must be an integer of at least 1, got 0 (from --epochs)"],
  ["reproduce mnist --data-dir nowhere --epochs 1", expect.stringContaining("nowhere") as string],
])("%s is refused", async (command, message) => {
  if (typeof message === "string") return expectRefusal(folder, command, message);
  const before = listing(folder);
  const { code, stderr } = await fewbit(folder, command);
  expect([code, stderr.trim().split("\n").length]).toEqual([2, 1]);
  expect(stderr).toEqual(message);
  expect(listing(folder)).toEqual(before);
});

test("a log that cannot be written is a warning, and the run goes on", async () => {
  mkdirSync(join(folder, "unlogged"));
  writeFileSync(join(folder, "unlogged", "logs"), "in the way");
  const { code, stderr } = await fewbit(folder, "sweep study.json --index 0 --out unlogged");
  expect(code).toBe(0);
  expect(stderr).toMatch(
    /^warning: lenet5-\S+: cannot write unlogged\/logs\/lenet5-\S+\.log: a part of its path is a file; the run goes on without a log\n$/,
  );
});
