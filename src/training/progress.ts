/** The progress of a training. */

export interface TrainProgress {
  /** "train": a step has ended; "evaluate": a batch has been scored; "epoch": an epoch has ended. */
  readonly phase: "train" | "evaluate" | "epoch";
  /** The running epoch, from 1, of how many. */
  readonly epoch: number;
  readonly epochs: number;
  /** Steps done of this phase in this epoch, of how many. */
  readonly step: number;
  readonly steps: number;
  /** Mean loss and accuracy (percent): over the epoch's steps so far; in phase "epoch", of the split that is watched. */
  readonly loss: number;
  readonly accuracy: number;
  readonly learningRate: number;
  /** Training images per second of this process, without evaluation. */
  readonly imagesPerSecond: number;
  /** An estimate; undefined before the second step. */
  readonly secondsLeft: number | undefined;
}

/** Evaluating a batch costs about a third of training on it: it needs the forward pass only. */
export const evaluationShare = 1 / 3;

/** Measures speed and estimates the remaining time, in units of a training step. */
export class Pace {
  private readonly unitsAnEpoch: number;
  private unitsDone = 0;
  private firstUnits = 0;
  private begin: number | undefined;
  private images = 0;
  private trainingSeconds = 0;
  private before = performance.now();

  constructor(
    private readonly epochs: number,
    private readonly trainSteps: number,
    evaluationSteps: number,
  ) {
    this.unitsAnEpoch = trainSteps + evaluationSteps * evaluationShare;
  }

  /** Starts a phase of training steps, so that the time before it is not attributed to them. */
  startSteps(): void {
    this.before = performance.now();
  }

  /** Counts images that have been trained on by now. */
  addImages(images: number): void {
    const now = performance.now();
    this.trainingSeconds += (now - this.before) / 1000;
    this.before = now;
    this.images += images;
  }

  /** Counts a training step that ended now. */
  trained(epoch: number, step: number): void {
    this.advance(epoch * this.unitsAnEpoch + step + 1);
  }

  /** Counts an evaluated batch that ended now. */
  evaluated(epoch: number, batch: number): void {
    this.advance(epoch * this.unitsAnEpoch + this.trainSteps + batch * evaluationShare);
  }

  get imagesPerSecond(): number {
    return this.trainingSeconds > 0 ? this.images / this.trainingSeconds : 0;
  }

  get secondsLeft(): number | undefined {
    const units = this.unitsDone - this.firstUnits;
    if (this.begin === undefined || units <= 0) return undefined;
    const seconds = (performance.now() - this.begin) / 1000;
    return (seconds / units) * (this.epochs * this.unitsAnEpoch - this.unitsDone);
  }

  /** The clock starts after the first unit, which also warms everything up. */
  private advance(units: number): void {
    this.unitsDone = units;
    if (this.begin === undefined) {
      this.begin = performance.now();
      this.firstUnits = units;
    }
  }
}
