/**
 * The directory of a run under way.
 *
 * At an epoch's end the lines are appended, then the checkpoint is replaced, then what follows from
 * both is derived. The checkpoint's rename is the commit: whatever a killed process left half done
 * is cut back to it, or derived again, when the run is resumed.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { shown, UserError } from "../errors.js";
import type { Checkpoint, Expected, Weights } from "./checkpoint.js";
import { readCheckpoint, readWeights, writeCheckpoint, writeWeights } from "./checkpoint.js";
import { appendFlushed, lockDirectory, writeAtomically } from "./files.js";
import type { LayerLine } from "./layers.js";
import { readLayers } from "./layers.js";
import type { EpochMetrics } from "./metrics.js";
import { bestEpoch, formatLines, readMetrics, rewriteLines } from "./metrics.js";
import type { RunConfig } from "./run.js";
import { fileNames as names, readConfig, summarise } from "./run.js";

export interface OpenOptions {
  readonly resume: boolean;
  readonly overwrite: boolean;
  readonly config: RunConfig;
  /** Network and method, in words: see `checkpoint.ts`. */
  readonly identity: string;
  /** Arrays like those of a checkpoint of this run. */
  readonly expected: Expected;
  readonly onWarning: (message: string) => void;
}

/** The directory of a run under way. `open` changes nothing on disk but the lock; `begin` is the first to write. */
export class RunDirectory {
  private constructor(
    private readonly path: string,
    private readonly options: OpenOptions,
    /** Where a resumed run stands. */
    readonly checkpoint: Checkpoint | undefined,
    readonly metrics: readonly EpochMetrics[],
    private readonly layers: readonly LayerLine[],
    private release: () => void,
  ) {}

