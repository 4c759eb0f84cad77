/**
 * The directory of a run under way.
 *
 * At an epoch's end the lines are appended, then the checkpoint is replaced, then what follows from
 * both is derived. The checkpoint's rename is the commit: whatever a killed process left half done
 * is cut back to it, or derived again, when the run is resumed. Where the disk is full the lines are
 * cut back at once.
 */
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { shown, UserError } from "../errors.js";
import { isThere } from "../files/read.js";
import { whyUnwritten } from "../files/reasons.js";
import {
  appendFlushed,
  cutBack,
  makeDirectories,
  removeFile,
  removeTemporaries,
  sizeOf,
  writeAtomically,
} from "../files/write.js";
import type { Checkpoint, CheckpointToWrite, Expected, Owner, Weights } from "./checkpoint.js";
import { checkWeights, readWeights, stageCheckpoint, writeCheckpoint, writeWeights } from "./checkpoint.js";
import type { ConfusionLine } from "./confusion.js";
import type { EventFile } from "./events.js";
import type { LayerLine } from "./layers.js";
import type { Lock } from "./lock.js";
import { lockDirectory, lockName } from "./lock.js";
import type { EpochMetrics } from "./metrics.js";
import { bestEpoch, formatLines, replaceIfOther } from "./metrics.js";
import type { Resumption } from "./resumption.js";
import { nothingYet, readResumption } from "./resumption.js";
import type { Network } from "../nn/index.js";
import type { Method } from "../quantization/index.js";
import { differenceOf } from "./recipe.js";
import type { RunConfig } from "./run.js";
import { fileNames as names, isEventFile, readConfig, summarise, identityText, weightShapes } from "./run.js";

export interface OpenOptions {
  readonly resume: boolean;
  readonly overwrite: boolean;
  /** The queue that has given the run to this process: see `lockDirectory`. */
  readonly queue?: string;
  readonly config: RunConfig;
  /** Network and method, in words: see `checkpoint.ts`. */
  readonly identity: string;
  /** Throws if a run of this configuration would go on under other rules. */
  readonly refuseOtherRules?: (previous: RunConfig) => void;
  /** Arrays like those of a checkpoint of this run. */
  readonly expected: Expected;
  /** Kept up to date beside the run's own files. */
  readonly events?: EventFile;
  readonly onWarning: (message: string) => void;
}

/** The directory of a run under way. `open` only takes the lock and removes an old `stop`; `begin` is the first to write. */
export class RunDirectory {
  private constructor(
    private readonly path: string,
    private readonly options: OpenOptions,
    private found: Resumption,
    /** The configuration in the directory. */
    private readonly previous: RunConfig | undefined,
    private held: Lock | undefined,
  ) {}

  /** Throws `UserError` if a run cannot start, or be resumed, here. */
  static open(path: string, options: OpenOptions): RunDirectory {
    const { resume, overwrite, queue, config, identity, expected, onWarning } = options;
    const state = inspect(path);
    if (state === "foreign") {
      throw new UserError(
        `${path} holds other files than a run's; choose an empty or a new directory`,
        "directory",
      );
    }
    if (!resume) {
      if (state === "run" && !overwrite) {
        throw inUse(path);
      }
      return new RunDirectory(path, options, nothingYet, undefined, undefined);
    }
    const previous = readConfig(path);
    const held = lock(path, queue);
    try {
      checkSame(previous, config, path);
      options.refuseOtherRules?.(previous);
      if (previous.executor !== config.executor) {
        onWarning(
          `${path} was trained on the ${previous.executor} executor and goes on on ${config.executor}: ` +
            `the numbers will differ in their last bits; to keep its bits, resume it with --executor ${previous.executor}`,
        );
      }
      const owner = { identity, recipe: config.recipe };
      const found = readResumption(path, config, { owner, expected, onWarning });
      const { epoch = 0, step = 0 } = found.checkpoint ?? {};
      const begun = epoch + (step > 0 ? 1 : 0);
      if (begun > config.epochs) {
        throw new UserError(
          `${path} has begun epoch ${begun}, so epochs must be at least ${begun}, got ${config.epochs}`,
          "epochs",
        );
      }
      // Before compiling, which takes long: a stop requested from now on counts.
      removeFile(join(path, names.stop));
      return new RunDirectory(path, options, found, previous, held);
    } catch (error) {
      held.release();
      throw error;
    }
  }

