/** Maps on the kernels against plain loops, for random spaces, axes and bodies. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Axes, MapOp, MapOperation, Reduction } from "./program.js";
import { executorGroups, Layout, sameBits } from "./native.test.fixture.js";

type Space = readonly [number, number, number];
interface RandomMap {
  readonly space: Space;
  readonly seed: number;
  readonly operands: readonly { axes: Axes; integers: boolean }[];
  readonly body: readonly MapOperation[];
  readonly results: readonly { axes: Axes; reduction: Reduction; slot: number }[];
}

/** f32 arithmetic of the operations that IEEE 754 rounds correctly. */
const exact: Readonly<Partial<Record<MapOp, (a: number, b: number, c: number) => number>>> = {
  neg: (a) => -a,
  abs: (a) => Math.abs(a),
  sqrt: (a) => Math.fround(Math.sqrt(a)),
  round: (a) => (Math.abs(a % 1) === 0.5 ? 2 * Math.round(a / 2) : Math.round(a)),
  add: (a, b) => Math.fround(a + b),
  sub: (a, b) => Math.fround(a - b),
  mul: (a, b) => Math.fround(a * b),
  div: (a, b) => Math.fround(a / b),
  min: (a, b) => (a < b ? a : b),
  max: (a, b) => (a > b ? a : b),
  lt: (a, b) => (a < b ? 1 : 0),
  le: (a, b) => (a <= b ? 1 : 0),
  eq: (a, b) => (a === b ? 1 : 0),
  select: (a, b, c) => (a !== 0 ? b : c),
};
const names = Object.keys(exact) as MapOp[];
const arity = (op: MapOp): number => exact[op]!.length;

const spaces = fc
  .tuple(
    fc.constantFrom(1, 2, 3, 7, 128),
    fc.constantFrom(1, 2, 5, 37, 144, 1001),
    fc.constantFrom(1, 3, 10, 20, 50, 513, 1000, 1025, 2100),
  )
  .filter(([samples, positions, channels]) => samples * positions * channels <= 60_000);

const maps: fc.Arbitrary<RandomMap> = fc
  .record({
    space: spaces,
    seed: fc.nat(1 << 30),
    operands: fc.array(fc.record({ axes: fc.nat(7) as fc.Arbitrary<Axes>, integers: fc.boolean() }), {
      minLength: 1,
      maxLength: 5,
    }),
    body: fc.array(fc.tuple(fc.constantFrom(...names), fc.nat(99), fc.nat(99), fc.nat(99)), { maxLength: 6 }),
    kept: fc.constantFrom<Axes[]>([0, 1], [4, 5, 0, 1], [6]),
    results: fc.array(
      fc.tuple(fc.constantFrom<Reduction>("none", "sum", "max", "moments"), fc.nat(99), fc.nat(99)),
      { minLength: 1, maxLength: 4 },
    ),
  })
  .map(({ space, seed, operands, body, kept, results }) => ({
    space,
    seed,
    operands,
    body: body.map(([op, ...slots], i) => ({
      op,
      arguments: slots.slice(0, arity(op)).map((slot) => slot % (operands.length + i)),
    })),
    results: results.map(([reduction, axes, slot]) => ({
      reduction: reduction === "moments" && kept[0] === 6 ? "sum" : reduction,
      axes: reduction === "none" ? 7 : kept[axes % kept.length],
      slot: slot % (operands.length + body.length),
    })),
  }));

const sizeWith = (space: Space, axes: Axes): number =>
  space.reduce((size, extent, i) => (axes & (4 >> i) ? size * extent : size), 1);
const shapeWith = (space: Space, axes: Axes): number[] => space.filter((_, i) => axes & (4 >> i));

/** Index of element [sample, position, channel] in a value with these axes. */
function indexWith(space: Space, axes: Axes, place: Space): number {
  return place.reduce((index, at, i) => (axes & (4 >> i) ? index * space[i] + at : index), 0);
}

/** Quarters from -8 to 8, which meet ties, equality and zero often. */
function values(count: number, seed: number, integers: boolean): Float32Array | Int32Array {
  let state = seed | 1;
  const draw = () =>
    ((state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x3c6ef35f), (state >>> 8) % 65) - 32;
  return integers
    ? Int32Array.from({ length: count }, draw)
    : Float32Array.from({ length: count }, () => draw() / 4);
}

/** Every slot's value at every element. */
function evaluate(
  { space, operands, body }: RandomMap,
  data: readonly (Float32Array | Int32Array)[],
): Float32Array[] {
  const size = sizeWith(space, 7);
  const slots = operands.map(({ axes }, slot) => {
    const spread = new Float32Array(size);
    for (let i = 0; i < size; i++) spread[i] = data[slot][indexWith(space, axes, placeOf(space, i))];
    return spread;
  });
  for (const {
    op,
    arguments: [a, b = a, c = a],
  } of body) {
    const [x, y, z] = [slots[a], slots[b], slots[c]];
    slots.push(x.map((value, i) => exact[op]!(value, y[i], z[i])));
  }
  return slots;
}

