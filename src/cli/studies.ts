/** `fewbit reproduce` and `fewbit sweep`. */
import { basename, extname, join, relative } from "node:path";
import { printable, quoted, UserError } from "../errors.js";
import type { Choice, Outcome, PlannedRun, Standing, Trial } from "../experiments/index.js";
import {
  bestRates,
  followStudy,
  maskedUrl,
  queueUrl,
  reproduction,
  runsOf,
  runStudy,
  standingOf,
  placedStudy,
  studyOf,
} from "../experiments/index.js";
import { threadsEach, usableCpus } from "../machine.js";
import { writeAtomically } from "../files/write.js";
import { resolveNetwork, runName } from "../training/config.js";
import { bestEpoch, watchedImages } from "../run-folder/index.js";
import { exitCodes } from "./exit.js";
import { checkFolder } from "./folder.js";
import { onInterrupt } from "./interrupt.js";
import { createStudyDisplay } from "./study-display.js";
import { codeOf, readStudy } from "./study-file.js";
import { pc, percent, print, table, warn } from "./text.js";

interface StudyFlags {
  readonly out?: string;
  readonly jobs?: number;
  readonly threads?: number;
  readonly dataDir?: string;
  readonly queue?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

interface ReproduceFlags extends StudyFlags {
  readonly method?: string;
  readonly bits?: string;
  readonly epochs?: number;
  readonly seeds?: number;
  readonly classes?: unknown;
  readonly imageSize?: unknown;
  readonly accumulate?: unknown;
}

interface SweepFlags extends StudyFlags {
  readonly index?: number;
  readonly printCommands?: boolean;
  readonly pick?: string;
}

export async function reproduceCommand(name: string, flags: ReproduceFlags): Promise<void> {
  const { method, bits, dataDir, classes, imageSize, accumulate } = flags;
  const epochs = wholeNumber("epochs", flags.epochs, 1);
  const seeds = wholeNumber("seeds", flags.seeds, 1);
  const given = { classes, imageSize, accumulate };
  const runs = reproduction({ table: name, method, bits, epochs, seeds, dataDir, given });
  await trainStudy(runs, flags.out ?? join("runs", `reproduce-${name.replace("/", "-")}`), flags);
}

export async function sweepCommand(file: string, flags: SweepFlags): Promise<void> {
  const { study, unloaded } = await readStudy(file);
  const { name = basename(file, extname(file)), runs } = runsOf(study, file, unloaded);
  const folder = flags.out ?? join("runs", name);
  const index = wholeNumber("index", flags.index, 0);
  if (index !== undefined && index >= runs.length) {
    throw new UserError(
      `index must be below ${runs.length}, the number of runs in ${file}, got ${index} (from --index)`,
    );
  }
  const { pick } = flags;
  if (pick !== undefined && pick !== "best-rate") {
    throw new UserError(`pick must be best-rate, got "${pick}" (from --pick)`);
  }
  if (pick !== undefined && (index !== undefined || flags.dryRun === true || flags.printCommands === true)) {
    throw new UserError(
      "--pick chooses among all runs, so it excludes --index, --dry-run and --print-commands",
    );
  }
  if (flags.printCommands === true) {
    const more = (["dataDir", "threads"] as const).map((key) =>
      flags[key] === undefined
        ? ""
        : ` --${key === "dataDir" ? "data-dir" : key} ${quoted(String(flags[key]))}`,
    );
    for (const i of runs.keys())
      print(`npx fewbit sweep ${quoted(file)} --index ${i} --out ${quoted(folder)}${more.join("")}`);
    return;
  }
  const chosen = index === undefined ? runs : [runs[index]];
  const there = flags.dataDir === undefined ? chosen : chosen.map((run) => withDataDir(run, flags.dataDir));
  const outcomes = await trainStudy(there, folder, flags, codeOf(file, chosen));
  if (pick !== undefined && outcomes !== undefined)
    showChoices(bestRates(outcomes), folder, flags.json === true);
}

/** Prints the rate picked for each cell, and saves the picked runs as a study. */
function showChoices(choices: readonly Choice[], folder: string, json: boolean): void {
  const path = join(folder, "picked.json");
  // A path in it begins in its own folder.
  const picked = placedStudy(studyOf("picked", choices), (file) => `./${relative(folder, file)}`);
  if (choices.length > 0) writeAtomically(path, `${JSON.stringify(picked, null, 2)}\n`);
  if (json) {
    const objects = choices.map(({ runs, ...rest }) => ({ runs: runs.map(({ run }) => run.name), ...rest }));
    return print(JSON.stringify(objects));
  }
  const rate = ({ optimizer, learningRate }: Trial): string => `${optimizer} ${learningRate}`;
  const score = ({ run }: Outcome, { top1 }: Trial): string =>
    top1 === undefined ? "no result" : `${watchedImages(run.options.validation)} ${percent(top1)}`;
  const [head, ...rows] = table([
    ["cell", "picked", "best top-1", "also tried"],
    ...choices.map(({ runs: [first], trials: [best, ...others], complete }) => [
      cellText(first.run),
      rate(best),
      score(first, best),
      [
        ...others.map((trial) => `${rate(trial)} ${score(first, trial)}`),
        ...(complete ? [] : ["not all have ended"]),
      ].join(", "),
    ]),
  ]);
  print([pc.dim(head), ...rows].join("\n"));
  if (choices.length > 0) print(`the runs picked are a study: ${path}`);
}

const cellText = ({ options }: PlannedRun): string => {
  const { model, method } = resolveNetwork(options);
  return `${runName(model, method)} on ${options.data}`;
};

/** Where the data is does not belong to a run's identity. */
const withDataDir = (run: PlannedRun, dataDir: string | undefined): PlannedRun => ({
  ...run,
  options: { ...run.options, dataDir },
});

/** Trains the runs, or only shows them; returns their outcomes if it trains. */
async function trainStudy(
  runs: readonly PlannedRun[],
  folder: string,
  flags: StudyFlags,
  code?: readonly string[],
): Promise<Outcome[] | undefined> {
  checkFolder(folder);
  const standings = runs.map((run) => standingOf(run, folder));
  const jobs = wholeNumber("jobs", flags.jobs, 1) ?? 1;
  const threads = wholeNumber("threads", flags.threads, 1) ?? usableCpus();
  const queue = flags.queue === undefined ? undefined : queueUrl(flags.queue);
  for (const name of ["jobs", "threads"] as const) {
    if (queue === undefined || flags[name] === undefined) continue;
    throw new UserError(`--${name} has no effect with --queue; give it to fewbit worker`);
  }
  if (flags.dryRun === true) {
    if (flags.json === true) print(JSON.stringify(standings.map(planObject)));
    else await (await import("./dry-run.js")).showPlan(standings, threadsEach(threads, 1), code);
    return undefined;
  }
  const quiet = flags.quiet === true || flags.json === true;
  const interrupt = onInterrupt(
    queue === undefined
      ? "finishing the steps, then saving"
      : "leaving; workers go on with the study, and the same command follows it again",
    quiet,
  );
  const display = createStudyDisplay(standings, quiet);
  const options = { folder, signal: interrupt.signal, ...display };
  const running =
    queue === undefined
      ? runStudy(runs, { ...options, jobs, threads })
      : followStudy(runs, { ...options, queue, ...queueNotices(queue, quiet) });
  const outcomes = await running.finally(() => {
    display.stop();
    interrupt.release();
  });
  if (flags.json === true) print(JSON.stringify(outcomes.map(resultObject)));
  else print(resultTable(outcomes).join("\n"));
  const failed = outcomes.filter(({ failure, state }) => failure !== undefined || state === "damaged");
  if (interrupt.signal.aborted) process.exitCode = exitCodes.interrupted;
  else if (failed.some(({ diverged }) => diverged !== true)) process.exitCode = exitCodes.userError;
  else if (failed.length > 0) process.exitCode = exitCodes.diverged;
  else if (outcomes.some(({ stopped }) => stopped)) process.exitCode = exitCodes.interrupted;
  return outcomes;
}

function queueNotices(url: string, quiet: boolean) {
  return {
    onQueued(name: string, count: number) {
      if (quiet) return;
      const worker = `npx fewbit worker --queue ${maskedUrl(url)}`;
      const runs = count === 1 ? "1 run is" : `${count} runs are`;
      print(`${runs} on the queue ${name}; workers take them: ${worker}`);
    },
    onTrouble: (message: string) => warn(printable(message)),
  };
}

function planObject({ run: { options, identity }, directory, state, metrics }: Standing) {
  return { identity, directory, state, epochs: metrics.length, configuration: options };
}

function resultObject(outcome: Outcome) {
  const { metrics, failure, reason, stopped = false } = outcome;
  const best = bestEpoch(metrics);
  return {
    ...planObject(outcome),
    failure: failure ?? reason,
    stopped,
    bestTop1: best?.test.top1,
    bestEpoch: best?.epoch,
    lastTop1: metrics.at(-1)?.test.top1,
  };
}

const stoppedText = "stopped on request; run the study again to go on";

function resultTable(outcomes: readonly Outcome[]): string[] {
  const [head, ...rows] = table([
    ["run", "epochs", "best test top-1", "last test top-1", ""],
    ...outcomes.map(({ run, metrics, failure, reason, stopped }) => {
      const top1 = (epoch = bestEpoch(metrics)): string =>
        epoch === undefined ? "" : percent(epoch.test.top1);
      const epochs = `${metrics.length}/${run.options.epochs}`;
      return [
        run.name,
        epochs,
        top1(),
        top1(metrics.at(-1)),
        failure ?? reason ?? (stopped ? stoppedText : ""),
      ];
    }),
  ]);
  return [pc.dim(head), ...rows];
}

/** @throws UserError for anything but an integer of at least `least`. */
export function wholeNumber(name: string, value: number | undefined, least: number): number | undefined {
  if (value === undefined || (Number.isInteger(value) && value >= least)) return value;
  throw new UserError(
    `${name} must be an integer of at least ${least}, got ${JSON.stringify(value)} (from --${name})`,
  );
}