  /** Where a resumed run stands. */
  get checkpoint(): Checkpoint | undefined {
    return this.found.checkpoint;
  }

  /** The metrics of the epochs that had ended before. */
  get metrics(): readonly EpochMetrics[] {
    return this.found.metrics;
  }

  /** Brings the directory to the state of the checkpoint, or writes a new run's with `initial`. */
  async begin(initial: CheckpointToWrite): Promise<void> {
    const { config, overwrite, resume, queue } = this.options;
    if (!resume) {
      try {
        makeDirectories(resolve(this.path));
      } catch (error) {
        throw unwritable(this.path, error);
      }
      this.held = lock(this.path, queue);
      // Another process may have started and ended a run here since `open`.
      if (!overwrite && inspect(this.path) === "run") throw inUse(this.path);
      if (overwrite) clear(this.path);
      removeFile(this.file("stop"));
    }
    this.checkHeld();
    for (const name of [...Object.values(names), "events"]) removeTemporaries(this.path, name, 0);
    if (!this.hasEnded()) {
      const then = resume ? undefined : "begin the run again";
      writeAtomically(this.file("config"), `${JSON.stringify(config, null, 2)}\n`, { then });
      for (const name of lineFiles) replaceIfOther(this.file(name), formatLines(this.found[name]));
    }
    const { checkpoint, metrics, layers, lacksBest } = this.found;
    if (checkpoint === undefined) await writeCheckpoint(this.file("checkpoint"), this.owner, initial);
    else if (metrics.length > 0) {
      if (lacksBest) await this.writeBest(checkpoint);
      this.writeSummary(metrics);
    }
    this.options.events?.begin(metrics, layers);
  }

  /** Releases the memory of the checkpoint, once the run goes on. */
  releaseCheckpoint(): void {
    this.found = { ...this.found, checkpoint: undefined };
  }

  /** Keeps an epoch's end. `metrics` are of all epochs; the last is this one. */
  async commit(
    metrics: readonly EpochMetrics[],
    layers: readonly LayerLine[],
    confusion: ConfusionLine | undefined,
    checkpoint: CheckpointToWrite,
  ): Promise<void> {
    this.checkHeld();
    const lines = {
      metrics: metrics.slice(-1),
      layers,
      confusion: confusion === undefined ? [] : [confusion],
    };
    const replaceCheckpoint = await this.orCutBack(async () => {
      for (const name of lineFiles) appendFlushed(this.file(name), formatLines(lines[name]));
      return stageCheckpoint(this.file("checkpoint"), this.owner, checkpoint);
    });
    replaceCheckpoint();
    if (bestEpoch(metrics)?.epoch === checkpoint.epoch) await this.writeBest(checkpoint);
    this.writeSummary(metrics);
    this.options.events?.append(lines.metrics[0], layers);
  }

  /** Keeps the middle of an epoch. */
  async save(checkpoint: CheckpointToWrite): Promise<void> {
    this.checkHeld();
    const replaceCheckpoint = await stageCheckpoint(this.file("checkpoint"), this.owner, checkpoint);
    this.checkHeld(); // for the training has gone on meanwhile, here or elsewhere
    replaceCheckpoint();
  }

  /** Whether the file `stop` was put here since the run was started or resumed. */
  isStopRequested(): boolean {
    return existsSync(this.file("stop"));
  }

  bestWeights(): Weights {
    return readWeights(this.file("best"), this.owner, this.options.expected.values).weights;
  }

  /** Releases the directory for other processes. */
  close(): void {
    this.held?.release();
  }

  /** Another process may have taken over the run of a process that slept or of a machine that was cut off. */
  private checkHeld(): void {
    if (this.held?.isHeld() === true) return;
    const why = isThere(join(this.path, lockName))
      ? `${this.path} has been taken over by another process, which goes on with the run`
      : `the lock of ${this.path} has been removed, so another process may train there`;
    throw new UserError(`${why}; this one has stopped`, "directory", "takenOver");
  }

