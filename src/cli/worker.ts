/** `fewbit worker`. */
import { printable, UserError } from "../errors.js";
import { maskedUrl, queueUrl, work } from "../experiments/index.js";
import { usableCpus } from "../machine.js";
import { onInterrupt } from "./interrupt.js";
import { wholeNumber } from "./studies.js";
import { createStudyDisplay } from "./study-display.js";
import { print, warn } from "./text.js";

interface WorkerFlags {
  readonly queue?: string;
  readonly study?: string;
  readonly out?: string;
  readonly dataDir?: string;
  readonly jobs?: number;
  readonly threads?: number;
  readonly untilEmpty?: boolean;
  readonly lockSeconds?: number;
  readonly quiet?: boolean;
}

export async function workerCommand(flags: WorkerFlags): Promise<void> {
  const queue = queueUrl(flags.queue ?? "");
  const { study, out: folder, dataDir, untilEmpty, lockSeconds, quiet = false } = flags;
  if (study !== undefined && folder !== undefined) {
    throw new UserError("--study and --out exclude each other: the folder names the study");
  }
  if (lockSeconds !== undefined && !(lockSeconds >= 1)) {
    throw new UserError(`lock-seconds must be a number of at least 1, got ${JSON.stringify(lockSeconds)}`);
  }
  const jobs = wholeNumber("jobs", flags.jobs, 1);
  const threads = wholeNumber("threads", flags.threads, 1) ?? usableCpus();
  const interrupt = onInterrupt("finishing the steps, then saving and giving the runs back", quiet);
  await work({
    queue,
    study,
    folder,
    dataDir,
    untilEmpty,
    lockSeconds,
    jobs,
    threads,
    signal: interrupt.signal,
    ...createStudyDisplay(undefined, quiet),
    onReady() {
      if (!quiet) print(`waiting for runs of ${study ?? folder ?? "all studies"} on ${maskedUrl(queue)}`);
    },
    onTrouble: (message) => warn(printable(message)),
  }).finally(interrupt.release);
}
