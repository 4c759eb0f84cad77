/** A compiled function keeps a bounded number of Programs, and gives the memory of the others free. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import type { Tensor } from "../graph/index.js";
import { mul } from "../graph/index.js";
import { createReferenceExecutor } from "../runtime/reference.js";
import { compile } from "./compile.js";
import { createState } from "./state.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const executor = createReferenceExecutor();
const state = createState<Record<string, never>>({}, { executor });
const batch = (count: number) => ({ x: { data: new Float32Array(count), shape: [count] } });
const make = () => {
  let traces = 0;
  const step = compile(
    (_: Record<string, never>, { x }: { x: Tensor }) => {
      traces++;
      return { y: mul(x, 2) };
    },
    { executor },
  );
  return { step, traces: () => traces };
};

test("of 100 batch sizes at most 16 Programs stay in memory", async () => {
  const { step } = make();
  const programs: WeakRef<object>[] = [];
  for (let count = 1; count <= 100; count++) {
    await step(state, batch(count));
    programs.push(new WeakRef(step.program(state, batch(count))));
  }
  await new Promise((turn) => setTimeout(turn)); // weak references hold until a turn of the event loop ends
  collect();
  expect(programs.filter((program) => program.deref() !== undefined)).toHaveLength(16);
});

test("those used last are kept, and the function is traced once for each", async () => {
  const { step, traces } = make();
  for (let count = 1; count <= 16; count++) await step(state, batch(count));
  await step(state, batch(1));
  await step(state, batch(17)); // takes the place of 2
  expect(traces()).toBe(17);
  for (const kept of [1, 3, 16, 17]) await step(state, batch(kept));
  expect(traces()).toBe(17);
  await step(state, batch(2));
  expect(traces()).toBe(18);
});

test("a plan is the Program of arrays of these shapes, and takes no memory", () => {
  const { step, traces } = make();
  const shapes = (count: number) => ({ x: { shape: [count], dtype: "f32" } }) as const;
  expect(step.plan({}, shapes(5))).toEqual(step.program(state, batch(5)));
  expect(traces()).toBe(2);
  expect(step.plan({}, shapes(2 ** 40)).bytes.inputs).toBe(2 ** 42);
});