  /** Whether there is nothing left to train; then only missing files are written. */
  private hasEnded(): boolean {
    const { epochs } = this.options.config;
    const { checkpoint, previous } = this;
    return previous?.epochs === epochs && checkpoint?.epoch === epochs && checkpoint.step === 0;
  }

  /** Appends lines; if that fails, the files of lines keep their length. */
  private async orCutBack<T>(write: () => Promise<T>): Promise<T> {
    const before = lineFiles.map((name) => sizeOf(this.file(name)));
    try {
      return await write();
    } catch (error) {
      lineFiles.forEach((name, i) => cutBack(this.file(name), before[i]));
      throw error;
    }
  }

  private writeBest(checkpoint: CheckpointToWrite): Promise<void> {
    return writeWeights(this.file("best"), this.owner, checkpoint);
  }

  private writeSummary(metrics: readonly EpochMetrics[]): void {
    const summary = summarise(metrics, this.options.config.epochs);
    replaceIfOther(this.file("summary"), `${JSON.stringify(summary, null, 2)}\n`);
  }

  /** What its files of weights belong to. */
  private get owner(): Owner {
    const { identity, config } = this.options;
    return { identity, recipe: config.recipe };
  }

  private file(name: keyof typeof names): string {
    return join(this.path, names[name]);
  }
}

/**
 * Checks that a directory holds the run to resume, only by its configuration and the header of its checkpoint: before
 * memory is taken for a network of sizes that the directory only claims. @throws UserError as `RunDirectory.open` does.
 */
export function checkResumable(
  path: string,
  config: RunConfig,
  model: Network,
  method: Method,
  refuseOtherRules: OpenOptions["refuseOtherRules"],
): void {
  if (inspect(path) !== "run") return; // which `open` tells
  const previous = readConfig(path);
  checkSame(previous, config, path);
  refuseOtherRules?.(previous);
  const checkpoint = join(path, names.checkpoint);
  if (!isThere(checkpoint)) return;
  const owner = { identity: identityText(model, method), recipe: previous.recipe };
  checkWeights(checkpoint, owner, weightShapes(model, method));
}

/** The files that get lines at an epoch's end, in the order in which they are written. */
const lineFiles = ["metrics", "layers", "confusion"] as const;

/** What is at a path: nothing (also a directory in which no run has started yet), a run, or something else. */
function inspect(path: string): "empty" | "run" | "foreign" {
  if (!existsSync(path)) return "empty";
  if (!statSync(path).isDirectory()) throw new UserError(`${path} is not a directory`, "directory");
  const passing = (name: string): boolean =>
    name === lockName || name === names.stop || name.endsWith(".tmp");
  const found = readdirSync(path).filter((name) => !passing(name));
  if (found.length === 0) return "empty";
  return found.includes(names.config) ? "run" : "foreign";
}

function inUse(path: string): UserError {
  return new UserError(
    `${path} holds a run already; resume it, overwrite it or choose another directory`,
    "directory",
    "holdsRun",
  );
}

function lock(path: string, queue: string | undefined): Lock {
  try {
    return lockDirectory(path, queue);
  } catch (error) {
    throw error instanceof UserError ? error : unwritable(path, error);
  }
}

/** Removes an older run's files, the configuration last: while it is there the directory is a run's. */
function clear(path: string): void {
  const { config, ...rest } = names;
  const events = readdirSync(path).filter(isEventFile);
  for (const name of [...events, ...Object.values(rest), config]) rmSync(join(path, name), { force: true });
}

/** A run is continued with the recipe that it started with. */
function checkSame(previous: RunConfig, config: RunConfig, path: string): void {
  const other = differenceOf(previous, config);
  if (other === undefined) return;
  const { key, before, now } = other;
  throw new UserError(
    `${path} was started with ${key} ${shown(before)}, not ${shown(now)}; resume it with the same, or start another run`,
    key,
  );
}

function unwritable(path: string, error: unknown): UserError {
  const { reason, remedy } = whyUnwritten(error);
  const choose =
    remedy === undefined
      ? "choose a directory that you may write to"
      : `${remedy}, or choose another directory`;
  return new UserError(`cannot write to ${path}: ${reason}; ${choose}`, "directory");
}
