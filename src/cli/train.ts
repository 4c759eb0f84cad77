/** `fewbit train`. */
import type { Command } from "commander";
import pc from "picocolors";
import { UserError } from "../errors.js";
import type { RunOptions } from "../training/config.js";
import { resolveData, resolveNetwork, resolveOptimizer, runName } from "../training/config.js";
import type { Run, TrainOptions } from "../training/index.js";
import { loadRun, train } from "../training/index.js";
import type { Given } from "./flags.js";
import { given, parse, withSource, withSourceAsync } from "./flags.js";
import { exitCodes } from "./exit.js";
import { createDisplay } from "./progress.js";
import { bytesText, duration, resultLines } from "./text.js";

interface Flags {
  readonly resume?: string;
  readonly overwrite?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
  readonly profile?: boolean;
}

export async function trainCommand(model: string | undefined, command: Command): Promise<void> {
  const flags = command.opts<Flags>();
  const from =
    flags.resume === undefined ? given(command, model) : resumed(flags.resume, given(command, model));
  const options = parse(from);
  let firstStepSeconds: number | undefined;
  const run = await runTraining(options, from, {
    resume: flags.resume !== undefined,
    overwrite: flags.overwrite ?? false,
    quiet: (flags.quiet ?? false) || (flags.json ?? false),
    onFirstStep: () => (firstStepSeconds = performance.now() / 1000),
  });
  if (flags.profile === true && !run.interrupted) await showProfile(options, run);
  if (flags.json === true) console.log(JSON.stringify(resultObject(run, firstStepSeconds)));
  else report(run);
  if (run.interrupted) process.exitCode = exitCodes.interrupted;
}

interface Manner {
  readonly resume: boolean;
  readonly overwrite: boolean;
  readonly quiet: boolean;
  readonly onFirstStep?: () => void;
}

/** Trains as a configuration says, showing how far it is; the first SIGINT saves and stops, the second exits. */
export async function runTraining(
  options: RunOptions,
  from: Given,
  { resume, overwrite, quiet, onFirstStep }: Manner,
): Promise<Run> {
  const { model, method } = withSource(from, () => resolveNetwork(options));
  const { optimizer, schedule } = withSource(from, () => resolveOptimizer(options));
  const data = await withSourceAsync(from, () => resolveData(options));
  const directory = options.out ?? `runs/${runName(model, method)}`;
  const stop = new AbortController();
  const onSigint = (): void => {
    if (stop.signal.aborted) process.exit(exitCodes.interrupted);
    stop.abort();
  };
  process.on("SIGINT", onSigint);
  const display = createDisplay(quiet);
  let steps = 0;
  try {
    const job: TrainOptions = {
      ...{ model, method, data, optimizer, schedule, directory, resume, overwrite },
      ...{
        epochs: options.epochs,
        batchSize: options.batchSize,
        seed: options.seed,
        validation: options.validation,
      },
      ...{ executor: options.executor, threads: options.threads },
      options: { ...options, out: undefined, threads: undefined, executor: undefined },
      signal: stop.signal,
      onProgress(progress) {
        if (steps++ === 0) onFirstStep?.();
        display.update(progress);
      },
      onWarning: (message) => console.error(pc.yellow(`warning: ${message}`)),
    };
    return await withSourceAsync(from, () => train(job)).catch((error: unknown) => {
      throw explained(error, directory);
    });
  } finally {
    display.stop();
    process.off("SIGINT", onSigint);
  }
}

/** Says which flags mend a directory that is in use. */
function explained(error: unknown, directory: string): unknown {
  if (!(error instanceof UserError) || !error.message.includes("holds a run already")) return error;
  return new UserError(
    `${directory} holds a run already; go on with --resume ${directory}, replace it with --overwrite, or choose another --out`,
  );
}

/** A stored run's settings, with the flags that may change. */
function resumed(directory: string, flags: Given): Given {
  const stored = loadRun(directory).config;
  if (stored.options === undefined) {
    throw new UserError(`${directory} was trained from code; resume it there, with train({ resume: true })`);
  }
  if ("out" in flags.values)
    throw new UserError("--out and --resume exclude each other; the run stays in its folder");
  return {
    values: { ...stored.options, epochs: stored.epochs, ...flags.values, out: directory },
    sourceOf: (key) => (key in flags.values ? flags.sourceOf(key) : `${directory}/config.json`),
  };
}

function resultObject(run: Run, firstStepSeconds: number | undefined) {
  return {
    bestTop1: run.best.test.top1,
    lastTop1: run.last.test.top1,
    bestEpoch: run.best.epoch,
    chosenOn: run.chosenOn,
    epochs: run.metrics.length,
    seconds: run.seconds,
    imagesPerSecond: run.imagesPerSecond,
    directory: run.directory,
    executor: run.config.executor,
    interrupted: run.interrupted,
    firstStepSeconds,
    peakBytes: process.resourceUsage().maxRSS * 1024,
  };
}

function report(run: Run): void {
  console.log(resultLines(run).join("\n"));
  if (run.interrupted) {
    console.log(`interrupted and saved; go on with: npx fewbit train --resume ${run.directory}`);
    return;
  }
  const speed = Math.round(run.imagesPerSecond).toLocaleString("en-US");
  console.log(
    pc.dim(
      `${duration(run.seconds)}, ${speed} images/s on the ${run.config.executor} executor; kept in ${run.directory}`,
    ),
  );
}

async function showProfile(options: RunOptions, run: Run): Promise<void> {
  const { profileStep } = await import("../training/profile.js");
  const { model, method } = resolveNetwork(options);
  const { optimizer } = resolveOptimizer(options);
  const { executor, threads, batchSize } = options;
  const profile = await profileStep({
    model,
    method,
    optimizer,
    data: run.data,
    batchSize,
    executor,
    threads,
  });
  const { table } = await import("./text.js");
  const share = (value: number, peak: number | undefined): string =>
    peak === undefined ? "" : ` (${Math.round((100 * value) / peak)}%)`;
  const rows = profile.rows.map((row) => [
    row.name,
    String(row.count),
    `${row.milliseconds.toFixed(3)} ms`,
    `${((100 * row.milliseconds) / profile.stepMilliseconds).toFixed(1)}%`,
    `${(row.operationsPerSecond / 1e9).toFixed(1)} Gop/s${share(row.operationsPerSecond, profile.peak?.operationsPerSecond)}`,
    `${bytesText(row.bytesPerSecond)}/s${share(row.bytesPerSecond, profile.peak?.bytesPerSecond)}`,
  ]);
  console.log(
    table([["instructions", "count", "time", "share", "operations", "memory"], ...rows]).join("\n"),
  );
  const peak = profile.peak
    ? `; the machine's measured peak, in brackets: ${(profile.peak.operationsPerSecond / 1e9).toFixed(0)} Gop/s, ${bytesText(profile.peak.bytesPerSecond)}/s`
    : "";
  console.log(
    `a step of ${run.config.batchSize} images takes ${profile.stepMilliseconds.toFixed(2)} ms, ` +
      `preparing a batch meanwhile ${profile.prepareMilliseconds.toFixed(2)} ms${peak}`,
  );
}