  /** Throws `UserError` if a run cannot start, or be resumed, here. */
  static open(path: string, options: OpenOptions): RunDirectory {
    const { resume, overwrite, config, identity, expected, onWarning } = options;
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
      return new RunDirectory(path, options, undefined, [], [], () => {});
    }
    const previous = readConfig(path);
    const release = lock(path);
    try {
      checkSame(previous, config, path);
      if (previous.executor !== config.executor) {
        onWarning(
          `${path} was trained on the ${previous.executor} executor and goes on on ${config.executor}: ` +
            "the numbers will differ in their last bits",
        );
      }
      // Without a checkpoint the run was killed before its first step.
      const file = join(path, names.checkpoint);
      const checkpoint = existsSync(file) ? readCheckpoint(file, identity, expected) : undefined;
      const epochs = checkpoint?.epoch ?? 0;
      const begun = epochs + ((checkpoint?.step ?? 0) > 0 ? 1 : 0);
      if (begun > config.epochs) {
        throw new UserError(
          `${path} has begun epoch ${begun}, so epochs must be at least ${begun}, got ${config.epochs}`,
          "epochs",
        );
      }
      const metrics = readMetrics(join(path, names.metrics), epochs);
      if (metrics.length !== epochs || metrics.some(({ epoch }, i) => epoch !== i + 1)) {
        throw new UserError(
          `${join(path, names.metrics)} is damaged: it does not hold each of ${epochs} epochs once`,
        );
      }
      const layers = readLayers(join(path, names.layers), epochs);
      return new RunDirectory(path, options, checkpoint, metrics, layers, release);
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Makes the directory what the checkpoint says, or a new run's with `initial`. */
  begin(initial: Checkpoint): void {
    const { config, identity, overwrite, resume } = this.options;
    if (!resume) {
      try {
        makeDirectories(resolve(this.path));
      } catch (error) {
        throw unwritable(this.path, error);
      }
      this.release = lock(this.path);
      // Another process may have begun, and ended, a run here since `open`.
      if (!overwrite && inspect(this.path) === "run") throw inUse(this.path);
      if (overwrite) clear(this.path);
    }
    writeAtomically(this.file("config"), `${JSON.stringify(config, null, 2)}\n`);
    rewriteLines(this.file("metrics"), this.metrics);
    rewriteLines(this.file("layers"), this.layers);
    if (this.checkpoint === undefined) writeCheckpoint(this.file("checkpoint"), identity, initial);
    else if (this.metrics.length > 0) {
      this.mendBest(this.checkpoint);
      this.writeSummary(this.metrics);
    }
  }

  /** Keeps an epoch's end. `metrics` are of all epochs; the last is this one. */
  commit(metrics: readonly EpochMetrics[], layers: readonly LayerLine[], checkpoint: Checkpoint): void {
    appendFlushed(this.file("metrics"), formatLines(metrics.slice(-1)));
    appendFlushed(this.file("layers"), formatLines(layers));
    this.save(checkpoint);
    if (bestEpoch(metrics)?.epoch === checkpoint.epoch) this.writeBest(checkpoint);
    this.writeSummary(metrics);
  }

  /** Keeps the middle of an epoch. */
  save(checkpoint: Checkpoint): void {
    writeCheckpoint(this.file("checkpoint"), this.options.identity, checkpoint);
  }

  bestWeights(): Weights {
    const { identity, expected } = this.options;
    return readWeights(this.file("best"), identity, expected.values).weights;
  }

  /** Gives the directory free for other processes. */
  close(): void {
    this.release();
  }

  /**
   * A process killed between the checkpoint and the best weights leaves those of an epoch before; the
   * best epoch is then the checkpoint's own.
   */
  private mendBest(checkpoint: Checkpoint): void {
    const { identity, expected } = this.options;
    const best = bestEpoch(this.metrics)?.epoch;
    const path = this.file("best");
    const derivable = best === checkpoint.epoch && checkpoint.step === 0;
    try {
      if (existsSync(path) && readWeights(path, identity, expected.values).epoch === best) return;
    } catch (error) {
      if (!derivable) throw error;
    }
    if (!derivable) {
      throw new UserError(
        `${path} does not hold epoch ${best}, the best so far, and the checkpoint is a later one; put the file back, or overwrite the run`,
      );
    }
    this.writeBest(checkpoint);
  }

  private writeBest({ values, epoch }: Checkpoint): void {
    writeWeights(this.file("best"), this.options.identity, epoch, values);
  }

  private writeSummary(metrics: readonly EpochMetrics[]): void {
    const summary = summarise(metrics, this.options.config.epochs);
    writeAtomically(this.file("summary"), `${JSON.stringify(summary, null, 2)}\n`);
  }

  private file(name: keyof typeof names): string {
    return join(this.path, names[name]);
  }
}

/** What is at a path: nothing (also a directory that a run was only about to begin in), a run, or something else. */
function inspect(path: string): "empty" | "run" | "foreign" {
  if (!existsSync(path)) return "empty";
  if (!statSync(path).isDirectory()) throw new UserError(`${path} is not a directory`, "directory");
  const found = readdirSync(path).filter((name) => name !== "lock" && !name.endsWith(".tmp"));
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

/** One level at a time: the recursive form of mkdir never returns where the kernel answers ENOENT, as in /proc. */
export function makeDirectories(path: string): void {
  if (existsSync(path)) return;
  makeDirectories(dirname(path));
  mkdirSync(path);
}

function lock(path: string): () => void {
  try {
    return lockDirectory(path);
  } catch (error) {
    throw error instanceof UserError ? error : unwritable(path, error);
  }
}

/** Removes an older run's files, the configuration last: while it is there the directory is a run's. */
function clear(path: string): void {
  const { config, ...rest } = names;
  for (const name of [...Object.values(rest), config]) rmSync(join(path, name), { force: true });
}

/** A run is continued with the recipe that it began with. */
function checkSame(previous: RunConfig, config: RunConfig, path: string): void {
  const keys = [
    "model",
    "method",
    "optimizer",
    "schedule",
    "data",
    "gradients",
    "batchSize",
    "seed",
    "validation",
    ...(previous.preparation === undefined ? [] : (["preparation"] as const)),
  ] as const;
  for (const key of keys) {
    const [before, given] = [previous, config].map(
      ({ gradients = "f32", ...rest }): unknown => ({ ...rest, gradients })[key],
    );
    // As it would be stored: what is undefined is not.
    const now: unknown = given === undefined ? undefined : JSON.parse(JSON.stringify(given));
    if (!isDeepStrictEqual(before, now)) {
      throw new UserError(
        `${path} was begun with ${key} ${shown(before)}, not ${shown(now)}; resume it with the same, or begin another run`,
        key,
      );
    }
  }
}

function unwritable(path: string, error: unknown): UserError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new UserError(
    `cannot write to ${path}: ${code ?? message}; choose a directory that you may write to`,
    "directory",
  );
}
