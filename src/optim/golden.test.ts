/** Optimizers and schedules against PyTorch's: `tools/golden/optimizers.py`. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compile } from "../compiler/compile.js";
import { createState } from "../compiler/state.js";
import type { Tensors } from "../graph/index.js";
import { mul, sub } from "../graph/index.js";
import { chooseExecutor } from "../runtime/choose.js";
import type { Specs } from "../training/golden.test.fixture.js";
import { makeAll } from "../training/golden.test.fixture.js";
import type { OptimizerSettings } from "./index.js";
import { adamw, clipped, optimizerOf, rateOf, scheduleOf, scheduleTitle, sgd } from "./index.js";
import { mapRecord } from "./records.js";

interface Golden {
  readonly parameters: Specs;
  readonly steps: number;
  readonly learningRate: number;
  readonly optimizers: readonly {
    readonly name: string;
    readonly options: Partial<OptimizerSettings>;
    readonly after: Readonly<Record<string, readonly number[]>>;
  }[];
  readonly schedules: {
    readonly epochs: number;
    readonly steps: number;
    readonly rates: readonly {
      readonly settings: Partial<Parameters<typeof scheduleOf>[0]>;
      readonly by: "step" | "epoch";
      readonly rates: readonly number[];
    }[];
  };
  readonly clipped: readonly {
    readonly norm: number;
    readonly gradients: Readonly<Record<string, readonly number[]>>;
  }[];
}
const golden = JSON.parse(
  readFileSync(new URL("../../tools/golden/data/optimizers.json", import.meta.url), "utf8"),
) as Golden;
const { executor } = chooseExecutor({ executor: "reference" });

type Trained = { readonly parameters: Tensors; readonly own: Readonly<Record<string, Tensors>> };

test.each(golden.optimizers)("$name with $options steps as PyTorch's", async ({ name, options, after }) => {
  const weightDecay = name === "adamw" ? 0.01 : 0;
  const { learningRate } = golden;
  const optimizer = optimizerOf(name, { learningRate, momentum: 0.9, weightDecay, ...options });
  const parameters = makeAll("optimizers", golden.parameters);
  const start = { parameters, own: optimizer.initial(parameters) };
  let state = createState<Trained>(start, { executor });
  // The gradients of the distance from a target that moves.
  const factors = mapRecord(parameters, (_, key) => Object.keys(parameters).indexOf(key) + 1);
  const step = compile(
    (before: Trained, { scalars, target }: { scalars: Tensors; target: Tensors[string] }) => {
      const gradients = mapRecord(before.parameters, (p, key) => mul(sub(p, target), factors[key]));
      return { state: optimizer.update(before.parameters, gradients, before.own, scalars) };
    },
    { executor },
  );
  for (let i = 1; i <= golden.steps; i++) {
    const scalars = optimizer.scalars(i, golden.learningRate);
    ({ state } = await step(state, { scalars, target: 0.3 * i }));
  }
  const { parameters: trained } = await state.read("parameters");
  for (const [key, { data }] of Object.entries(trained)) {
    data.forEach((value, i) => expect(value, `${key} ${i}`).toBeCloseTo(after[key][i], 5));
  }
});

test("Nesterov's momentum needs momentum, and runs without it have the options that they had", () => {
  expect(() => sgd({ learningRate: 0.1, momentum: 0, nesterov: true })).toThrow(
    "nesterov needs a momentum above 0, got 0",
  );
  expect(sgd({ learningRate: 0.1, nesterov: false }).options).toEqual({
    learningRate: 0.1,
    momentum: 0.9,
    weightDecay: 0,
  });
  expect(adamw({ learningRate: 0.1 }).options).toMatchObject({ weightDecay: 0.01, betas: [0.9, 0.999] });
});

test.each(golden.schedules.rates)("the rates of $settings are PyTorch's", ({ settings, by, rates }) => {
  const { epochs, steps } = golden.schedules;
  const schedule = scheduleOf({ decayEvery: 0, decayFactor: 0.1, epochs, ...settings });
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (let step = 0; step < steps; step++) {
      const expected = rates[by === "step" ? epoch * steps + step : epoch];
      const rate = rateOf(schedule, golden.learningRate, epoch, step, steps);
      expect(rate, `epoch ${epoch}, step ${step}`).toBeCloseTo(expected, 12);
    }
  }
});

test("schedules have titles in words", () => {
  const defaults = { decayEvery: 0, decayFactor: 0.1, epochs: 90 };
  expect(scheduleTitle(scheduleOf({ ...defaults, schedule: "cosine", warmup: 5 }))).toBe(
    "rate rising for 5 epochs, then cosine to rate 0 at epoch 90",
  );
  expect(scheduleTitle(scheduleOf({ ...defaults, decayAt: [30, 60], warmup: 0.5 }))).toBe(
    "rate rising for 0.5 epochs, then rate × 0.1 at epochs 30, 60",
  );
  // A run's folder may hold anything.
  expect(scheduleTitle({ name: "warmup", options: { epochs: 5, schedule: { name: 3 } } })).toBe(
    'schedule warmup {"epochs":5,"schedule":{"name":3}}',
  );
});

test.each(golden.clipped)("gradients clipped to norm $norm are PyTorch's", async ({ norm, gradients }) => {
  const parameters = makeAll("optimizers", golden.parameters);
  const clip = compile(
    (before: { readonly parameters: Tensors }, _: Record<string, never>) => {
      const given = Object.entries(before.parameters).map(([key, p], i) => [key, mul(sub(p, 0.3), i + 1)]);
      return { state: { parameters: clipped(Object.fromEntries(given) as Tensors, norm) } };
    },
    { executor },
  );
  const { state } = await clip(
    createState<{ readonly parameters: Tensors }>({ parameters }, { executor }),
    {},
  );
  for (const [key, { data }] of Object.entries((await state.read()).parameters)) {
    data.forEach((value, i) => expect(value, `${key} ${i}`).toBeCloseTo(gradients[key][i], 5));
  }
});
