import { expect, test } from "vitest";
import type { Outcome } from "./index.js";
import { bestRates, runsOf, studyOf } from "./index.js";

/** Outcomes of a study with best accuracies in its order; undefined for a run that diverged. */
function outcomesOf(study: unknown, accuracies: readonly (number | undefined)[]): Outcome[] {
  return runsOf(study, "study.json").runs.map((run, i) => {
    const top1 = accuracies[i];
    const metrics = [{ top1: (top1 ?? 50) - 1 }, { top1: top1 ?? 50 }] as unknown as Outcome["metrics"];
    const ended = top1 === undefined ? { diverged: true, failure: "the loss became NaN" } : {};
    return { run, directory: "", state: top1 === undefined ? "begun" : "done", metrics, ...ended };
  });
}

const study = {
  defaults: { model: "lenet5", method: "qnn", optimizer: "adam" },
  grids: [{ bits: ["1/1", "2/2"], learningRate: [0.1, 0.01, 0.001], seed: [1, 2] }],
};

test("the rate with the highest mean over seeds is picked for each cell", () => {
  const ofFirst = [97, 99, 98, 98.5, 99.5, undefined];
  const ofSecond = [80, 81, 90, 70, 85, 84];
  const choices = bestRates(outcomesOf(study, [...ofFirst, ...ofSecond]));
  expect(choices.map(({ runs }) => runs.map(({ run }) => run.options.learningRate))).toEqual([
    [0.01, 0.01],
    [0.001, 0.001],
  ]);
  expect(choices[0].trials.map(({ learningRate, top1, seeds }) => [learningRate, top1, seeds])).toEqual([
    [0.01, 98.25, 2],
    [0.1, 98, 2],
    [0.001, undefined, 2],
  ]);
  expect(choices.map(({ complete }) => complete)).toEqual([true, true]);
  // The picked runs are those of the study itself.
  const picked = runsOf(JSON.parse(JSON.stringify(studyOf("picked", choices))), "picked.json").runs;
  expect(picked.map(({ identity }) => identity)).toEqual(
    choices.flatMap(({ runs }) => runs.map(({ run }) => run.identity)),
  );
});

test("optimizers are chosen among too, and a cell with runs to do is reported", () => {
  const grids = [{ optimizer: ["sgd", "adam"], bits: "2/2" }];
  const outcomes = outcomesOf({ ...study, grids }, [95, 96]);
  expect(bestRates(outcomes)[0].runs[0].run.options.optimizer).toBe("adam");
  const [, adam] = outcomes;
  const unfinished = bestRates([outcomes[0], { ...adam, state: "begun" }]);
  expect(unfinished[0]).toMatchObject({
    complete: false,
    trials: [{ optimizer: "sgd" }, { top1: undefined }],
  });
  expect(bestRates([{ ...adam, state: "open" }])).toEqual([]);
});
