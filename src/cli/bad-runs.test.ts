/** Mistakes about runs: where they are kept, resumed and scored. Each is one line and exit code 2, and nothing changes on disk. */
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { build, dorefa, expectRefusal, fewbit, newFolder, rewrite, training } from "./cli.test.fixture.js";

let folder: string;

beforeAll(async () => {
  build();
  folder = newFolder();
  writeFileSync(join(folder, "notes.txt"), "not a folder");
  cpSync(join(folder, "mnist"), join(folder, "other"), { recursive: true });
  rewrite(join(folder, "other", "train-labels-idx1-ubyte.gz"), (packed) => {
    const bytes = gunzipSync(packed);
    bytes[8] = (bytes[8] + 1) % 10;
    return gzipSync(bytes);
  });
  cpSync(join(folder, "mnist"), join(folder, "cut"), { recursive: true });
  rewrite(join(folder, "cut", "train-images-idx3-ubyte.gz"), (bytes) =>
    gzipSync(gunzipSync(bytes).subarray(0, 5000)),
  );
  expect(await fewbit(folder, `${training} ${dorefa} --epochs 2 --out run`)).toMatchObject({ code: 0 });
  expect(await fewbit(folder, `${training} --epochs 1 --out float`)).toMatchObject({ code: 0 });
  for (const [name, damage] of Object.entries(damagedRuns)) {
    cpSync(join(folder, "run"), join(folder, name), { recursive: true });
    damage(join(folder, name));
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const damagedRuns: Readonly<Record<string, (run: string) => void>> = {
  broken(run) {
    for (const name of ["checkpoint.safetensors", "best.safetensors"]) {
      rewrite(join(run, name), (bytes) => void (bytes[bytes.length - 100] ^= 1));
    }
  },
  shortened(run) {
    for (const name of ["checkpoint.safetensors", "best.safetensors"]) {
      rewrite(join(run, name), (bytes) => bytes.subarray(0, 5));
    }
  },
  exchanged(run) {
    for (const name of ["checkpoint.safetensors", "best.safetensors"]) {
      cpSync(join(folder, "float", name), join(run, name));
    }
  },
  skipped(run) {
    rewrite(join(run, "checkpoint.safetensors"), (bytes) => {
      const at = Buffer.from(bytes).indexOf('"step":"0"');
      bytes[at + '"step":"'.length] = "9".charCodeAt(0);
    });
  },
  blocked(run) {
    rmSync(join(run, "checkpoint.safetensors"));
    mkdirSync(join(run, "checkpoint.safetensors"));
  },
  locked: (run) => mkdirSync(join(run, "lock")),
  linked: (run) => symlinkSync(join(run, "nowhere"), join(run, "lock")),
  shallow: (run) => writeFileSync(join(run, "metrics.jsonl"), '{"epoch":1}\n{"epoch":2}\n'),
  void: (run) => {
    rewrite(join(run, "config.json"), (bytes) =>
      Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(bytes).toString()), options: null })),
    );
  },
  torn: (run) => writeFileSync(join(run, "config.json"), '{"formatVersion": 1,'),
  future: (run) => writeFileSync(join(run, "config.json"), '{"formatVersion": 2}'),
};

const refused = (args: string | readonly string[], message: string) => expectRefusal(folder, args, message);

describe("where a run is kept", () => {
  test.each([
    [
      `${training} --out run`,
      "run holds a run already; go on with --resume run, replace it with --overwrite, or choose another --out",
    ],
    [`${training} --out notes.txt`, "notes.txt is not a directory (from --out)"],
    [
      `${training} --out notes.txt/run`,
      "cannot write to notes.txt/run: a part of its path is a file; choose a directory that you may write to (from --out)",
    ],
    [
      `${training} --out mnist --overwrite`,
      "mnist holds other files than a run's; choose an empty or a new directory (from --out)",
    ],
  ])("fewbit %s", refused);

  test("a name that would turn the terminal's text around", async () => {
    await refused(
      ["train", "--resume", "no\u202e\nwhere"],
      "no\\u202e\\u000awhere holds no run: there is no config.json (from --resume)",
    );
    await refused(["train\u001b[31m"], "unknown command 'train\\u001b[31m'; see fewbit --help");
  });

  test("an empty name", async () => {
    await refused(
      ["train", "lenet5", "--out", ""],
      'out must be a text that is not empty, got "" (from --out)',
    );
    for (const command of ["eval", "dashboard", "report"]) {
      const name = command === "report" ? "folders" : "folder";
      await refused([command, ""], `${name} must be a text that is not empty, got ""`);
    }
    await refused(["predict", "run", ""], 'files must be a text that is not empty, got ""');
    await refused(
      ["train", "--resume", ""],
      'resume must be a text that is not empty, got "" (from --resume)',
    );
    await refused(
      ["sweep", "x.json", "--out", ""],
      'out must be a text that is not empty, got "" (from --out)',
    );
  });

  // Where even root cannot make a folder; one without permission would not stop root.
  test.runIf(process.platform === "linux")("a place where no folder can be made", async () => {
    await refused(
      `${training} --out /proc/run`,
      "cannot write to /proc/run: nothing can be made there; choose a directory that you may write to (from --out)",
    );
  });
});

