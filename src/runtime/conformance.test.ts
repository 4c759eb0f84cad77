/**
 * Every op of the table, compiled and run by the kernels of each instruction set that this CPU has
 * and by those in WebAssembly, against the table's own reference loops on random shapes and values.
 *
 * The bound: data movement, comparisons and the operations that IEEE 754 rounds correctly must be
 * equal; exp, log and tanh lie within 4 units in the last place; sums and products within 2^-18 of
 * the same sum over absolute values.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compile } from "../compiler/compile.js";
import { createState } from "../compiler/state.js";
import type { HostArray } from "../graph/host.js";
import { node } from "../graph/node.js";
import type { Case, View } from "../graph/op.js";
import { ops } from "../graph/ops.js";
import { sampler } from "../graph/sampler.js";
import type { OpName, Tensor } from "../graph/tensor.js";
import type { Executor } from "./executor.js";
import { createNativeExecutor, instructionSets } from "./native.js";
import { wasmExecutor } from "./native.test.fixture.js";

const transcendental: readonly OpName[] = ["exp", "log", "tanh"];
const summing: readonly OpName[] = [
  "sum",
  "moments",
  "windowSum",
  "windowSumGradient",
  "windowMaxGradient",
  "convolution",
  "convolutionInputGradient",
  "convolutionFilterGradient",
  "depthwise",
  "depthwiseInputGradient",
  "depthwiseFilterGradient",
];

const names = (Object.keys(ops) as OpName[]).filter((name) => ops[name].sample !== undefined);

const executors = [
  ...instructionSets().map((instructionSet) => createNativeExecutor({ threads: 2, instructionSet })),
  wasmExecutor(),
];

describe.each(executors)("the kernels conform to the op table: $instructionSet", (executor) => {
  test.each(names)("%s", async (name) => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1 << 30), async (seed) => {
        const sample = ops[name].sample!(sampler(seed));
        compare(name, sample, await runCompiled(name, sample, executor));
      }),
      { numRuns: 60 },
    );
  });
});

async function runCompiled(
  name: OpName,
  { inputs, attributes }: Case,
  executor: Executor,
): Promise<HostArray> {
  const step = compile(
    (_: Record<string, never>, batch: Record<string, Tensor>) => {
      return {
        result: node(
          name,
          Object.keys(inputs).map((key) => batch[key]),
          attributes,
        ),
      };
    },
    { executor },
  );
  const state = createState<Record<string, never>>({}, { executor });
  return (await step(state, Object.fromEntries((inputs as readonly HostArray[]).entries()))).result;
}

function compare(name: OpName, { inputs, attributes }: Case, actual: HostArray): void {
  const run = (values: readonly View[]): View => {
    const output = { data: new Float64Array(actual.data.length), shape: actual.shape };
    ops[name].reference(values, output, attributes);
    return output;
  };
  const expected = run(inputs).data;
  // The gradient of a maximum sums absolute gradients, at the places that x chooses.
  const absolute = inputs.map(({ data, shape }, i) => {
    return { data: name === "windowMaxGradient" && i === 0 ? data : data.map(Math.abs), shape };
  });
  const magnitude = summing.includes(name) ? run(absolute).data : expected.map(Math.abs);
  actual.data.forEach((value, i) => {
    const rounded = Math.fround(expected[i]);
    if (summing.includes(name)) {
      const bound = 2 ** -18 * (Number.isFinite(magnitude[i]) ? magnitude[i] + scaleOf(name, inputs) : 1);
      expect(Math.abs(value - expected[i]), `element ${i}`).toBeLessThanOrEqual(bound);
    } else if (transcendental.includes(name) && Number.isFinite(rounded)) {
      expect(Math.abs(value - expected[i]), `element ${i}`).toBeLessThanOrEqual(2 ** -21 * magnitude[i]);
    } else {
      expect(
        value === rounded || (Number.isNaN(value) && Number.isNaN(rounded)),
        `${value} for ${rounded}`,
      ).toBe(true);
    }
  });
}

/** A variance is a difference of squares of this size. */
function scaleOf(name: OpName, [x]: readonly View[]): number {
  return name === "moments" ? Math.max(...Array.from(x.data, (value) => value * value)) : 0;
}