const placeOf = ([, positions, channels]: Space, i: number): Space => [
  Math.floor(i / (positions * channels)),
  Math.floor(i / channels) % positions,
  i % channels,
];

interface Sums {
  readonly count: number;
  readonly sum: Float64Array;
  readonly magnitude: Float64Array;
  readonly squares: Float64Array;
  readonly max: Float64Array;
}

function reduce(space: Space, axes: Axes, x: Float32Array): Sums {
  const kept = sizeWith(space, axes);
  const zeros = () => new Float64Array(kept);
  const [sum, magnitude, squares, max] = [zeros(), zeros(), zeros(), zeros().fill(-Infinity)];
  const count = x.length / kept;
  const at = Uint32Array.from(x, (_, i) => indexWith(space, axes, placeOf(space, i)));
  x.forEach((value, i) => {
    sum[at[i]] += value;
    magnitude[at[i]] += Math.abs(value);
    if (value > max[at[i]]) max[at[i]] = value;
  });
  x.forEach((value, i) => (squares[at[i]] += (value - sum[at[i]] / count) ** 2));
  return { count, sum, magnitude, squares, max };
}

const near = (actual: number, expected: number, magnitude: number): boolean =>
  Object.is(actual, expected) ||
  !Number.isFinite(magnitude) ||
  Math.abs(actual - expected) <= 2 ** -20 * magnitude;

function check(space: Space, axes: Axes, reduction: Reduction, x: Float32Array, actual: Float32Array): void {
  if (reduction === "none") {
    const different = x.findIndex((value, i) => !Object.is(value, actual[i]));
    expect(different, `element ${different}: ${actual[different]} for ${x[different]}`).toBe(-1);
    return;
  }
  const { count, sum, magnitude, squares, max } = reduce(space, axes, x);
  max.forEach((largest, i) => {
    if (reduction === "max")
      expect(actual[i] === largest, `maximum ${i}: ${actual[i]} for ${largest}`).toBe(true);
    if (reduction === "sum")
      expect(near(actual[i], sum[i], magnitude[i]), `sum ${i}: ${actual[i]} for ${sum[i]}`).toBe(true);
    if (reduction === "moments") {
      expect(near(actual[i], sum[i] / count, magnitude[i] / count), `mean ${i}: ${actual[i]}`).toBe(true);
      const [variance, expected] = [actual[max.length + i], squares[i] / count];
      // A mean that is off by a rounding shifts every deviation: an error of rounding · mean · deviation.
      const mean = magnitude[i] / count;
      const scale = expected + mean * Math.sqrt(expected) + 2 ** -20 * mean ** 2;
      expect(near(variance, expected, scale), `variance ${i}: ${variance} for ${expected}`).toBe(true);
    }
  });
}