describe("runs to resume", () => {
  const same = "resume it with the same, or start another run";
  test.each([
    ["train --resume nowhere", "nowhere holds no run: there is no config.json (from --resume)"],
    ["train --resume mnist", "mnist holds no run: there is no config.json (from --resume)"],
    ["train --resume torn", "torn/config.json is damaged: it is not JSON"],
    [
      "train --resume skipped --epochs 3",
      "skipped/checkpoint.safetensors is not a sound safetensors file: it does not have the checksum that its header says, so it was damaged after it was written",
    ],
    ["train --resume blocked --epochs 3", "cannot read blocked/checkpoint.safetensors: it is a folder"],
    [
      "train --resume locked --epochs 3",
      "cannot read locked/lock: it is a folder; remove it if no training is at work there (from --resume)",
    ],
    [
      "train --resume linked --epochs 3",
      "linked/lock cannot be taken; remove it if no training is at work there (from --resume)",
    ],
    [
      "train --resume shallow --epochs 3",
      "shallow/metrics.jsonl is damaged: line 1 is not the record of an epoch",
    ],
    ["train --resume void --epochs 3", 'void/config.json is damaged: "options" is not what a run writes'],
    ["eval void", 'void/config.json is damaged: "options" is not what a run writes'],
    ["train --resume future", "future/config.json has formatVersion 2; this fewbit reads 1"],
    ["train --resume run --out new", `out is "new", but run was started with "run"; ${same} (from --out)`],
    ["train --resume run --overwrite", "--resume and --overwrite exclude each other; give one of them"],
    [
      "train --resume run --method baseline",
      `method is "baseline", but run was started with "dorefa"; ${same} (from --method)`,
    ],
    [
      "train --resume run --weight-bits 2",
      `weightBits is 2, but run was started with 1; ${same} (from --weight-bits)`,
    ],
    [
      "train --resume float --weight-bits 2",
      `weightBits is 2, but float was started without it; ${same} (from --weight-bits)`,
    ],
    [
      "train --resume run --batch-size 32",
      `batchSize is 32, but run was started with 64; ${same} (from --batch-size)`,
    ],
    ["train --resume run --seed 2", `seed is 2, but run was started with 1; ${same} (from --seed)`],
    [
      "train --resume run --no-augment",
      `augment is false, but run was started with true; ${same} (from --no-augment)`,
    ],
    [
      "train --resume run --data digits",
      `data is "digits", but run was started with "mnist"; ${same} (from --data)`,
    ],
    [
      "train --resume run --data-dir other",
      `other is not the data that run was started with; ${same} (from --data-dir)`,
    ],
    [
      "train --resume run --epochs 1",
      "run has begun epoch 2, so epochs must be at least 2, got 1 (from --epochs)",
    ],
    [
      "train --resume broken --epochs 3",
      "broken/checkpoint.safetensors is not a sound safetensors file: it does not have the checksum that its header says, so it was damaged after it was written",
    ],
    [
      "train --resume shortened --epochs 3",
      "shortened/checkpoint.safetensors is not a sound safetensors file: it has only 5 bytes",
    ],
    [
      "train --resume exchanged --epochs 3",
      'exchanged/checkpoint.safetensors is of lenet5 28x28x1 -> 10, baseline {}; this network is lenet5 28x28x1 -> 10, dorefa {"weightBits":1,"activationBits":2,"gradientBits":32,"preset":"paper"}',
    ],
  ])("fewbit %s", refused);
});

describe("runs to evaluate", () => {
  const damaged =
    "is not a sound safetensors file: it does not have the checksum that its header says, so it was damaged after it was written";
  test.each([
    ["eval nowhere", "nowhere holds no run: there is no config.json"],
    ["eval torn", "torn/config.json is damaged: it is not JSON"],
    ["eval broken", `broken/best.safetensors ${damaged}`],
    ["eval broken --last", `broken/checkpoint.safetensors ${damaged}`],
    [
      "eval run --data-dir cut",
      "cut/train-images-idx3-ubyte.gz is cut short: 256 images of 28x28 need 200720 bytes, it has 5000 (from --data-dir)",
    ],
    ["eval run --threads 65", "threads must be an integer from 1 to 64, got 65 (from --threads)"],
    [
      "eval exchanged",
      'exchanged/best.safetensors is of lenet5 28x28x1 -> 10, baseline {}; this network is lenet5 28x28x1 -> 10, dorefa {"weightBits":1,"activationBits":2,"gradientBits":32,"preset":"paper"}',
    ],
  ])("fewbit %s", refused);
});
