/** The line of an epoch where output is no terminal. */
import { expect, test, vi } from "vitest";
import type { TrainProgress } from "../training/index.js";
import { createDisplay } from "./progress.js";

test("an epoch of which only the scores were left to do has no speed, and the training's loss all the same", () => {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  const display = createDisplay(false, "test");
  const at = { epoch: 2, epochs: 2, learningRate: 0.1, imagesPerSecond: 0, secondsLeft: undefined };
  const progress = (phase: TrainProgress["phase"], loss: number, accuracy: number): TrainProgress => ({
    ...at,
    phase,
    step: 1,
    steps: 1,
    loss,
    accuracy,
  });
  display.update(progress("evaluate", 0.5, 80));
  display.update(progress("epoch", 0.25, 90));
  expect(log.mock.calls).toEqual([["epoch 2/2  loss 0.5000  train 80.00%  test 90.00%"]]);
  log.mockRestore();
});
