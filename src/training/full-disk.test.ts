/**
 * Disks that fill up in the middle of a training. The system's limit of a file's size (`ulimit -f`)
 * stops a write in its middle as a full disk does, for anybody; a small disk of its own needs root.
 */
import { execFile, execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeWhole } from "../data/cache.js";
import { UserError } from "../errors.js";
import { loadRun, loadWeights } from "../run-folder/index.js";
import { base } from "./tiny.test.fixture.js";
import { train } from "./train.js";

const runner = createRequire(import.meta.url).resolve("vite-node/vite-node.mjs");
const child = fileURLToPath(new URL("full-disk.test.child.ts", import.meta.url));
const epochs = 16;

const parent = mkdtempSync(join(tmpdir(), "fewbit-full-"));
const whole = join(parent, "whole");
beforeAll(() => train({ ...base, epochs, directory: whole }));
afterAll(() => rmSync(parent, { recursive: true }));

/** Trains with files of at most so many KiB: the exit code, what was said, and whether an epoch came to be kept. */
function trainWithin(kibibytes: number | "unlimited", directory: string, ...args: (string | number)[]) {
  const script = `ulimit -f ${kibibytes} && exec "$@"`;
  const command = [process.execPath, runner, child, directory, ...args.map(String)];
  return new Promise<{ code: unknown; stderr: string; commits: boolean }>((resolve) => {
    execFile("bash", ["-c", script, "bash", ...command], (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stderr, commits: stdout.includes("commits") }),
    );
  });
}

const withoutTimes = (directory: string) => loadRun(directory).metrics.map(({ seconds: _, ...rest }) => rest);

/** The files of lines have as many epochs as the checkpoint, each whole, and nothing lies about. */
function expectIntact(directory: string): number {
  const { metrics, layers, confusion } = loadRun(directory);
  const { epoch } = loadWeights(directory, "last", base.model, base.method);
  expect(withoutTimes(directory)).toEqual(withoutTimes(whole).slice(0, epoch));
  expect([metrics.length, layers.length / 3, confusion.length]).toEqual([epoch, epoch, epoch]);
  for (const name of ["metrics", "layers", "confusion"]) {
    expect(readFileSync(join(directory, `${name}.jsonl`), "utf8")).toMatch(/(^|\n)$/);
  }
  expect(readdirSync(directory).filter((name) => /\.tmp$|^lock$/.test(name))).toEqual([]);
  if (epoch > 0) loadWeights(directory, "best", base.model, base.method);
  return epoch;
}

function expectSame(directory: string, whole: string): void {
  for (const name of ["checkpoint.safetensors", "best.safetensors", "layers.jsonl", "confusion.jsonl"]) {
    expect(readFileSync(join(directory, name)).equals(readFileSync(join(whole, name))), name).toBe(true);
  }
  expect(withoutTimes(directory)).toEqual(withoutTimes(whole));
}

