/** The epoch loop: steps, scores, lines and checkpoints, from a checkpoint to the last epoch. */
import type { State } from "../compiler/state.js";
import { createState, readArray } from "../compiler/state.js";
import type { Batches, BatchOptions } from "../data/batches.js";
import { imagesOf, trainingBatches } from "../data/batches.js";
import type { Dataset } from "../data/dataset.js";
import type { ImageSet, ImageSource } from "../data/source.js";
import { keyFor } from "../data/random.js";
import { DivergenceError, listed } from "../errors.js";
import type { TieRule } from "../graph/index.js";
import type { GradientType, LayerSummary, Network } from "../nn/index.js";
import type { Optimizer, Schedule } from "../optim/index.js";
import { rateOf, scalarsOf } from "../optim/index.js";
import type { Method } from "../quantization/index.js";
import type { Executor } from "../runtime/executor.js";
import type { Program } from "../runtime/program.js";
import type {
  Checkpoint,
  CheckpointToWrite,
  ConfusionCounts,
  ConfusionLine,
  EpochMetrics,
  LayerLine,
  RunDirectory,
  Scores,
  Split,
  Sums,
  TrainingValues,
  Weights,
} from "../run-folder/index.js";
import {
  addBatch,
  bestEpoch,
  layerLine,
  noImages,
  nonFiniteIn,
  scoresOf,
  signsOf,
  signsOfAll,
  weightName,
} from "../run-folder/index.js";
import { codeFilesOf, titleOf } from "./code.js";
import type { Scored } from "./evaluate.js";
import { noneSound, score } from "./evaluate.js";
import type { ImageBatch } from "./feed.js";
import { feed } from "./feed.js";
import type { Loss } from "../optim/losses.js";
import type { TrainProgress } from "./progress.js";
import { Pace } from "./progress.js";
import { Saver } from "./saver.js";
import { warningsAtStart } from "./start.js";
import type { Stepper } from "./small-batches.js";
import { Division, stepperOf } from "./small-batches.js";
import type { TrainingTensors } from "./step.js";
import { compileQuantizedWeights, compileScores } from "./step.js";
import { UnderWay } from "./under-way.js";

/** What is trained, checked and complete. */
export interface Job extends BatchOptions {
  readonly model: Network;
  readonly method: Method;
  readonly optimizer: Optimizer;
  readonly schedule: Schedule | undefined;
  readonly data: Dataset;
  /** Held-out training images, if the best epoch is chosen on them. */
  readonly validation: ImageSource | undefined;
  readonly epochs: number;
  readonly accumulate: number;
  readonly gradients: GradientType;
  readonly loss: Loss;
  readonly freeze?: readonly string[];
  readonly clipNorm?: number;
  readonly executor: Executor;
  readonly layers: readonly LayerSummary[];
  readonly ties: TieRule;
  readonly directory: RunDirectory | undefined;
  /** Minutes after which a checkpoint is written in the middle of an epoch, too; 0 for never. */
  readonly checkpointEvery: number;
  readonly onProgress: (progress: TrainProgress) => void;
  readonly onWarning: (message: string) => void;
  readonly signal: AbortSignal | undefined;
  /** The settings that the training was started with, if any: they name files of code. */
  readonly options?: Readonly<Record<string, unknown>>;
}

/** Where a training has come to. */
export interface Outcome {
  readonly metrics: readonly EpochMetrics[];
  /** The weights of the best epoch; the last ones before the first epoch's end. */
  readonly best: Weights;
  readonly last: Weights;
  readonly interrupted: boolean;
  /** Whether it was the file `stop` that interrupted it. */
  readonly stopped: boolean;
  readonly imagesPerSecond: number;
}

/** A small batch that has begun and whose numbers are not taken yet. */
interface PartUnderWay {
  readonly step: number;
  readonly isLast: boolean;
  readonly images: number;
  readonly results: ReturnType<Stepper["begin"]>["results"];
}

/** How often a training looks for the file `stop`. */
const millisecondsBetweenLooks = 1000;

/** A training about to begin, or to go on. It copies the initial values and lets go of them. */
export class Training {
  private readonly stepper: Stepper;
  private readonly scores: ReturnType<typeof compileScores>;
  private readonly quantized: ReturnType<typeof compileQuantizedWeights>;
  /** Small batches, and how they are divided into steps. */
  private readonly batches: Batches;
  private readonly division: Division;
  /** Images that are run at a time, in training and in scoring. */
  private readonly smallBatch: number;
  private readonly pace: Pace;
  private readonly split: Split;

