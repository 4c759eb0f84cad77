/**
 * Checkpoints in the middle of an epoch: what is trained is copied between two steps, and the copy is written while the
 * next steps run.
 */
import type { StateArrays } from "../compiler/state.js";
import { State } from "../compiler/state.js";
import { memoryText } from "../errors.js";
import { availableMemory } from "../machine.js";
import type { CheckpointToWrite, RunDirectory } from "../run-folder/index.js";
import { nonFiniteIn } from "../run-folder/index.js";
import { nextTurn } from "../runtime/executor.js";
import type { Program } from "../runtime/program.js";
import type { TrainingTensors } from "./step.js";

/** What a `Saver` needs to know of a training. */
interface SaverOptions {
  readonly directory: Pick<RunDirectory, "save">;
  /** Minutes after which a checkpoint is due. */
  readonly checkpointEvery: number;
  /** What is trained. */
  readonly state: State<TrainingTensors>;
  /** The largest Program that runs beside the copy. */
  readonly program: Program;
  readonly onWarning: (message: string) => void;
}

/** Writes at most one checkpoint at a time. */
export class Saver {
  private readonly directory: SaverOptions["directory"];
  private readonly milliseconds: number;
  /** What the state is copied into; none if there is no memory for it: then the steps wait for the writing. */
  private copy: State<TrainingTensors> | undefined;
  private isTouched = false;
  private last = performance.now();
  private writing: Promise<void> | undefined;
  private hasFailed = false;

  constructor({ directory, checkpointEvery, state, program, onWarning }: SaverOptions) {
    this.directory = directory;
    this.milliseconds = checkpointEvery * 60_000;
    this.copy = roomFor(state, program);
    if (this.copy === undefined) {
      onWarning(
        `there is no memory for a copy of what is trained (${memoryText(state.layout.bytes)}), so the training waits while ` +
          `a checkpoint is written in the middle of an epoch; checkpointEvery 0 leaves these checkpoints out`,
      );
    }
  }

  /** Whether there has been no checkpoint for so long, or one could not be written, which `save` tells. */
  isDue(): boolean {
    if (this.writing !== undefined) return this.hasFailed;
    return performance.now() - this.last >= this.milliseconds;
  }

  /** Begins a checkpoint of a state that no step under way changes, or makes ready for the first. @throws what the checkpoint before failed with. */
  async save(
    state: State<TrainingTensors>,
    checkpoint: (values: StateArrays<TrainingTensors>) => CheckpointToWrite,
  ): Promise<void> {
    await this.settle();
    if (this.copy !== undefined && !this.isTouched) return this.goOnWith(this.touch(this.copy));
    this.restart();
    if (this.copy !== undefined) this.copy = state.copy(this.copy);
    this.goOnWith(this.write(checkpoint((this.copy ?? state).arrays())));
    if (this.copy === undefined) await this.settle();
  }

  private goOnWith(work: Promise<void>): void {
    this.writing = work;
    work.then(
      () => (this.writing = undefined),
      () => (this.hasFailed = true),
    );
  }

  /**
   * Writes to all of the copy's memory, in small pieces and before the first checkpoint: a system provides memory only when
   * it is first written to, which takes 20 times as long as copying does.
   */
  private async touch({ executor, memory }: State<TrainingTensors>): Promise<void> {
    const piece = new Uint8Array(2 ** 20);
    for (let at = 0; at < memory.bytes; at += piece.length) {
      await nextTurn();
      executor.write(memory, at, piece.subarray(0, memory.bytes - at));
    }
    this.isTouched = true;
  }

  /** Lets the writing go on, for which steps of a few milliseconds on this thread leave no time. */
  async giveWay(): Promise<void> {
    if (this.writing !== undefined) await nextTurn();
  }

  /** The next checkpoint is due so long from now: one has just been written. */
  restart(): void {
    this.last = performance.now();
  }

  /** Waits for the checkpoint that is being written. @throws what it failed with. */
  async settle(): Promise<void> {
    const { writing } = this;
    this.writing = undefined;
    await writing;
  }

  /** Waits until nothing is being written any more, and ignores the error: another one is reported. */
  async end(): Promise<void> {
    await this.settle().catch(() => undefined);
  }

  /** NaN are left for the training to report: until it does, the checkpoint before them is the last one. */
  private async write(checkpoint: CheckpointToWrite): Promise<void> {
    if ((await nonFiniteIn(checkpoint.values)) === undefined) await this.directory.save(checkpoint);
  }
}

/** Memory that a state of a Program can be copied into; undefined if there is not enough. */
function roomFor(
  { executor, layout }: State<TrainingTensors>,
  { bytes }: Program,
): State<TrainingTensors> | undefined {
  const needed = Object.values(bytes).reduce((sum, size) => sum + size, layout.bytes);
  // What is trained has its memory already.
  if (needed > Math.min(executor.memoryLimit, availableMemory() + layout.bytes)) return undefined;
  try {
    return new State<TrainingTensors>(executor, layout, executor.allocate(layout.bytes));
  } catch {
    return undefined;
  }
}
