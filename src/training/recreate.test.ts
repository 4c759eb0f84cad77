/** Parts of a stored run that are fewbit's own are made again in the form that the run has them. */
import { expect, test } from "vitest";
import { models, redbitModels } from "../models/index.js";
import type { RunConfig } from "../run-folder/index.js";
import { asTrained, recreate } from "./recreate.js";

/** What a configuration says of AlexNet with Baseline, whose options do not tell its preset. */
const configOf = (preset?: "redbit"): RunConfig => {
  const model = { name: "alexnet", input: [67, 67, 3], classes: 2, preset };
  return { model, method: { name: "baseline", options: {} } } as unknown as RunConfig;
};

test.each([undefined, "redbit"] as const)("AlexNet of a run in preset %s", (preset) => {
  const config = configOf(preset);
  const expected = { name: "alexnet", input: [67, 67, 3], classes: 2 };
  const { model } = recreate("run", config, {});
  expect(model).toMatchObject(expected);
  expect(model.preset).toBe(preset);
  for (const given of [models.alexnet, redbitModels.alexnet]) {
    expect(asTrained(given, config)).toMatchObject(expected);
    expect(asTrained(given, config).preset).toBe(preset);
  }
});
