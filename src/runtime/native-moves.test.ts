/** Copies and random numbers on the kernels against plain loops. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { uniforms } from "../random/philox.js";
import type { CopyInstruction } from "./program.js";
import { executorGroups, Layout, sameBits } from "./native.test.fixture.js";

const product = (extents: readonly number[]): number => extents.reduce((n, extent) => n * extent, 1);

/** Row-major strides of a box of these extents, innermost last. */
function stridesOf(extents: readonly number[]): number[] {
  return extents.map((_, i) => product(extents.slice(i + 1)));
}

interface RandomCopy {
  readonly extents: readonly number[];
  readonly fromStrides: readonly number[];
  readonly toStrides: readonly number[];
}

/** Source and target are boxes in any order of their axes, the target with room around it; some axes repeat. */
const copies: fc.Arbitrary<RandomCopy> = fc
  .array(fc.constantFrom(1, 2, 3, 5, 17, 64, 70), { minLength: 0, maxLength: 8 })
  .filter((extents) => product(extents) <= 60_000)
  .chain((extents) =>
    fc.record({
      extents: fc.constant(extents),
      from: order(extents.length),
      to: fc.oneof(order(extents.length), fc.constant(extents.map((_, i) => i))),
      room: fc.tuple(...extents.map(() => fc.nat(2))),
      repeated: fc.tuple(...extents.map(() => fc.constantFrom(false, false, false, true))),
    }),
  )
  .map(({ extents, from, to, room, repeated }) => {
    const read = stridesOf(from.map((axis) => (repeated[axis] ? 1 : extents[axis])));
    const write = stridesOf(to.map((axis) => extents[axis] + room[axis]));
    return {
      extents,
      fromStrides: extents.map((_, axis) => (repeated[axis] ? 0 : read[from.indexOf(axis)])),
      toStrides: extents.map((_, axis) => write[to.indexOf(axis)]),
    };
  });

function order(rank: number): fc.Arbitrary<number[]> {
  const axes = Array.from({ length: rank }, (_, i) => i);
  return fc.shuffledSubarray(axes, { minLength: rank, maxLength: rank });
}

const reach = ({ extents }: RandomCopy, strides: readonly number[]): number =>
  extents.reduce((last, extent, i) => last + (extent - 1) * strides[i], 1);

function copyByLoops(copy: RandomCopy, from: Int32Array, to: Int32Array): void {
  const strides = stridesOf(copy.extents);
  for (let i = 0; i < product(copy.extents); i++) {
    const place = copy.extents.map((extent, axis) => Math.floor(i / strides[axis]) % extent);
    const at = (stride: readonly number[]) =>
      place.reduce((sum, index, axis) => sum + index * stride[axis], 0);
    to[at(copy.toStrides)] = from[at(copy.fromStrides)];
  }
}

describe.each(executorGroups)("$name: moves", ({ executors }) => {
  async function agree(copy: RandomCopy): Promise<void> {
    const { extents, fromStrides, toStrides } = copy;
    const layout = new Layout();
    const data = Int32Array.from({ length: reach(copy, fromStrides) }, (_, i) => i);
    const size = reach(copy, toStrides);
    const from = layout.addValues("inputs", [data.length], data);
    const before = Int32Array.from({ length: size }, (_, i) => -1 - i);
    const to = layout.addValues("state", [size], before);
    const move: CopyInstruction = { kind: "move", op: "copy", extents, from, fromStrides, to, toStrides };
    const [actual] = await layout.run(executors, layout.program(move), [to]);
    copyByLoops(copy, data, before);
    expect(sameBits(actual, before)).toBe(true);
  }

  test("copy between any strides, and leave the gaps alone", async () => {
    await fc.assert(fc.asyncProperty(copies, agree), { numRuns: 150 });
  });

  test.each([
    ["a long stretch", [100_003], [1], [1]],
    ["a large transpose", [301, 257], [1, 301], [257, 1]],
    ["channels last", [5, 41, 43, 3], [41 * 43 * 3, 43, 1, 41 * 43], [41 * 43 * 3, 43 * 3, 3, 1]],
    ["one value everywhere", [70_001], [0], [1]],
  ])("copy %s", async (_, extents, fromStrides, toStrides) => agree({ extents, fromStrides, toStrides }));

  test.each([1, 3, 4, 63, 64, 65, 4099, 50_001])("%i random numbers are those of Philox", async (count) => {
    const layout = new Layout();
    const key = layout.addValues("inputs", [2], Int32Array.of(-123456789, 42));
    const to = layout.add("outputs", [count]);
    const program = layout.program({ kind: "move", op: "random", stream: 7, from: key, to });
    const [actual] = await layout.run(executors, program, [to]);
    expect(sameBits(actual, uniforms([-123456789, 42], 7, count))).toBe(true);
  });
});
