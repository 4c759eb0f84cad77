/** Checkpoints in the middle of an epoch: when they are begun, what they hold, and what goes on meanwhile. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { State } from "../compiler/state.js";
import { createState, readArray } from "../compiler/state.js";
import { compile } from "../compiler/compile.js";
import { UserError } from "../errors.js";
import { mul } from "../graph/index.js";
import type { CheckpointToWrite } from "../run-folder/index.js";
import { noImages, RunDirectory } from "../run-folder/index.js";
import type { Executor } from "../runtime/executor.js";
import { allocateOrExplain } from "../runtime/executor.js";
import { createReferenceExecutor } from "../runtime/reference.js";
import type { TrainProgress } from "./progress.js";
import { Saver } from "./saver.js";
import type { TrainingTensors } from "./step.js";
import { base } from "./tiny.test.fixture.js";
import type { TrainOptions } from "./train.js";
import { train } from "./train.js";

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "fewbit-saver-"));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(parent, { recursive: true });
});

/** Something to wait for until it is opened. */
function gateway() {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}

const refuse = (): never => {
  throw new RangeError("no memory");
};

/** A checkpoint of these values, and whatever else. */
const checkpointOf = (values: CheckpointToWrite["values"]): CheckpointToWrite => ({
  values,
  epoch: 0,
  step: 1,
  sums: noImages,
  signs: {},
});

/** The value of a state's only parameter. */
const valueOf = async ({ values }: CheckpointToWrite): Promise<number> =>
  (await readArray((values as ReturnType<State<TrainingTensors>["arrays"]>).parameters.w)).data[0];

describe("a saver", () => {
  /**
   * A state of one number, a step that doubles it, and a saver that is always due.
   *
   * @param later what becomes of the executor before there is a saver.
   */
  function setUp(
    value: number,
    save: (checkpoint: CheckpointToWrite) => Promise<void>,
    later: Partial<Executor> = {},
  ) {
    const executor = createReferenceExecutor();
    const values = { parameters: { w: value }, statistics: {}, optimizer: {} };
    const state = createState<TrainingTensors>(values, { executor });
    const step = compile(
      ({ parameters, ...rest }: TrainingTensors, _: Record<string, never>) => ({
        state: { ...rest, parameters: { w: mul(parameters.w, 2) } },
      }),
      { executor },
    );
    const program = step.program(state, {});
    Object.assign(executor, later);
    const warnings: string[] = [];
    const saver = new Saver({
      directory: { save },
      checkpointEvery: 1e-9,
      state,
      program,
      onWarning: (message) => warnings.push(message),
    });
    /** Lets it touch the memory for the copy, which comes before the first checkpoint. */
    const makeReady = async () => {
      await saver.save(state, checkpointOf);
      await saver.settle();
    };
    return { saver, state, step, warnings, makeReady };
  }

  test("writes what the state was, while steps go on that change it", async () => {
    const gate = gateway();
    const saved: number[] = [];
    const { saver, state, step, warnings, makeReady } = setUp(3, async (checkpoint) => {
      await gate.opened;
      saved.push(await valueOf(checkpoint));
    });
    await makeReady();
    await saver.save(state, checkpointOf);
    let next = state;
    for (let i = 0; i < 3; i++) ({ state: next } = await step(next, {}));
    expect([saved, saver.isDue()]).toEqual([[], false]); // one at a time
    gate.open();
    await saver.settle();
    expect([saved, saver.isDue(), warnings]).toEqual([[3], true, []]);
    // The next one is copied to the same memory.
    await saver.save(next, checkpointOf);
    await step(next, {});
    await saver.settle();
    expect(saved).toEqual([3, 24]);
  });

  test("tells at the next step that a checkpoint could not be written", async () => {
    const { saver, state, makeReady } = setUp(3, () => Promise.reject(new UserError("cannot write it")));
    await makeReady();
    await saver.save(state, checkpointOf);
    while (!saver.isDue()) await saver.giveWay();
    await expect(saver.save(state, checkpointOf)).rejects.toThrow("cannot write it");
    await saver.save(state, checkpointOf);
    await expect(saver.settle()).rejects.toThrow("cannot write it");
    await saver.save(state, checkpointOf);
    await saver.end(); // where another error is reported
  });

  test.each([NaN, Infinity])("writes no weights that have become %s", async (value) => {
    const save = vi.fn(() => Promise.resolve());
    const { saver, state, makeReady } = setUp(value, save);
    await makeReady();
    await saver.save(state, checkpointOf);
    await saver.settle();
    expect(save).not.toHaveBeenCalled();
  });

  test.each<[string, Partial<Executor>]>([
    ["more than the executor may use", { memoryLimit: 100 }],
    ["refused", { allocate: () => allocateOrExplain(2 ** 40, refuse) }],
  ])(
    "whose copy's memory would be %s says so at the start, and waits for the writing",
    async (_name, later) => {
      const saved: number[] = [];
      const { saver, state, warnings } = setUp(
        3,
        async (checkpoint) => void saved.push(await valueOf(checkpoint)),
        later,
      );
      expect(warnings).toEqual([
        expect.stringMatching(
          /^there is no memory for a copy of what is trained \(.*\), so the training waits while a checkpoint is written /,
        ),
      ]);
      await saver.save(state, checkpointOf);
      expect(saved).toEqual([3]);
    },
  );
});

