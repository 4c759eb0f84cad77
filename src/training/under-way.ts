/** Runs of a compiled function that have started, and whose results are taken in order. */

/** A run, with the data needed to take its results. */
interface Begun {
  readonly results: Promise<unknown>;
}

/** Keeps at most `most` runs under way. The error of a run that fails is thrown where its results are taken. */
export class UnderWay<Run extends Begun> {
  private readonly runs: Run[] = [];

  /**
   * @param most the executor's `Target.stepsUnderWay`.
   * @param take waits for a run's results and uses them.
   */
  constructor(
    private readonly most: number,
    private readonly take: (run: Run) => Promise<void>,
  ) {}

  /** Adds a run that has begun, and takes the oldest until there is room for another. */
  async add(run: Run): Promise<void> {
    run.results.catch(() => undefined);
    this.runs.push(run);
    await this.settle(this.most - 1);
  }

  /** Takes the results of the oldest runs until at most so many are under way. */
  async settle(most = 0): Promise<void> {
    while (this.runs.length > most) await this.take(this.runs.shift()!);
  }
}
