/** Memory beyond what an array of Node's oldest promised version can hold. */
import { totalmem } from "node:os";
import { expect, test } from "vitest";
import { createNativeExecutor, nativeProblem } from "./native.js";
import { memoryWith } from "./native.test.fixture.js";
import type { MapOperand, Operand, Program } from "./program.js";

const count = 1024;
const bytes = 4 * count;

/** Values lie behind 4 GiB, on both sides of it, and at the end of 5 GB. Few pages are touched, so little memory is taken. */
const places = [2 ** 32 + bytes + 4, 2 ** 32 - bytes / 2, 5e9 - bytes];

/** outputs = 4 · inputs, by way of all places. */
function program(): Program {
  const at = (segment: Operand["segment"], offset: number): MapOperand => ({
    segment,
    offset,
    storage: "f32",
    shape: [count],
    axes: 7,
  });
  const [high, across, end] = places.map((offset) => at("scratch", offset));
  const strides = { extents: [count], fromStrides: [1], toStrides: [1] };
  const add = (a: MapOperand, b: MapOperand, to: MapOperand) =>
    ({
      kind: "map",
      space: [1, 1, count],
      operands: [a, b],
      body: [{ op: "add", arguments: [0, 1] }],
      results: [{ ...to, slot: 2, reduction: "none" }],
    }) as const;
  return {
    bytes: { constants: 0, state: 0, inputs: bytes, outputs: bytes, scratch: 5e9 },
    instructions: [
      { kind: "move", op: "copy", ...strides, from: at("inputs", 0), to: end },
      add(end, at("inputs", 0), across),
      { kind: "move", op: "copy", ...strides, from: across, to: high },
      add(high, high, at("outputs", 0)),
    ],
    names: {},
    constants: new Uint8Array(0),
  };
}

test.skipIf(nativeProblem() !== undefined || totalmem() < 5e9)(
  "a Program with 5 GB of scratch runs, and values beyond 4 GiB are right",
  async () => {
    const values = Float32Array.from({ length: count }, (_, i) => i + 0.25);
    for (const interpret of [false, true]) {
      const executor = createNativeExecutor({ threads: 2, interpret });
      const outputs = executor.allocate(bytes);
      const state = executor.allocate(0);
      await executor.load(program()).run({ state, inputs: memoryWith(executor, values), outputs });
      const results = new Float32Array(count);
      await executor.read(outputs, 0, results);
      expect(results).toEqual(values.map((value) => 4 * value));
    }
  },
);

test.skipIf(nativeProblem() !== undefined || totalmem() < 5e9)(
  "memory of 5 GB is written, read and copied in pieces",
  async () => {
    const executor = createNativeExecutor({ threads: 1 });
    const memory = executor.allocate(5e9);
    for (const offset of places) executor.write(memory, offset, Float64Array.of(offset));
    const found: number[] = [];
    for (const offset of places) {
      const value = new Float64Array(1);
      await executor.read(memory, offset, value);
      found.push(value[0]);
    }
    expect(memory.bytes).toBe(5e9);
    expect(found).toEqual(places);
  },
);
