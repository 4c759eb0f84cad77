/** `fewbit train`. */
import { resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { existsSync } from "node:fs";
import type { Command } from "commander";
import { counted, quoted, shown, UserError } from "../errors.js";
import { refuseNamesakes } from "../data/index.js";
import { rulesOf } from "../data/rules.js";
import { optimizerTitle } from "../optim/index.js";
import type { PublishedRow } from "../published/index.js";
import { methods } from "../quantization/index.js";
import { codeSettings } from "../training/code.js";
import type { RunOptions } from "../training/config.js";
import {
  fittedTo,
  publishedCell,
  resolveData,
  resolveNetwork,
  resolveOptimizer,
  runName,
  settingsOf,
} from "../training/config.js";
import type { Run, TrainOptions } from "../training/index.js";
import { initialLines } from "../training/initial-weights.js";
import type { Profile } from "../training/profile.js";
import { isCodeFile } from "../training/setting.js";
import { keysWhere, rows } from "../training/settings.js";
import { train } from "../training/index.js";
import { readConfig, watchedImages } from "../run-folder/index.js";
import type { Given } from "./given.js";
import { given, overStored, parse, withSource, withSourceAsync } from "./flags.js";
import { exitCodes } from "./exit.js";
import { explained } from "./explained.js";
import { onInterrupt } from "./interrupt.js";
import { showLoading } from "./loading.js";
import { createDisplay } from "./progress.js";
import { duration, pc, print, resultLines, table, warn } from "./text.js";

interface Flags {
  readonly resume?: string;
  readonly overwrite?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
  readonly profile?: boolean;
}

export async function trainCommand(model: string | undefined, command: Command): Promise<void> {
  const flags = command.opts<Flags>();
  if (flags.resume !== undefined && flags.overwrite === true) {
    throw new UserError("--resume and --overwrite exclude each other; give one of them");
  }
  const typed = given(command, model);
  if (flags.resume === undefined && typed.allowChangedCode === true) {
    throw new UserError(
      "--allow-changed-code has no effect without --resume: it concerns the code of a stored run",
    );
  }
  const from = flags.resume === undefined ? typed : resumed(flags.resume, typed);
  const options = await parse(from);
  if (flags.resume === undefined) refuseIdle(from, options);
  const quiet = (flags.quiet ?? false) || (flags.json ?? false);
  let firstStepSeconds: number | undefined;
  const run = await runTraining(options, from, {
    resume: flags.resume !== undefined,
    overwrite: flags.overwrite ?? false,
    quiet,
    onFirstStep() {
      firstStepSeconds = performance.now() / 1000;
      if (!quiet) print(pc.dim(recipeLine(options, from)));
    },
  });
  const profile = flags.profile === true && !run.interrupted ? await profileOf(options, run) : undefined;
  if (flags.json === true) {
    print(JSON.stringify({ ...resultObject(run, firstStepSeconds), profile }));
  } else {
    if (profile !== undefined) print(profileLines(profile, options).join("\n"));
    report(run, firstStepSeconds === undefined);
  }
  if (run.interrupted) process.exitCode = exitCodes.interrupted;
}

interface Manner {
  readonly resume: boolean;
  readonly overwrite: boolean;
  readonly quiet: boolean;
  readonly onFirstStep?: () => void;
}

/** Trains as a configuration says, showing how far it is; a signal saves and stops: see `onInterrupt`. */
export async function runTraining(
  options: RunOptions,
  from: Given,
  { resume, overwrite, quiet, onFirstStep }: Manner,
): Promise<Run> {
  const { model: named, method } = withSource(from, () => resolveNetwork(options));
  const settings = withSource(from, () => settingsOf(options));
  const loading = showLoading(quiet);
  const rules = resume ? rulesOf(readConfig(options.out ?? "").preparation) : undefined;
  const data = await withSourceAsync(from, () => resolveData(options, named, { rules, ...loading })).finally(
    loading.stop,
  );
  const { dataDir } = options;
  if (!resume && dataDir !== undefined) withSource(from, () => refuseNamesakes(options.data, data, dataDir));
  const model = withSource(from, () => fittedTo(data, named));
  const interrupt = onInterrupt("finishing the step, then saving", quiet);
  const display = createDisplay(quiet, watchedImages(options.validation));
  let steps = 0;
  try {
    const job: TrainOptions = {
      ...settings,
      model,
      method,
      data,
      resume,
      overwrite,
      threads: options.threads,
      signal: interrupt.signal,
      onProgress(progress) {
        if (steps++ === 0) onFirstStep?.();
        display.update(progress);
      },
      onInitialWeights(report) {
        if (!quiet) print(pc.dim(initialLines(report).join("\n")));
      },
      onWarning: warn,
    };
    const { out } = options;
    const trainIn = (directory: string): Promise<Run> =>
      train({ ...job, directory }).catch((error: unknown) => {
        throw explained(error, directory, options);
      });
    return await withSourceAsync(from, () =>
      out === undefined ? inFreeFolder(trainIn, `runs/${runName(model, method)}`) : trainIn(out),
    );
  } finally {
    display.stop();
    interrupt.release();
  }
}

/** Trains in the first of NAME, NAME-2, NAME-3, ... that is not there yet, and that no other process takes meanwhile. */
async function inFreeFolder(trainIn: (directory: string) => Promise<Run>, name: string): Promise<Run> {
  for (let i = 1; ; i++) {
    const directory = i === 1 ? name : `${name}-${i}`;
    if (existsSync(directory)) continue;
    try {
      return await trainIn(directory);
    } catch (error) {
      // The directory's lock has one winner, and is taken before anything is written.
      const isTaken = error instanceof UserError && ["holdsRun", "inUse"].includes(error.code ?? "");
      if (!isTaken) throw error;
    }
  }
}

/** A stored run's settings, with the flags that may change. */
function resumed(directory: string, flags: Given): Given {
  const stored = withSource({ values: { out: directory }, sourceOf: () => "--resume" }, () =>
    readConfig(directory),
  );
  if (stored.options === undefined) {
    throw new UserError(
      `${directory} was trained from code: resume it there, with train({ resume: true }); fewbit eval and fewbit predict take it here`,
    );
  }
  for (const [key, value] of Object.entries(flags.values)) {
    const before = key === "out" ? directory : stored.options[key];
    const same =
      key === "out" ? resolve(directory) === resolve(String(value)) : isDeepStrictEqual(before, value);
    const isMoved = isCode(key) && isCodeFile(before) && isCodeFile(value); // the checksum decides
    if (same || isMoved || changeable.includes(key)) continue;
    throw new UserError(
      `${key} is ${shown(value)}, but ${directory} was started ${before === undefined ? "without it" : `with ${shown(before)}`}; ` +
        `resume it with the same, or start another run (from ${flags.sourceOf(key)})`,
    );
  }
  // The other settings are as stored, down to the order of layers, in which weights are stored.
  const changed = Object.fromEntries(
    Object.entries(flags.values).filter(([key]) => changeable.includes(key) || isCode(key)),
  );
  const before = { ...stored, options: { ...stored.options, epochs: stored.epochs } };
  const { values, sourceOf, code } = overStored(before, directory, { ...flags, values: changed });
  return {
    values: { ...values, out: directory },
    code,
    sourceOf: (key) => (key === "out" ? "--resume" : sourceOf(key)),
  };
}

/** The optimizer, and where its settings come from. */
function recipeLine(options: RunOptions, from: Given): string {
  const { optimizer, learningRate, weightDecay } = options;
  const decay = weightDecay === 0 ? "" : `, weight decay ${weightDecay}`;
  const cell = publishedCell(options);
  // What the published table says of a row.
  const keys = ["optimizer", "learningRate", "weightDecay"] as const;
  const open = keys.filter((key) => !Object.hasOwn(from.values, key));
  const isPublished = cell !== undefined && cell.optimizer === optimizer && open.length > 0;
  const what = open.length === keys.length ? "" : `${open.join(" and ")} `;
  const source = isPublished ? ` (${what}as published for ${cellText(cell)})` : "";
  return `${optimizerTitle(optimizer)}, learning rate ${learningRate}${decay}${source}`;
}

const cellText = ({ dataset, method, weightBits, activationBits }: PublishedRow): string =>
  `${methods[method].title} ${weightBits}/${activationBits} on ${dataset}`;

/** Refuses settings without effect: they are a mistake or a misunderstanding. */
function refuseIdle(from: Given, options: RunOptions): void {
  for (const [key, { needs }] of rows) {
    if (needs === undefined || needs.isMet(options) || !Object.hasOwn(from.values, key)) continue;
    throw new UserError(`${key} has no effect without ${needs.words} (from ${from.sourceOf(key)})`, key);
  }
}

/** Whether a setting may name a file of code. */
const isCode = (key: string): boolean => (codeSettings as readonly string[]).includes(key);

/** The settings that may differ when a run is resumed. */
const changeable: readonly string[] = keysWhere(({ resumable }) => resumable === true);

function resultObject(run: Run, firstStepSeconds: number | undefined) {
  return {
    bestTop1: run.best.test.top1,
    lastTop1: run.last.test.top1,
    bestEpoch: run.best.epoch,
    chosenOn: run.chosenOn,
    epochs: run.metrics.length,
    damaged: run.last.damaged,
    seconds: run.seconds,
    imagesPerSecond: run.imagesPerSecond,
    directory: run.directory,
    executor: run.config.executor,
    interrupted: run.interrupted,
    stopped: run.stopped,
    firstStepSeconds,
    peakBytes: process.resourceUsage().maxRSS * 1024,
  };
}

function report(run: Run, wasDone: boolean): void {
  print(resultLines(run).join("\n"));
  if (run.interrupted) print(interruptedLine(run));
  else if (wasDone) print(doneLine(run));
  else print(pc.dim(costLine(run)));
}

/** How long a run took and how fast it was; the speed is unknown if only an epoch's scores were left to compute. */
function costLine({ seconds, imagesPerSecond, config, directory }: Run): string {
  const speed =
    imagesPerSecond > 0 ? `, ${Math.round(imagesPerSecond).toLocaleString("en-US")} images/s` : "";
  return `${duration(seconds)}${speed} on the ${config.executor} executor; kept in ${directory}`;
}

/** The message for a run with nothing left to train, and how to train it longer. */
const doneLine = ({ directory, config: { epochs } }: Run): string =>
  `${directory} was done already, after its ${counted(epochs, "epoch")}; to train it longer, add --epochs with a number above ${epochs}`;

/** The message for a run that was interrupted, and how to resume it. */
export function interruptedLine({ stopped, directory }: Run): string {
  const how = stopped ? "stopped on request" : "interrupted";
  return `${how} and saved; go on with: npx fewbit train --resume ${quoted(directory ?? "")}`;
}

async function profileOf(options: RunOptions, { model, method, data }: Run): Promise<Profile> {
  const { profileStep } = await import("../training/profile.js");
  const { executor, threads, gradients, freeze, clipNorm } = options;
  const { optimizer, loss } = resolveOptimizer(options);
  const batchSize = options.batchSize / options.accumulate;
  return profileStep({
    model,
    method,
    optimizer,
    loss,
    data,
    gradients,
    freeze,
    clipNorm,
    batchSize,
    executor,
    threads,
  });
}

function profileLines(
  { rows, peak, stepMilliseconds, prepareMilliseconds, waitingShare }: Profile,
  { batchSize, accumulate }: RunOptions,
): string[] {
  const share = (value: number, most: number | undefined): string =>
    most === undefined ? "" : `${((100 * value) / most).toFixed(1)}%`;
  const cells = rows.map((row) => [
    row.name,
    String(row.count),
    row.milliseconds.toFixed(3),
    share(row.milliseconds, stepMilliseconds),
    (row.operationsPerSecond / 1e9).toFixed(1),
    share(row.operationsPerSecond, peak?.operationsPerSecond),
    (row.bytesPerSecond / 1e9).toFixed(1),
    share(row.bytesPerSecond, peak?.bytesPerSecond),
  ]);
  const lines = [
    ...table([["instructions", "count", "ms", "share", "Gop/s", "peak", "GB/s", "peak"], ...cells]),
    `${accumulate === 1 ? "a step" : "a small batch"} of ${batchSize / accumulate} images takes ${stepMilliseconds.toFixed(2)} ms; ` +
      `a batch is prepared meanwhile in ${prepareMilliseconds.toFixed(2)} ms, ` +
      `for which steps waited ${(100 * waitingShare).toFixed(2)}% of the time`,
  ];
  if (peak !== undefined) {
    const [operations, bytes] = [peak.operationsPerSecond / 1e9, peak.bytesPerSecond / 1e9];
    lines.push(`this machine's measured peak: ${operations.toFixed(0)} Gop/s, ${bytes.toFixed(1)} GB/s`);
  }
  return lines;
}