  private state: State<TrainingTensors>;
  /** Epochs completed, steps done in the next one and their sums. */
  private epoch: number;
  private stepInEpoch: number;
  private sums: Sums;
  private signs: Readonly<Record<string, Uint8Array>>;
  private readonly metrics: EpochMetrics[];
  /** Kept here for runs without a directory. */
  private best: Weights | undefined;
  private readonly underWay: UnderWay<PartUnderWay>;
  private saver: Saver | undefined;
  private stopped = false;
  private nextLook = 0;

  constructor(
    private readonly job: Job,
    initial: TrainingValues,
  ) {
    const { model, method, executor, data, validation, batchSize, accumulate, epochs, directory } = job;
    this.underWay = new UnderWay(executor.target.stepsUnderWay, (part) => this.take(part));
    this.stepper = stepperOf(job);
    this.scores = compileScores(model, method, executor, job.ties);
    this.quantized = compileQuantizedWeights(model, method, executor);
    this.batches = trainingBatches(data, job);
    this.division = new Division(this.batches, accumulate);
    this.smallBatch = batchSize / accumulate;
    const evaluated = data.test.count + (validation?.count ?? 0);
    this.pace = new Pace(epochs, this.division.steps, Math.ceil(evaluated / this.smallBatch) / accumulate);
    this.split = validation === undefined ? "test" : "validation";

    const start = directory?.checkpoint ?? firstCheckpoint(job, initial);
    this.state = createState<TrainingTensors>(this.stepper.stateOf(start.values), { executor });
    this.epoch = start.epoch;
    this.stepInEpoch = start.step;
    this.sums = start.sums;
    this.signs = start.signs;
    this.metrics = [...(directory?.metrics ?? [])];
  }

  /** Trains to the last epoch, or until the signal. Throws `DivergenceError` when the loss is no longer a number. */
  async run(): Promise<Outcome> {
    const { directory, checkpointEvery } = this.job;
    const program = this.largestProgram();
    await directory?.begin(this.checkpoint());
    directory?.releaseCheckpoint();
    if (this.epoch === 0 && this.stepInEpoch === 0) await this.warn();
    if (directory !== undefined && checkpointEvery > 0) {
      this.saver = new Saver({ ...this.job, directory, program, state: this.state });
    }
    const interrupted = await this.trainEpochs().finally(() => this.saver?.end());
    const last = await this.state.read("parameters", "statistics");
    const best = directory !== undefined && this.metrics.length > 0 ? directory.bestWeights() : this.best;
    return {
      metrics: this.metrics,
      best: best ?? last,
      last,
      interrupted,
      stopped: this.stopped,
      imagesPerSecond: this.pace.imagesPerSecond,
    };
  }

  /** Trains to the last epoch; resolves to whether it was interrupted, and saved, before. */
  private async trainEpochs(): Promise<boolean> {
    const { directory, epochs, signal } = this.job;
    while (this.epoch < epochs) {
      if (signal?.aborted !== true && (await this.trainEpoch())) continue;
      await this.saver?.settle();
      await directory?.save(this.checkpoint());
      return true;
    }
    return false;
  }

  /** What is done between two batches: a checkpoint if one is due. Resolves to whether the training goes on. */
  private async goesOn(): Promise<boolean> {
    if (this.isInterrupted()) return false;
    if (this.saver?.isDue() === true) {
      await this.underWay.settle();
      await this.saver.save(this.state, (values) => this.checkpoint(values));
    }
    await this.saver?.giveWay();
    return true;
  }

  /** Whether the signal is raised or the run's directory holds the file `stop`, for which it looks once in a while. */
  private isInterrupted(): boolean {
    const { signal, directory } = this.job;
    if (signal?.aborted === true || this.stopped) return true;
    const now = performance.now();
    if (directory === undefined || now < this.nextLook) return false;
    this.nextLook = now + millisecondsBetweenLooks;
    this.stopped = directory.isStopRequested();
    return this.stopped;
  }

  /** The largest Program, compiled before anything is written, so that one too large is refused in time. */
  private largestProgram(): Program {
    const { shape } = this.job.data;
    const count = this.batches.size(0);
    const images = { shape: [count, ...shape], parts: () => [] };
    return this.stepper.program(
      this.state,
      this.batchOf({ images, labels: { data: new Int32Array(count), shape: [count] } }, 0, 0),
    );
  }

