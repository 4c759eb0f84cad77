/** A run as the dashboard follows it: its configuration, the epochs that have ended, its state. */
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import { printable } from "../errors.js";
import type { FoundRun } from "../experiments/index.js";
import { cellOfRun, isThere } from "../experiments/index.js";
import { bestEpoch, fileNames, LockWatch, parseMetrics, readConfig, tieRuleOf } from "../run-folder/index.js";
import { hasTop5 } from "../published/index.js";
import type { EpochMetrics, RunConfig } from "../training/index.js";
import type { Curves, RunState, RunUpdate } from "./api.js";
import { LineFollower } from "./follow.js";

export class WatchedRun {
  /** Says nothing of the path, and is the same in each process. */
  readonly id: string;
  private readonly follower: LineFollower;
  private readonly lock: LockWatch;
  private configStamp = "";
  private config: RunConfig | undefined;
  private metrics: EpochMetrics[] = [];
  private ended = 0;
  private damage: string | undefined;
  private running = false;
  private stopping = false;
  /** The epochs that were sent and still hold, and all else that was sent. */
  private sent = { epochs: 0, rest: "" };
  private text: string | undefined;

  constructor(
    readonly name: string,
    readonly directory: string,
    realPath: string,
  ) {
    this.id = createHash("sha256").update(realPath).digest("hex").slice(0, 20);
    this.follower = new LineFollower(join(directory, fileNames.metrics));
    this.lock = new LockWatch(directory);
  }

  /**
   * Looks at its files. Returns what has changed; undefined if nothing has.
   * @throws Error if it is no run that this fewbit reads.
   */
  async refresh(): Promise<RunUpdate | undefined> {
    this.readConfig();
    await this.readMetrics();
    this.running = this.lock.isInUse();
    this.stopping = this.running && (await isThere(join(this.directory, fileNames.stop)));
    const from = this.sent.epochs;
    const update = this.update(from);
    const { curves: _, ...others } = update;
    const rest = JSON.stringify({ ...others, from: 0 });
    if (rest === this.sent.rest && from === this.metrics.length) return undefined;
    this.sent = { epochs: this.metrics.length, rest };
    this.text = undefined;
    return update;
  }

  /** All that is known of it, as a page needs it that begins. */
  whole(): RunUpdate {
    return this.update(0);
  }

  /** `whole` as JSON, which is made once for all pages that begin. */
  wholeText(): string {
    return (this.text ??= JSON.stringify(this.whole()));
  }

  found(): FoundRun {
    const config = this.known();
    return {
      name: this.name,
      directory: this.directory,
      config,
      metrics: this.metrics,
      ...cellOfRun(config),
    };
  }

  get state(): RunState {
    if (this.running) return "running";
    if (this.damage !== undefined) return "damaged";
    return this.metrics.length >= this.known().epochs ? "done" : "interrupted";
  }

  /** Why its metrics cannot be read. */
  get reason(): string | undefined {
    return this.damage;
  }

  private known(): RunConfig {
    if (this.config === undefined) throw new Error("not read yet");
    return this.config;
  }

  private readConfig(): void {
    const path = join(this.directory, fileNames.config);
    const { size, mtimeMs, ino } = statSync(path);
    const stamp = `${size} ${mtimeMs} ${ino}`;
    if (this.config !== undefined && stamp === this.configStamp) return;
    this.config = readConfig(this.directory);
    this.configStamp = stamp;
  }

  private async readMetrics(): Promise<void> {
    const damaged = (why: string): void => {
      this.damage ??= printable(`${join(this.directory, fileNames.metrics)} is damaged: ${why}`);
    };
    let reading;
    try {
      reading = await this.follower.read();
    } catch (error) {
      return damaged(`it cannot be read (${(error as Error).message})`);
    }
    if (reading === undefined) return;
    if (reading.restarted) {
      this.keep(0);
      this.damage = undefined;
    }
    if (this.damage !== undefined) return;
    this.ended = reading.changed;
    for (const line of reading.lines) {
      const epoch = parseMetrics(line);
      if (epoch === undefined || epoch.epoch > this.metrics.length + 1) {
        return damaged(`what follows epoch ${this.metrics.length} is not a line of the next`);
      }
      if (epoch.epoch <= this.metrics.length) this.keep(epoch.epoch - 1); // resumed from an older checkpoint
      this.metrics.push(epoch);
    }
  }

  private keep(epochs: number): void {
    this.metrics = this.metrics.slice(0, epochs);
    this.sent.epochs = Math.min(this.sent.epochs, epochs);
  }

  private update(from: number): RunUpdate {
    const config = this.known();
    const { dataset, partOf, published, weightBits, activationBits } = cellOfRun(config);
    const { learningRate } = config.optimizer.options;
    const best = bestEpoch(this.metrics);
    return {
      id: this.id,
      name: printable(this.name),
      state: this.state,
      stopping: this.stopping,
      ...(this.damage === undefined ? {} : { reason: this.damage }),
      data: printable(config.data.name),
      model: printable(config.model.name),
      method: printable(config.method.name),
      weightBits: weightBits ?? null,
      activationBits: activationBits ?? null,
      optimizer: printable(config.optimizer.name),
      learningRate: typeof learningRate === "number" ? learningRate : null,
      seed: config.seed,
      epochsPlanned: config.epochs,
      chosenOn: config.validation > 0 ? "validation" : "test",
      tiesWrong: tieRuleOf(config.revision) === "wrong",
      best:
        best === undefined
          ? null
          : {
              epoch: best.epoch,
              top1: short(best.test.top1),
              top5: hasTop5(partOf ?? dataset) ? short(best.test.top5) : null,
            },
      published: published?.top1 ?? null,
      publishedTop5: published?.top5 ?? null,
      part: partOf === undefined ? null : printable(dataset),
      ended: this.metrics.length === 0 ? null : Math.round(this.ended),
      from,
      curves: curvesOf(from === 0 ? this.metrics : this.metrics.slice(from)),
    };
  }
}

function curvesOf(metrics: readonly EpochMetrics[]): Curves {
  const column = (value: (epoch: EpochMetrics) => number): number[] =>
    metrics.map((epoch) => short(value(epoch)));
  return {
    top1: column(({ test }) => test.top1),
    trainTop1: column(({ trainTop1 }) => trainTop1),
    testLoss: column(({ test }) => test.loss),
    trainLoss: column(({ trainLoss }) => trainLoss),
    learningRate: column(({ learningRate }) => learningRate),
    seconds: column(({ seconds }) => seconds),
  };
}

/** A value rounded to as many digits as a curve or a table shows. */
export const short = (value: number): number => Number(value.toPrecision(5));