describe.skipIf(process.platform === "win32")("a training whose files may not grow any more", () => {
  const kibibytes = (name: string) => statSync(join(whole, name)).size / 1024;

  test("in the middle of the lines of an epoch ends at the epoch before and goes on to the same bits", async () => {
    const directory = join(parent, "lines");
    const limit = Math.ceil(kibibytes("checkpoint.safetensors")) + 2;
    expect(kibibytes("layers.jsonl")).toBeGreaterThan(limit);
    const { code, stderr } = await trainWithin(limit, directory, epochs);
    expect([code, stderr]).toEqual([
      2,
      `cannot write ${join(directory, "layers.jsonl")}: the file would be larger than files may be here (EFBIG); allow larger files, for example with ulimit -f, then resume the run\n`,
    ]);
    const epoch = expectIntact(directory);
    expect(epoch).toBeGreaterThan(0);
    expect(epoch).toBeLessThan(epochs);
    expect(await trainWithin("unlimited", directory, epochs)).toMatchObject({ code: 0, stderr: "" });
    expectSame(directory, whole);
  });

  test("in the middle of a checkpoint keeps the one before, and its lines", async () => {
    const directory = join(parent, "checkpoint");
    await train({ ...base, epochs: 2, directory });
    const before = readFileSync(join(directory, "checkpoint.safetensors"));
    const limit = Math.floor(kibibytes("checkpoint.safetensors"));
    const { code, stderr } = await trainWithin(limit, directory, epochs);
    expect([code, stderr]).toEqual([2, expect.stringContaining("cannot write ")]);
    expect(stderr).toContain(`${join(directory, "checkpoint.safetensors")}: the file would be larger`);
    expect(expectIntact(directory)).toBe(2);
    expect(readFileSync(join(directory, "checkpoint.safetensors")).equals(before)).toBe(true);
    expect(await trainWithin("unlimited", directory, epochs)).toMatchObject({ code: 0, stderr: "" });
    expectSame(directory, whole);
  });

  test("in the middle of a checkpoint in the middle of an epoch keeps the one before", async () => {
    const [directory, unbroken] = [join(parent, "middle"), join(parent, "middle-whole")];
    await train({ ...base, batchSize: 1, epochs: 1, directory });
    const before = readFileSync(join(directory, "checkpoint.safetensors"));
    const limit = Math.floor(before.length / 1024);
    const { code, stderr, commits } = await trainWithin(limit, directory, 2, "no log", 1e-9);
    expect([code, commits]).toEqual([2, false]);
    expect(stderr).toContain("checkpoint.safetensors: the file would be larger");
    expect(readFileSync(join(directory, "checkpoint.safetensors")).equals(before)).toBe(true);
    expect(loadRun(directory).metrics).toHaveLength(1);
    expect(readdirSync(directory).filter((name) => /\.tmp$|^lock$/.test(name))).toEqual([]);
    await train({ ...base, batchSize: 1, epochs: 2, directory, resume: true });
    await train({ ...base, batchSize: 1, epochs: 2, directory: unbroken });
    expectSame(directory, unbroken);
  });

  test("in the middle of an event file has kept the epoch, which the file gets when the run goes on", async () => {
    const directory = join(parent, "events");
    const limit = Math.ceil(kibibytes("checkpoint.safetensors")) + 2;
    const { code, stderr } = await trainWithin(limit, directory, epochs, "tensorboard");
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/events\.out\.tfevents\.\d+\.fewbit: the file would/),
    ]);
    const epoch = expectIntact(directory);
    expect(epoch).toBeGreaterThan(0);
    expect(await trainWithin("unlimited", directory, epochs, "tensorboard")).toMatchObject({
      code: 0,
      stderr: "",
    });
    expectSame(directory, whole);
    const [name] = readdirSync(directory).filter((file) => file.startsWith("events."));
    const bytes = readFileSync(join(directory, name));
    await train({ ...base, epochs, directory, resume: true, log: ["tensorboard"] });
    expect(readFileSync(join(directory, name)).equals(bytes)).toBe(true);
  });
});

/** A disk of 1 MiB; undefined where there may be none. */
function smallDisk(): string | undefined {
  const place = join(parent, "disk");
  mkdirSync(place);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "fewbit-test", place], { stdio: "ignore" });
    return place;
  } catch {
    return undefined;
  }
}

const disk = smallDisk();
describe.skipIf(disk === undefined)("a training on a disk", () => {
  const place = disk as string;
  afterAll(() => execFileSync("umount", [place]));
  const page = 4096;
  const short = join(parent, "short");
  beforeAll(() => train({ ...base, epochs: 3, directory: short }));

  /** Leaves so many pages. */
  function fill(free: number): void {
    writeFileSync(join(place, "filler"), "");
    const { bavail, bsize } = statfsSync(place);
    writeFileSync(join(place, "filler"), Buffer.alloc(bavail * bsize - free * page));
  }

  test("that has any number of pages left keeps what it has and goes on to the same bits", async () => {
    let refused = 0;
    for (let free = 0; free < 16; free++) {
      const directory = join(place, `run${free}`);
      await train({ ...base, epochs: 2, directory });
      fill(free);
      const ended = await train({ ...base, epochs: 3, directory, resume: true }).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (ended !== undefined) {
        refused++;
        expect(ended).toBeInstanceOf(UserError);
        expect((ended as UserError).message).toMatch(
          /: no space is left on the disk \(ENOSPC\); make room, /,
        );
      }
      expect(expectIntact(directory)).toBeGreaterThanOrEqual(2);
      rmSync(join(place, "filler"));
      await train({ ...base, epochs: 3, directory, resume: true });
      expectSame(directory, short);
      rmSync(directory, { recursive: true });
    }
    expect(refused).toBeGreaterThan(2);
    expect(refused).toBeLessThan(16);
  });

  test("that is full from the start does not begin", async () => {
    const directory = join(place, "none");
    fill(0);
    const training = train({ ...base, epochs: 1, directory });
    await expect(training).rejects.toThrow(/: no space is left on the disk \(ENOSPC\); make room, /);
    expect(readdirSync(directory)).toEqual([]);
    rmSync(join(place, "filler"));
    await train({ ...base, epochs: 1, directory });
  });

  test("takes no half of a downloaded file", () => {
    fill(2);
    const file = join(place, "set", "numbers.gz");
    expect(() => writeWhole(file, Buffer.alloc(5 * page))).toThrow(
      `cannot write ${file}: no space is left on the disk (ENOSPC); make room, or choose another folder, with --cache or FEWBIT_CACHE`,
    );
    expect(readdirSync(join(place, "set"))).toEqual([]);
  });
});