  private async warn(): Promise<void> {
    const { state, quantized: quantizedWeights, job } = this;
    const warnings = await warningsAtStart({ ...job, state, quantizedWeights });
    warnings.forEach((line) => job.onWarning(line));
  }

  /** Trains what is left of an epoch, scores it and keeps it; false if it was interrupted first. */
  private async trainEpoch(): Promise<boolean> {
    const began = performance.now();
    const { data, directory } = this.job;
    this.pace.startSteps();
    const trained = await feed(
      this.batches,
      data.shape,
      this.epoch,
      this.stepInEpoch * this.division.accumulate,
      async (batch, index) => {
        const part = this.beginPart(batch, index);
        await this.underWay.add(part);
        return !part.isLast || this.goesOn();
      },
    );
    await this.underWay.settle();
    if (trained && this.sums.images === 0) throw noneSound("training");
    // A signal during the last step is seen here too.
    if (!trained || this.isInterrupted()) return false;
    const scores = await this.evaluate();
    if (scores === undefined) return false;

    const { loss: trainLoss, top1: trainTop1 } = scoresOf(this.sums);
    const damaged = (data.damaged ?? 0) + imagesOf(this.batches) - this.sums.images + scores.damaged;
    const learningRate = this.learningRate(this.epoch, this.division.steps - 1);
    this.epoch++;
    this.stepInEpoch = 0;
    this.sums = noImages;
    const lines = await this.layerLines();
    this.metrics.push({
      epoch: this.epoch,
      step: this.epoch * this.division.steps,
      seconds: (performance.now() - began) / 1000,
      learningRate,
      trainLoss,
      trainTop1,
      split: this.split,
      ...scores.watched,
      test: scores.test,
      ...(damaged === 0 ? {} : { damaged }),
    });
    await this.saver?.settle();
    await directory?.commit(this.metrics, lines, this.confusionLine(scores.counts), this.checkpoint());
    this.saver?.restart();
    if (directory === undefined && bestEpoch(this.metrics)?.epoch === this.epoch) {
      this.best = await this.state.read("parameters", "statistics");
    }
    this.report("epoch", this.epoch - 1, 1, 1, scores.watched);
    return true;
  }

  private beginPart(batch: ImageBatch, index: number): PartUnderWay {
    const part = this.division.part(index);
    const { state, results } = this.stepper.begin(this.state, this.batchOf(batch, index, part.step), part);
    this.state = state;
    return { ...part, images: batch.labels.data.length, results };
  }

  private async take({ step, isLast, images, results }: PartUnderWay): Promise<void> {
    const { loss, top1, top5 } = await results;
    if (!Number.isFinite(loss.data[0])) {
      if (this.epoch === 0 && step === 0) throw this.brokenAtStart(loss.data[0]);
      throw this.diverged(`the loss became ${loss.data[0]}`, `epoch ${this.epoch + 1}, step ${step + 1}`);
    }
    this.sums = addBatch(this.sums, images, loss.data[0], top1.data[0], top5.data[0]);
    this.pace.addImages(images);
    if (!isLast) return;
    this.stepInEpoch = step + 1;
    this.pace.trained(this.epoch, step);
    this.report("train", this.epoch, step + 1, this.division.steps, scoresOf(this.sums));
  }

  /** A small batch with the key of its random numbers, which each has of its own, and the scalars of its step's update. */
  private batchOf(batch: ImageBatch, index: number, step: number) {
    const { seed, optimizer } = this.job;
    const [indexOfAll, stepOfAll] = [this.batches, this.division].map(({ steps }) => this.epoch * steps);
    const key = Int32Array.from(keyFor(seed, "step", indexOfAll + index + 1), (word) => word | 0);
    const scalars = scalarsOf(optimizer, stepOfAll + step + 1, this.learningRate(this.epoch, step));
    return { ...batch, random: { data: key, shape: [2] }, scalars };
  }

  /** Scores on the test images, and on the split that the best epoch is chosen on. */
  private async evaluate(): Promise<
    { watched: Scores; test: Scores; counts: ConfusionCounts | undefined; damaged: number } | undefined
  > {
    const { data, validation } = this.job;
    const onTest = await this.evaluateOn(data.test, 0);
    if (onTest === undefined) return undefined;
    const { scores: test, counts, damaged } = onTest;
    if (validation === undefined) return { watched: test, test, counts, damaged };
    const heldOut = await this.evaluateOn(validation, Math.ceil(data.test.count / this.smallBatch));
    return heldOut && { watched: heldOut.scores, test, counts, damaged: damaged + heldOut.damaged };
  }