describe("a training", () => {
  /** 70 steps per epoch. */
  const many = { ...base, batchSize: 1, epochs: 2 };
  const files = ["checkpoint.safetensors", "best.safetensors", "layers.jsonl", "confusion.jsonl"];
  const bytesOf = (directory: string) => files.map((name) => readFileSync(join(directory, name), "base64"));
  const { save, commit } = RunDirectory.prototype;

  test("has a checkpoint after so many minutes without one, and 0 is never", async () => {
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => now);
    const saved: string[] = [];
    vi.spyOn(RunDirectory.prototype, "save").mockImplementation(({ epoch, step }) => {
      saved.push(`${epoch}.${step}`);
      return Promise.resolve();
    });
    /** Trains where each batch of a phase takes half a minute, and nothing else any time. */
    const saves = async (phase: TrainProgress["phase"], name: string, options: Partial<TrainOptions>) => {
      const onProgress = (progress: TrainProgress) => void (now += progress.phase === phase ? 30_000 : 0);
      await train({ ...many, ...options, directory: join(parent, name), onProgress });
      return saved.splice(0);
    };
    // The first comes after one more step, in which the memory for its copy is made ready.
    expect(await saves("train", "default", {})).toEqual(["0.31", "0.61", "1.30", "1.60"]);
    expect(await saves("train", "seldom", { checkpointEvery: 32.5 })).toEqual(["0.66", "1.65"]);
    expect(await saves("train", "never", { checkpointEvery: 0 })).toEqual([]);
    // Where scoring an epoch takes long, its steps are kept before the scores are there.
    expect(await saves("evaluate", "scored", { checkpointEvery: 10 })).toEqual(["0.70", "1.70"]);
  });

  test("goes on while a checkpoint is written, which an epoch's commit waits for", async () => {
    const [directory, until, whole] = ["run", "until", "whole"].map((name) => join(parent, name));
    const gate = gateway();
    const events: string[] = [];
    const kept: Buffer[] = [];
    vi.spyOn(RunDirectory.prototype, "save").mockImplementation(async function (
      this: RunDirectory,
      checkpoint,
    ) {
      events.push(`save ${checkpoint.epoch}.${checkpoint.step}`);
      await gate.opened;
      await save.call(this, checkpoint);
      events.push("saved");
      kept.push(readFileSync(join(directory, "checkpoint.safetensors")));
    });
    vi.spyOn(RunDirectory.prototype, "commit").mockImplementation(async function (
      this: RunDirectory,
      ...all
    ) {
      events.push("commit");
      await commit.call(this, ...all);
    });
    const onProgress = ({ phase, step, steps }: TrainProgress) => {
      if (phase === "train") events.push(`step ${step}`);
      if (phase === "evaluate" && step === steps) {
        // More turns than anything before the commit takes, if that does not wait.
        let turns = 0;
        const wait = (): unknown => (turns++ < 1000 ? setImmediate(wait) : gate.open());
        wait();
      }
    };
    await train({ ...many, epochs: 1, directory, checkpointEvery: 1e-9, onProgress });
    const begun = events.findIndex((event) => event.startsWith("save "));
    expect(events.slice(begun + 1)).toEqual([
      ...events.slice(begun + 1).filter((event) => event.startsWith("step ")),
      "saved",
      "commit",
    ]);
    expect(events.at(-3)).toBe("step 70");
    vi.restoreAllMocks();

    // What was written is what a training that ends where the copy was made leaves.
    const at = Number(events[begun].split(".")[1]);
    expect(at).toBeLessThan(70);
    const stop = new AbortController();
    const stopping = ({ step, phase }: TrainProgress) => phase === "train" && step === at && stop.abort();
    await train({ ...many, epochs: 1, directory: until, signal: stop.signal, onProgress: stopping });
    expect(kept).toHaveLength(1);
    expect(kept[0].equals(readFileSync(join(until, "checkpoint.safetensors")))).toBe(true);
    await train({ ...many, epochs: 1, directory: whole });
    expect(bytesOf(directory)).toEqual(bytesOf(whole));
  });

  test("ends where a checkpoint cannot be written, with the one before", async () => {
    const directory = join(parent, "run");
    await train({ ...many, epochs: 1, directory });
    const before = bytesOf(directory);
    vi.spyOn(RunDirectory.prototype, "save").mockRejectedValue(new UserError("no space is left"));
    const steps: number[] = [];
    const ended = train({
      ...many,
      directory,
      resume: true,
      checkpointEvery: 1e-9,
      onProgress: ({ step }) => steps.push(step),
    });
    await expect(ended).rejects.toThrow("no space is left");
    expect(steps.at(-1)).toBeLessThan(70);
    expect(bytesOf(directory)).toEqual(before);
  });

  test("that fails waits for the writing before it lets go of its folder", async () => {
    const { close } = RunDirectory.prototype;
    const events: string[] = [];
    vi.spyOn(RunDirectory.prototype, "save").mockImplementation(async function (
      this: RunDirectory,
      checkpoint,
    ) {
      await save.call(this, checkpoint);
      events.push("saved");
    });
    vi.spyOn(RunDirectory.prototype, "close").mockImplementation(function (this: RunDirectory) {
      events.push("closed");
      close.call(this);
    });
    const directory = join(parent, "run");
    const ended = train({
      ...many,
      directory,
      checkpointEvery: 1e-9,
      onProgress: ({ step }) => {
        if (step === 40) throw new RangeError("from the user's code");
      },
    });
    await expect(ended).rejects.toThrow(RangeError);
    expect(events.at(-1)).toBe("closed");
    expect(events.at(-2)).toBe("saved");
    await train({ ...many, directory, resume: true });
    const whole = join(parent, "whole");
    await train({ ...many, directory: whole });
    expect(bytesOf(directory)).toEqual(bytesOf(whole));
  });

  test("refuses minutes that are none, and without a directory", async () => {
    for (const wrong of [-1, NaN, Infinity, "15"] as number[]) {
      await expect(train({ ...many, checkpointEvery: wrong, directory: join(parent, "x") })).rejects.toThrow(
        "checkpointEvery must be a number that is not negative, got ",
      );
    }
    await expect(train({ ...many, checkpointEvery: 5 })).rejects.toThrow(
      new UserError("checkpointEvery needs a directory", "checkpointEvery"),
    );
  });
});
