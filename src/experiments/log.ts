/** Logs the events of a study's runs: one file per run beside their folders, `logs/NAME.log`, and one line per event. */
import { join, resolve } from "node:path";
import { printable } from "../errors.js";
import type { TrainProgress } from "../training/index.js";
import { whyUnwritten } from "../files/reasons.js";
import { appendFile, makeDirectories } from "../files/write.js";
import { bestEpoch, machine, watchedImages } from "../run-folder/index.js";
import type { Standing } from "./standing.js";

const logsFolder = "logs";

/** Appends to the log of a run; where that fails it warns once, and the training goes on. */
export class RunLog {
  private readonly folder: string;
  private readonly path: string;
  private failed = false;
  private trained: TrainProgress | undefined;
  private best: { epoch: number; accuracy: number } | undefined;

  constructor(
    private readonly standing: Standing,
    folder: string,
    private readonly onWarning: (message: string) => void,
  ) {
    this.folder = join(folder, logsFolder);
    this.path = join(this.folder, `${standing.run.name}.log`);
    const best = bestEpoch(standing.metrics);
    if (best !== undefined) this.best = { epoch: best.epoch, accuracy: best.top1 };
  }

  begins(threads: number): void {
    const { state, metrics } = this.standing;
    const how = state === "begun" ? `goes on after epoch ${metrics.length}` : "begins";
    this.line(`${how}, process ${process.pid} on ${machine()}, ${threads} threads`);
  }

  /** A line at each epoch's end. */
  progress(progress: TrainProgress): void {
    if (progress.phase === "train") this.trained = progress;
    if (progress.phase !== "epoch") return;
    const { epoch, epochs, loss, accuracy, learningRate, imagesPerSecond } = progress;
    if (this.best === undefined || accuracy > this.best.accuracy) this.best = { epoch, accuracy };
    const watched = watchedImages(this.standing.run.options.validation);
    const trained =
      this.trained === undefined
        ? ""
        : `  training loss ${this.trained.loss.toFixed(4)} top-1 ${this.trained.accuracy.toFixed(2)}%`;
    this.line(
      `epoch ${epoch}/${epochs}${trained}  ${watched} loss ${loss.toFixed(4)} top-1 ${accuracy.toFixed(2)}%` +
        `  best ${this.best.accuracy.toFixed(2)}% after ${this.best.epoch}` +
        `  rate ${learningRate}  ${Math.round(imagesPerSecond)} images/s`,
    );
  }

  /** Lines after the first of a text are indented. */
  line(text: string): void {
    if (this.failed) return;
    const [first, ...rest] = text.split("\n").map(printable);
    try {
      makeDirectories(resolve(this.folder));
      const lines = [`${new Date().toISOString()} ${first}`, ...rest.map((line) => `  ${line}`)];
      appendFile(this.path, `${lines.join("\n")}\n`);
    } catch (error) {
      this.failed = true;
      const { reason } = whyUnwritten(error);
      this.onWarning(`cannot write ${this.path}: ${reason}; the run goes on without a log`);
    }
  }
}