describe.each(executorGroups)("$name: maps", ({ executors }) => {
  async function run(map: RandomMap): Promise<void> {
    const { space, operands, body, results } = map;
    const layout = new Layout();
    const data = operands.map(({ axes, integers }, i) =>
      values(sizeWith(space, axes), map.seed + i, integers),
    );
    const inputs = operands.map(({ axes }, i) => ({
      ...layout.addValues("inputs", shapeWith(space, axes), data[i]),
      axes,
    }));
    const outputs = results.map((result) => {
      const shape = shapeWith(space, result.axes);
      return { ...layout.add("outputs", result.reduction === "moments" ? [2, ...shape] : shape), ...result };
    });
    const program = layout.program({ kind: "map", space, operands: inputs, body, results: outputs });
    const actual = await layout.run(executors, program, outputs);
    const slots = evaluate(map, data);
    results.forEach(({ axes, reduction, slot }, i) => check(space, axes, reduction, slots[slot], actual[i]));
  }

  test("agree with plain loops", async () => {
    await fc.assert(fc.asyncProperty(maps, run), { numRuns: 150 });
  });

  test.each([0, 1, 2, 3, 4, 5, 6, 7] as Axes[])("read an operand with axes %i", async (axes) => {
    for (const space of [
      [7, 5, 20],
      [3, 37, 3],
      [2, 3, 1025],
      [128, 1, 10],
      [1, 1001, 1],
    ] as Space[]) {
      for (const integers of [false, true]) {
        const operands = [
          { axes, integers },
          { axes: 7 as Axes, integers: false },
        ];
        const body: MapOperation[] = [{ op: "add", arguments: [0, 1] }];
        await run({
          space,
          seed: axes,
          operands,
          body,
          results: [{ axes: 7, reduction: "none", slot: 2 }],
        });
      }
    }
  });

  test.each(
    ([0, 1, 4, 5, 6] as Axes[]).flatMap((axes) =>
      (["sum", "max", "moments"] as const)
        .filter((reduction) => axes !== 6 || reduction !== "moments")
        .map((reduction) => [reduction, axes] as const),
    ),
  )("reduce: %s with axes %i", async (reduction, axes) => {
    for (const space of [
      [7, 5, 20],
      [3, 37, 3],
      [2, 3, 2100],
      [5, 1, 513],
      [128, 1, 10],
      [1, 1001, 1],
      [2, 5000, 2],
    ] as Space[]) {
      const operands = [{ axes: 7 as Axes, integers: false }];
      await run({ space, seed: axes, operands, body: [], results: [{ axes, reduction, slot: 0 }] });
    }
  });

  test("a large mean costs the variance no digits", async () => {
    const space: Space = [1, 4096, 3];
    const x = Float32Array.from({ length: sizeWith(space, 7) }, (_, i) => 4096 + ((i * 7919) % 64) / 64);
    const layout = new Layout();
    const operand = { ...layout.addValues("inputs", [...space], x), axes: 7 as Axes };
    const result = {
      ...layout.add("outputs", [2, 3]),
      axes: 1 as Axes,
      reduction: "moments" as const,
      slot: 0,
    };
    const program = layout.program({ kind: "map", space, operands: [operand], body: [], results: [result] });
    const [actual] = await layout.run(executors, program, [result]);
    const { count, squares } = reduce(space, 1, x);
    squares.forEach((expected, i) => expect(actual[3 + i]).toBeCloseTo(expected / count, 3));
  });

  test("updates an operand in place, and other results still read its old value", async () => {
    const space: Space = [1, 1, 1237];
    const [w, g] = [values(1237, 1, false), values(1237, 2, false)] as Float32Array[];
    const layout = new Layout();
    const full = { axes: 7 as Axes };
    const inPlace = { ...layout.addValues("state", [1237], w), ...full };
    const gradient = { ...layout.addValues("inputs", [1237], g), ...full };
    const none = { ...full, reduction: "none" as const };
    const outputs = [
      { ...inPlace, ...none, slot: 2 },
      { ...layout.add("outputs", [1237]), ...none, slot: 3 },
      { ...layout.add("outputs", [1237]), ...none, slot: 0 },
      { ...layout.add("outputs", []), axes: 0 as Axes, reduction: "sum" as const, slot: 0 },
    ];
    const body: MapOperation[] = [
      { op: "sub", arguments: [0, 1] },
      { op: "mul", arguments: [0, 0] },
    ];
    const program = layout.program({
      kind: "map",
      space,
      operands: [inPlace, gradient],
      body,
      results: outputs,
    });
    const [updated, square, old, sum] = await layout.run(executors, program, outputs);
    expect(
      sameBits(
        updated,
        w.map((value, i) => value - g[i]),
      ),
    ).toBe(true);
    expect(
      sameBits(
        square,
        w.map((value) => value * value),
      ),
    ).toBe(true);
    expect(sameBits(old, w)).toBe(true);
    expect(sum[0]).toBe(w.reduce((total, value) => total + value, 0));
  });

  const [inf, nan] = [Infinity, NaN];
  test.each<[MapOp, (x: number) => number, readonly (readonly [number, number])[]]>([
    [
      "exp",
      Math.exp,
      [
        [0, 1],
        [-inf, 0],
        [inf, inf],
        [nan, nan],
        [89, inf],
        [-104, 0],
        [1e30, inf],
      ],
    ],
    [
      "log",
      Math.log,
      [
        [0, -inf],
        [-0, -inf],
        [1, 0],
        [-1, nan],
        [inf, inf],
        [-inf, nan],
        [nan, nan],
      ],
    ],
    [
      "tanh",
      Math.tanh,
      [
        [0, 0],
        [-0, -0],
        [inf, 1],
        [-inf, -1],
        [50, 1],
        [-50, -1],
        [nan, nan],
      ],
    ],
  ])("%s is within 3 units in the last place, and right at its edges", async (op, oracle, edges) => {
    const inputs: number[] = edges.map(([x]) => x);
    for (let exponent = -148; exponent < 128; exponent += 0.037) {
      inputs.push(2 ** exponent, op === "log" ? 1 + 2 ** (exponent / 8) : -(2 ** exponent));
    }
    for (let x = -104; x < 89; x += 0.0137) inputs.push(op === "log" ? Math.exp(x) : x);
    const x = Float32Array.from(inputs);
    const layout = new Layout();
    const operand = { ...layout.addValues("inputs", [x.length], x), axes: 7 as Axes };
    const result = {
      ...layout.add("outputs", [x.length]),
      axes: 7 as Axes,
      reduction: "none" as const,
      slot: 1,
    };
    const body = [{ op, arguments: [0] }];
    const space: Space = [1, 1, x.length];
    const program = layout.program({ kind: "map", space, operands: [operand], body, results: [result] });
    const [actual] = await layout.run(executors, program, [result]);
    edges.forEach(([, expected], i) =>
      expect(Object.is(actual[i], expected), `${op}(${x[i]}) = ${actual[i]}`).toBe(true),
    );
    let worst = 0;
    x.forEach((value, i) => {
      const expected = oracle(value);
      if (Number.isNaN(expected) || !Number.isFinite(Math.fround(expected))) {
        expect(Object.is(actual[i], Math.fround(expected)), `${op}(${value})`).toBe(true);
        return;
      }
      const unit = 2 ** Math.max(-149, Math.floor(Math.log2(Math.abs(expected) || 2 ** -149)) - 23);
      worst = Math.max(worst, Math.abs(actual[i] - expected) / unit);
    });
    expect(worst).toBeLessThan(3);
  });
});
