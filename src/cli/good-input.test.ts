/** What the command line does and prints when it is used as its help says. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { instructionSets, nativeProblem } from "../runtime/native.js";
import type { Manner } from "./cli.test.fixture.js";
import { build, digests, dorefa, execute, fewbit, newFolder, program, training } from "./cli.test.fixture.js";

let folder: string;
beforeAll(() => {
  build();
  folder = newFolder();
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a command that must succeed without a word on stderr; its output by lines. */
async function lines(args: string, manner?: Manner): Promise<string[]> {
  const { code, stdout, stderr } = await fewbit(folder, args, manner);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout.endsWith("\n")).toBe(true);
  return stdout.slice(0, -1).split("\n");
}

const config = (run: string) =>
  JSON.parse(readFileSync(join(folder, run, "config.json"), "utf8")) as Record<string, unknown>;
const metrics = (run: string) =>
  readFileSync(join(folder, run, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { top1: number; test: { top1: number } });

const percents = /^\d+\.\d\d%/;
const escape = "\u001b";

describe("train", () => {
  test("prints one line per epoch and the result, without escape codes where there is no terminal", async () => {
    const environments: Record<string, string>[] = [{}, { NO_COLOR: "1" }, { CI: "true" }];
    for (const env of environments) {
      const out = await lines(`${training} ${dorefa} --epochs 2 --out run --overwrite`, { env });
      expect(out.join("")).not.toContain(escape);
      expect(out).toHaveLength(7);
      expect(out.shift()).toBe("SGD, learning rate 0.1 (as published for DoReFa-Net 1/2 on MNIST)");
      const epoch = (n: number) =>
        `epoch ${n}/2  loss \\d\\.\\d{4}  train \\d+\\.\\d\\d%  test \\d+\\.\\d\\d%  [\\d,]+ images/s`;
      expect(out[0]).toMatch(new RegExp(`^${epoch(1)}  \\d+\\.\\d s left$`));
      expect(out[1]).toMatch(new RegExp(`^${epoch(2)}$`));
      const scores = metrics("run").map(({ test: { top1 } }) => top1);
      const best = Math.max(...scores);
      expect(out[2]).toBe(
        `${best.toFixed(2)}% of the test images right after epoch ${scores.indexOf(best) + 1}, the best of 2`,
      );
      expect(out[3]).toBe("(best epoch chosen on the test set, as the published study did)");
      expect(out[4]).toBe(`${scores[1].toFixed(2)}% after the last epoch`);
      expect(out[5]).toMatch(/^\d+\.\d s, [\d,]+ images\/s on the (native|wasm) executor; kept in run$/);
    }
  });

  test("bits by layer come from file and flags, and stay with the run whatever their order", async () => {
    const layers = { fc1: { weightBits: 2, activationBits: 8 }, conv2: { weightBits: 32 } };
    writeFileSync(join(folder, "layers.json"), JSON.stringify({ layers }));
    const fc1 = "--layer fc1.activationBits=4";
    await lines(`${training} ${dorefa} --config layers.json ${fc1} --epochs 1 --out layered`);
    const flags = `--layer conv2.weightBits=32 ${fc1} --layer fc1.weightBits=2`;
    await lines(`train --resume layered ${flags} --epochs 2`);
    const [score] = await lines("eval layered --last --quiet");
    expect(score).toContain(`${metrics("layered")[1].test.top1.toFixed(2)}% of `);
  });

  test("--json prints one object and nothing else", async () => {
    const out = await lines(`${training} --epochs 2 --out json --json`);
    expect(out).toHaveLength(1);
    const result = JSON.parse(out[0]) as Record<string, unknown>;
    const scores = metrics("json").map(({ test: { top1 } }) => top1);
    expect(result).toMatchObject({
      bestTop1: Math.max(...scores),
      lastTop1: scores[1],
      chosenOn: "test",
      epochs: 2,
      directory: "json",
      executor: nativeProblem() === undefined ? "native" : "wasm",
      interrupted: false,
    });
    for (const key of ["seconds", "imagesPerSecond", "firstStepSeconds", "peakBytes"]) {
      expect(result[key], key).toBeGreaterThan(0);
    }
  });

  test("--quiet prints the result only", async () => {
    const out = await lines(`${training} --epochs 1 --out quiet --quiet`);
    expect(out).toHaveLength(4);
    expect(out[0]).toMatch(percents);
  });

  test("takes its settings from a file, and flags override them", async () => {
    const settings = { model: "lenet5", data: "mnist", dataDir: "mnist", batchSize: 64, epochs: 7, seed: 3 };
    writeFileSync(join(folder, "run.json"), JSON.stringify({ ...settings, out: "from-file" }));
    await lines("train --config run.json --epochs 1 --seed 2 --quiet");
    expect(config("from-file")).toMatchObject({ epochs: 1, seed: 2, batchSize: 64, data: { name: "mnist" } });

    await lines(`${training} --epochs 1 --seed 2 --out from-flags --quiet`);
    expect(digests(join(folder, "from-file"))).toEqual(digests(join(folder, "from-flags")));
    // The run may be named by its file again when it goes on.
    await lines("train --config run.json --seed 2 --epochs 2 --resume from-file --quiet");
    expect(metrics("from-file")).toHaveLength(2);
  });

  test("names the run's folder after what is trained", async () => {
    const out = await lines(`${training} ${dorefa} --epochs 1`);
    expect(out.at(-1)).toMatch(/; kept in runs\/lenet5-dorefa-w1a2$/);
    expect(existsSync(join(folder, "runs/lenet5-dorefa-w1a2/summary.json"))).toBe(true);
    const again = await lines(`${training} ${dorefa} --epochs 1`);
    expect(again.at(-1)).toMatch(/; kept in runs\/lenet5-dorefa-w1a2-2$/);
  });

  test("begun three times at the same moment, finds three folders", async () => {
    const all = await Promise.all([1, 2, 3].map(() => lines(`${training} --epochs 1 --json`)));
    const folders = all.map(([line]) => (JSON.parse(line) as { directory: string }).directory);
    const name = "runs/lenet5-baseline";
    expect(folders.sort()).toEqual([name, `${name}-2`, `${name}-3`]);
    for (const run of folders) expect(metrics(run)).toHaveLength(1);
  });

  test("--validation chooses the best epoch on held-out images, and every place says so", async () => {
    const out = await lines(`${training} --epochs 2 --validation 56 --out held-out`);
    expect(out.shift()).toContain("SGD, learning rate 0.01, weight decay 0.0001 (as published for Baseline");
    expect(out[0]).toMatch(/  held out \d+\.\d\d%  /);
    expect(out.join("\n")).not.toContain("chosen on the test set");
    const stored = metrics("held-out");
    const best = stored.findIndex(({ top1 }) => top1 === Math.max(...stored.map((epoch) => epoch.top1)));
    expect(out.slice(2, 6)).toEqual([
      `${stored[best].test.top1.toFixed(2)}% of the test images right after epoch ${best + 1}, the best of 2`,
      "(best epoch chosen on 56 held-out training images)",
      `${stored[1].test.top1.toFixed(2)}% after the last epoch`,
      `${stored[best].top1.toFixed(2)}% of the held-out images right after epoch ${best + 1}`,
    ]);
    const evaluated = await lines("eval held-out");
    expect(evaluated[1]).toBe(
      `weights of epoch ${best + 1}, the best; best epoch chosen on 56 held-out training images`,
    );
  });

  test("--profile shows shares that add up, against the machine's peak", async () => {
    const out = await lines(`${training} --epochs 1 --out profile --profile`);
    expect(out[2]).toMatch(/^instructions +count +ms +share +Gop\/s +peak +GB\/s +peak$/);
    const end = out.findIndex((line) => line.startsWith("a step of"));
    const shares = out.slice(3, end).map((line) => Number(/ ([\d.]+)% /.exec(`${line} `)?.[1]));
    expect(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 100)).toBeLessThan(1);
    expect(out[end]).toMatch(
      /^a step of 64 images takes \d+\.\d\d ms; a batch is prepared meanwhile in \d+\.\d\d ms, for which steps waited \d+\.\d\d% of the time$/,
    );
    if (nativeProblem() === undefined) {
      expect(out[end + 1]).toMatch(/^this machine's measured peak: \d+ Gop\/s, [\d.]+ GB\/s$/);
    }
    const json = await lines(`${training} --epochs 1 --out profile --overwrite --profile --json`);
    expect(json).toHaveLength(1);
    expect((JSON.parse(json[0]) as { profile: { rows: unknown[] } }).profile.rows.length).toBe(shares.length);
    // WebAssembly runs on the thread that prepares, so its steps wait for every batch.
    const [waiting] = await lines(`${training} --epochs 1 --executor wasm --out waiting --profile --json`);
    const { profile } = JSON.parse(waiting) as {
      profile: Record<"waitingShare" | "prepareMilliseconds" | "stepMilliseconds", number>;
    };
    expect(profile.waitingShare).toBeGreaterThan(0);
    expect(profile.waitingShare).toBeLessThan(1);
  });

  test("--overwrite replaces a run", async () => {
    await lines(`${training} --epochs 2 --out replaced --quiet`);
    await lines(`${training} --epochs 1 --seed 4 --out replaced --overwrite --quiet`);
    expect(metrics("replaced")).toHaveLength(1);
    expect(config("replaced").seed).toBe(4);
  });
});

describe.skipIf(nativeProblem() !== undefined)("the same bits come", () => {
  const job = `${training} ${dorefa} --epochs 2 --quiet`;
  let expected: Record<string, string>;
  beforeAll(async () => {
    await lines(`${job} --out same`);
    expected = digests(join(folder, "same"));
  });

  test.each([1, 2, 3])("of %i threads", async (threads) => {
    await lines(`${job} --out threads${threads} --threads ${threads}`);
    expect(config(`threads${threads}`).threads).toBe(threads);
    expect(digests(join(folder, `threads${threads}`))).toEqual(expected);
  });

  test.skipIf(instructionSets().length < 2).each(instructionSets())("of %s", async (set) => {
    await lines(`${job} --out ${set}`, { env: { FEWBIT_INSTRUCTION_SET: set } });
    expect(config(set).instructionSet).toBe(set);
    expect(digests(join(folder, set))).toEqual(expected);
  });
});

describe("eval, summary and doctor", () => {
  beforeAll(() => lines(`${training} ${dorefa} --epochs 3 --out scored --quiet`));

  test("eval scores the best epoch's weights, or the last's, as the training did", async () => {
    const stored = metrics("scored").map(({ test: { top1 } }) => top1);
    const best = stored.indexOf(Math.max(...stored)) + 1;
    for (const [flag, epoch, which] of [
      ["", best, "best"],
      ["--last", 3, "last"],
    ] as const) {
      const out = await lines(`eval scored ${flag}`);
      expect(out[0]).toMatch(
        /^\d+\.\d\d% of 64 test images of mnist right, \d+\.\d\d% among the first five, loss \d\.\d{4}$/,
      );
      expect(out[0].startsWith(`${stored[epoch - 1].toFixed(2)}% `)).toBe(true);
      expect(out[1].startsWith(`weights of epoch ${epoch}, the ${which}`)).toBe(true);
      const json = await lines(`eval scored ${flag} --json`);
      expect(json).toHaveLength(1);
      expect(JSON.parse(json[0])).toMatchObject({
        epoch,
        top1: stored[epoch - 1],
        data: "mnist",
        images: 64,
        directory: "scored",
      });
    }
  });

  test("eval takes another data set than the run's", async () => {
    const [first] = await lines("eval scored --data digits");
    expect(first).toMatch(/^\d+\.\d\d% of 2,000 test images of digits right/);
  });

  test("summary shows each layer and the table's parameter count", async () => {
    const out = await lines(`summary lenet5 ${dorefa}`);
    expect(out.slice(1, 6).map((line) => line.split(/ +/).slice(0, 3))).toEqual([
      ["conv1", "32/32", "500"],
      ["conv2", "1/2", "25,000"],
      ["fc1", "1/2", "400,000"],
      ["fc2", "1/2", "125,000"],
      ["fc3", "32/32", "2,500"],
    ]);
    expect(out[7]).toMatch(/^total +554,600 /);
    const [json] = await lines("summary lenet5 --json");
    expect((JSON.parse(json) as { totals: unknown }).totals).toMatchObject({ parameters: 554_600 });
  });

  test("doctor names the machine, and the executor with the reason", async () => {
    const rows = new Map((await lines("doctor")).map((line) => [line.slice(0, 18).trim(), line.slice(18)]));
    expect([...rows.keys()].slice(0, 11)).toEqual([
      "CPU",
      "memory",
      "Node",
      "instruction sets",
      "C++ compiler",
      "native kernels",
      "maps",
      "WebAssembly",
      "executor",
      "bf16 gradients",
      "threads",
    ]);
    expect(rows.get("Node")).toContain(process.version);
    expect(rows.get("executor")).toMatch(
      nativeProblem() === undefined
        ? /^native: the native executor with \w+, the fastest that runs here$/
        : /^wasm: the WebAssembly executor on one thread, because /,
    );
  });
});

describe("help", () => {
  test.each(["", "start", "train", "eval", "summary", "doctor"])(
    "fewbit %s --help shows examples and exit codes",
    async (command) => {
      const text = (await lines(`${command} --help`)).join("\n");
      expect(text.startsWith(`Usage: fewbit ${command}`)).toBe(true);
      expect(text).toMatch(/\nExamples:\n  \$ fewbit /);
      expect(text).toMatch(/\nExit codes:\n  0 .*\n  2 .*\n  3 .*\n  130 /);
    },
  );

  test("fewbit alone shows it too", async () => {
    expect(await lines("")).toEqual(await lines("--help"));
  });

  test("--version is the package's", async () => {
    const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
    expect(await lines("--version")).toEqual([(JSON.parse(text) as { version: string }).version]);
  });
});

/** `script` of util-linux gives a process a terminal of its own. */
const terminal = await execute("script", ["-qec", "true", "/dev/null"], ".").then(
  ({ code }) => code === 0,
  () => false,
);
describe.skipIf(!terminal)("on a terminal", () => {
  const onTerminal = (args: string, env: Record<string, string>) =>
    execute("script", ["-qec", `'${process.execPath}' '${program}' ${args}`, "/dev/null"], folder, {
      env: { TERM: "xterm-256color", ...env },
    });

  test("a bar shows loss, accuracy, speed and the time left", async () => {
    const { code, stdout } = await onTerminal(`${training} --epochs 2 --out bar`, {});
    expect(code).toBe(0);
    expect(stdout).toContain(escape);
    const plain = stdout.replace(/\u001b(\[[\d;?]*[A-Za-z]|[78])/g, "");
    expect(plain).toMatch(
      /epoch 2\/2 [━─]{14} \d+%  loss \d+\.\d{3}  \d+\.\d\d%  [\d,]+ images\/s  \d+\.\d s left/,
    );
  });

  test("NO_COLOR gives plain lines there too", async () => {
    const { code, stdout } = await onTerminal(`${training} --epochs 1 --out plain`, { NO_COLOR: "1" });
    expect(code).toBe(0);
    expect(stdout).not.toContain(escape);
    expect(stdout).toMatch(/\nepoch 1\/1  loss /);
  });
});
