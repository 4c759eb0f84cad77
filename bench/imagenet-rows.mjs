/**
 * `node bench/imagenet-rows.mjs --photographs DIR [--only TEXT] [--out imagenet-rows.jsonl] [--table]`: each of the published
 * table's 71 rows of ImageNet with its own batch size and at its full image size: three steps, then two batches are scored.
 *
 * The data set is made for it: the 1,000 classes of ImageNet, whose files are links to the photographs in DIR (JPEG files, in
 * folders). Each row runs as `fewbit train` does it, in a process of its own, and adds a line of JSON to the file of --out:
 * seconds of a step, the mean of the three, and the process's largest memory. Rows that have a line are left out, so that the
 * whole can be run in parts; --only takes the rows whose name contains a text, such as alexnet-dorefa. --table prints what
 * has been recorded, as docs/results.md has it. All rows take about three hours on two cores, and up to 20 GB of memory.
 */
import { execFile, execFileSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs, promisify } from "node:util";
import { root } from "./common/processes.mjs";

const [steps, scored] = [3, 2];
const fewbit = join(root, "bin", "fewbit.js");
const { values } = parseArgs({
  options: {
    photographs: { type: "string" },
    only: { type: "string", default: "" },
    out: { type: "string", default: "imagenet-rows.jsonl" },
    threads: { type: "string", default: String(cpus().length) },
    table: { type: "boolean", default: false },
  },
});

const recorded = () =>
  existsSync(values.out)
    ? readFileSync(values.out, "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line))
    : [];

/** The configurations of the rows, as `fewbit reproduce` plans them. */
const rows = (folder) =>
  JSON.parse(
    execFileSync(
      process.execPath,
      [fewbit, "reproduce", "imagenet", "--dry-run", "--json", "--out", join(folder, "plan")],
      { encoding: "utf8", maxBuffer: 1 << 24 },
    ),
  ).map(({ configuration }) => configuration);

const nameOf = ({ model, method, weightBits, activationBits }) =>
  `${model}-${method}-w${weightBits ?? 32}a${activationBits ?? 32}`;

/** The JPEG files below a folder. */
const photographsIn = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.jpe?g$/i.test(entry.name))
    .map((entry) => resolve(entry.parentPath ?? entry.path, entry.name))
    .sort();

/** A folder like ImageNet's with as many images as the steps and the scored batches of a row have. */
function makeData(folder, photographs, batchSize) {
  const made = join(folder, `images-${batchSize}`);
  if (existsSync(made)) return made;
  const classes = readFileSync(join(root, "data", "imagenet", "classes.txt"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.slice(0, 9));
  for (const [set, count] of [
    ["train", steps * batchSize],
    ["val", scored * batchSize],
  ]) {
    for (const wnid of classes) mkdirSync(join(made, set, wnid), { recursive: true });
    for (let i = 0; i < count; i++) {
      const wnid = classes[i % classes.length];
      symlinkSync(photographs[i % photographs.length], join(made, set, wnid, `${wnid}_${i}.JPEG`));
    }
  }
  return made;
}

/** Runs a row and returns its line. */
async function measure(folder, configuration, dataDir) {
  const file = join(folder, "row.json");
  const out = join(folder, "run");
  // How long it trains is all that differs from the row.
  writeFileSync(
    file,
    JSON.stringify({ ...configuration, dataDir, epochs: 1, decayEvery: 0, decayFactor: undefined }),
  );
  const words = ["train", "--config", file, "--out", out, "--json", "--threads", values.threads];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [fewbit, ...words], {
      maxBuffer: 1 << 24,
    });
    const { imagesPerSecond, peakBytes, epochs } = JSON.parse(stdout.trimEnd().split("\n").at(-1));
    const metrics = JSON.parse(readFileSync(join(out, "metrics.jsonl"), "utf8").split("\n")[0]);
    if (epochs !== 1 || metrics.step !== steps) throw new Error(`it has done ${metrics.step} steps`);
    const { batchSize, accumulate } = configuration;
    return {
      batchSize,
      accumulate,
      secondsPerStep: batchSize / imagesPerSecond,
      peakBytes,
      loss: metrics.trainLoss,
    };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

async function run() {
  const photographs = photographsIn(values.photographs);
  if (photographs.length === 0) throw new Error(`${values.photographs} has no JPEG files`);
  const folder = mkdtempSync(join(tmpdir(), "fewbit-imagenet-rows-"));
  try {
    const done = new Set(recorded().map(({ row }) => row));
    const open = rows(folder).filter((row) => nameOf(row).includes(values.only) && !done.has(nameOf(row)));
    for (const [i, configuration] of open.entries()) {
      const row = nameOf(configuration);
      try {
        const line = await measure(
          folder,
          configuration,
          makeData(folder, photographs, configuration.batchSize),
        );
        const machine = { cpu: cpus()[0].model, threads: Number(values.threads) };
        appendFileSync(values.out, `${JSON.stringify({ row, ...line, ...machine })}\n`);
        console.log(
          `${i + 1}/${open.length} ${row}: ${line.secondsPerStep.toFixed(2)} s a step, ${(line.peakBytes / 1e9).toFixed(2)} GB`,
        );
      } catch (error) {
        process.exitCode = 1;
        console.error(`${i + 1}/${open.length} ${row}: ${error.stderr || error.message}`);
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The table of docs/results.md: a line for each row. */
function printTable() {
  const lines = recorded();
  console.log(`| row | batch | seconds a step | peak memory |\n|---|---|---|---|`);
  for (const { row, batchSize, secondsPerStep, peakBytes } of lines) {
    console.log(
      `| ${row} | ${batchSize} | ${secondsPerStep.toFixed(2)} | ${(peakBytes / 1e9).toFixed(2)} GB |`,
    );
  }
}

if (values.table) printTable();
else if (values.photographs === undefined) {
  console.error("name the folder of photographs: --photographs DIR");
  process.exitCode = 2;
} else await run();