  private async evaluateOn(set: ImageSet | ImageSource, batchesBefore: number): Promise<Scored | undefined> {
    const { data, accumulate } = this.job;
    const trained = scoresOf(this.sums);
    const onBatch = (batch: number, batches: number) => {
      this.pace.evaluated(this.epoch, (batchesBefore + batch) / accumulate);
      this.report("evaluate", this.epoch, batch, batches, trained);
    };
    const isStopped = async (): Promise<boolean> => !(await this.goesOn());
    const scored = await score(this.scores, this.state, data, {
      set,
      batchSize: this.smallBatch,
      onBatch,
      isStopped,
    });
    if (scored !== undefined && !Number.isFinite(scored.scores.loss)) {
      throw this.diverged(
        `the loss became ${scored.scores.loss}`,
        `epoch ${this.epoch + 1}, step ${this.stepInEpoch} (measured after it)`,
      );
    }
    return scored;
  }

  private confusionLine(counts: ConfusionCounts | undefined): ConfusionLine | undefined {
    return counts && { epoch: this.epoch, split: "test", counts };
  }

  /** The lines of the epoch that has just ended; remembers the signs for the next. */
  private async layerLines(): Promise<LayerLine[]> {
    const arrays = this.state.arrays();
    // The loss may stay finite: a quantizer makes finite codes of NaN, and nothing gets past an infinite variance.
    const broken = await nonFiniteIn(arrays);
    if (broken !== undefined) throw this.diverged(`${broken} became NaN or infinite`, `epoch ${this.epoch}`);
    const { weights } = await this.quantized(this.state, {});
    const lines: LayerLine[] = [];
    const signs: Record<string, Uint8Array> = {};
    for (const { name, weightBits } of this.job.layers) {
      const key = weightName(name);
      const latent = await readArray(arrays.parameters[key]);
      const layer = { name, bits: weightBits, latent, quantized: weights[key] };
      lines.push(layerLine(this.epoch, layer, this.signs[name]));
      signs[name] = signsOf(latent);
    }
    this.signs = signs;
    return lines;
  }

  /** Where the training stands, until the next step. */
  private checkpoint({ parameters, statistics, optimizer } = this.state.arrays()): CheckpointToWrite {
    const { epoch, stepInEpoch: step, sums, signs } = this;
    return { values: { parameters, statistics, optimizer }, epoch, step, sums, signs };
  }

  /** The rate in a step of an epoch, both counted from 0. */
  private learningRate(epoch: number, step: number): number {
    const { optimizer, schedule } = this.job;
    return rateOf(schedule, optimizer.learningRate, epoch, step, this.division.steps);
  }

  private diverged(what: string, where: string): DivergenceError {
    const { directory } = this.job;
    const kept = directory === undefined ? "" : "; this one's last checkpoint is kept";
    // A schedule may have come to zero, below which there is no rate to try.
    const rate = this.learningRate(this.epoch, this.stepInEpoch) || this.job.optimizer.learningRate;
    return new DivergenceError(`${what} in ${where}: try a learning rate below ${rate} in a new run${kept}`);
  }

  /** The error of a loss that was not finite before any update, whatever the learning rate. */
  private brokenAtStart(loss: number): DivergenceError {
    const files = new Map<string, string>(codeFilesOf(this.job.options ?? {}));
    const makers = (["model", "method", "loss", "data"] as const).map((key) => {
      const file = files.get(key);
      return `the ${titleOf(key)}${file === undefined ? "" : ` (${file})`}`;
    });
    return new DivergenceError(
      `the loss was ${loss} in epoch 1, step 1, before any update, so a lower learning rate cannot help: the cause is in ${listed(makers, "or")}`,
    );
  }

  private report(
    phase: TrainProgress["phase"],
    epoch: number,
    step: number,
    steps: number,
    { loss, top1 }: Pick<Scores, "loss" | "top1">,
  ): void {
    this.job.onProgress({
      phase,
      epoch: epoch + 1,
      epochs: this.job.epochs,
      step,
      steps,
      loss,
      accuracy: top1,
      learningRate: this.learningRate(epoch, (phase === "train" ? step : this.division.steps) - 1),
      imagesPerSecond: this.pace.imagesPerSecond,
      secondsLeft: this.pace.secondsLeft,
    });
  }
}

function firstCheckpoint({ layers }: Job, values: TrainingValues): Checkpoint {
  return { values, epoch: 0, step: 0, sums: noImages, signs: signsOfAll(layers, values.parameters) };
}
