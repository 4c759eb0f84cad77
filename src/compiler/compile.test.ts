/**
 * Compiled functions against `evaluate`, which runs the graph op by op without any pass, and the
 * promises of State. Programs run on the reference executor here; kernels have their own tests.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UserError } from "../errors.js";
import * as g from "../graph/index.js";
import type { Tensor } from "../graph/index.js";
import { createReferenceExecutor } from "../runtime/reference.js";
import { valueAndGradients } from "./autodiff.js";
import { compile } from "./compile.js";
import { createState, readArray } from "./state.js";
import type { HostArray } from "../graph/host.js";

const executor = createReferenceExecutor();

function random(shape: readonly number[], seed: number): HostArray {
  const data = Float32Array.from(
    { length: shape.reduce((a, b) => a * b, 1) },
    (_, i) => Math.sin(seed * 12.9898 + i * 78.233) * 2,
  );
  return { data, shape };
}

/** Runs a function of tensors by compiling it and by evaluating its graph; expects the same values. */
async function agree(
  values: Record<string, HostArray>,
  f: (t: Record<string, Tensor>) => Record<string, Tensor>,
) {
  const step = compile((_: Record<string, never>, batch: Record<string, Tensor>) => f(batch), { executor });
  const state = createState<Record<string, never>>({}, { executor });
  const compiled: Record<string, HostArray> = await step(state, values);

  const leaves = Object.fromEntries(
    Object.entries(values).map(([name, { shape, data }]) => [
      name,
      g.leaf(name, shape, data instanceof Int32Array ? "i32" : "f32"),
    ]),
  );
  const outputs = f(leaves);
  const expected = g.evaluate(
    Object.values(outputs),
    new Map(Object.entries(values).map(([name, value]) => [leaves[name], value])),
    "f32",
  );
  Object.keys(outputs).forEach((name, i) => {
    expect(compiled[name].shape).toEqual(expected[i].shape);
    const scale = Math.max(1e-30, ...Array.from(expected[i].data, Math.abs));
    compiled[name].data.forEach((value, j) => {
      expect(Math.abs(value - expected[i].data[j]) / scale, `${name}[${j}]`).toBeLessThan(2e-6);
    });
  });
}

describe("a compiled function equals its graph", () => {
  test("batch normalisation with its gradients", async () => {
    await agree(
      { x: random([4, 3, 3, 5], 1), scale: random([5], 2), weight: random([4, 3, 3, 5], 3) },
      (t) => {
        const f = ({ x, scale }: Record<string, Tensor>) => {
          const m = g.moments(x, [0, 1, 2]);
          const mean = g.reshape(g.slice(m, [0, 0], [1, 5]), [5]);
          const variance = g.reshape(g.slice(m, [1, 0], [2, 5]), [5]);
          const y = g.mul(g.div(g.sub(x, mean), g.sqrt(g.add(variance, 1e-5))), scale);
          return g.sum(g.mul(g.relu(y), t.weight));
        };
        const { value, gradients } = valueAndGradients(f, { x: t.x, scale: t.scale });
        return { value, ...gradients };
      },
    );
  });

  test("a convolution, pooling and a loss, with the gradients of both weights", async () => {
    const labels = { data: Int32Array.of(0, 2, 1), shape: [3] };
    const values = { x: random([3, 8, 8, 2], 1), w: random([3, 3, 2, 4], 2), v: random([36, 3], 3), labels };
    for (const pool of [g.averagePool, g.maxPool]) {
      await agree(values, (t) => {
        const f = ({ w, v }: Record<string, Tensor>) => {
          const y = pool(g.relu(g.convolution(t.x, w)), { size: 2 });
          return g.softmaxCrossEntropy(
            g.matmul(g.reshape(g.transpose(y, [0, 3, 1, 2]), [3, 36]), v),
            t.labels,
          );
        };
        const { value, gradients } = valueAndGradients(f, { w: t.w, v: t.v });
        return { value, ...gradients };
      });
    }
  });

  test("reductions over any axes of any shape", async () => {
    const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(shapes, fc.nat(), fc.nat(), async (shape, mask, seed) => {
        const axes = shape.map((_, axis) => axis).filter((axis) => mask & (1 << axis));
        if (axes.length === 0) axes.push(0);
        await agree({ x: random(shape, seed % 100) }, ({ x }) => ({
          sum: g.sum(g.exp(x), axes),
          max: g.reduceMax(x, axes),
          moments: g.moments(x, axes),
          centred: g.sub(x, g.mean(x, axes, true)),
        }));
      }),
      { numRuns: 150 },
    );
  });

  test("broadcasts that cut the shape into more than three axes", async () => {
    const values = { x: random([2, 3, 4, 5], 1), a: random([2, 1, 4, 1], 2), b: random([1, 3, 1, 5], 3) };
    await agree(values, ({ x, a, b }) => ({
      y: g.mul(g.add(x, a), b),
      z: g.sum(g.mul(x, a), [0, 2]),
      w: g.reduceMax(g.mul(g.add(x, a), b), [1, 3]),
    }));
  });

  test("movement: transpose, pad, slice, reshape, broadcast", async () => {
    await agree({ x: random([2, 3, 4], 1) }, ({ x }) => ({
      transposed: g.transpose(x, [2, 0, 1]),
      padded: g.pad(x, [1, 0, 2], [0, 1, 1]),
      inner: g.slice(x, [0, 1, 1], [2, 3, 3]),
      outer: g.slice(x, [1, 0, 0], [2, 3, 4]),
      chained: g.add(g.reshape(g.slice(x, [1, 0, 0], [2, 3, 4]), [12]), 1),
      repeated: g.broadcastTo(g.reshape(x, [2, 1, 12]), [2, 3, 12]),
      same: x,
    }));
  });

  test("constants, and a result given twice", async () => {
    await agree({ x: random([3], 1) }, ({ x }) => {
      const y = g.mul(g.add(g.mul(x, 1), g.constant(0)), g.div(g.constant(6), 3));
      return {
        y,
        again: y,
        two: g.broadcastTo(g.constant(2), [2]),
        array: g.array(Float32Array.of(1, 2), [2]),
      };
    });
  });
});

describe("state", () => {
  const start = () =>
    createState<{ a: Tensor; b: Tensor }>(
      { a: { data: Float32Array.of(1, 2), shape: [2] }, b: { data: Float32Array.of(10, 20), shape: [2] } },
      { executor },
    );

  test("is replaced by what the step returns, also crosswise", async () => {
    const swap = compile(
      ({ a, b }: { a: Tensor; b: Tensor }, { x }: { x: Tensor }) => ({
        state: { a: b, b: g.add(a, x) },
        sum: g.sum(a),
      }),
      { executor },
    );
    const { state, sum } = await swap(start(), { x: 5 });
    expect([...sum.data]).toEqual([3]);
    const { a, b } = await state.read();
    expect([...a.data]).toEqual([10, 20]);
    expect([...b.data]).toEqual([6, 7]);
  });

  test("an element is read before it is replaced, a whole value before any", async () => {
    const step = compile(
      ({ a, b }: { a: Tensor; b: Tensor }, _: Record<string, never>) => ({
        state: { a: g.sub(a, g.mean(a)), b: g.add(b, g.sum(a)) },
        old: g.mul(a, 2),
      }),
      { executor },
    );
    const { state, old } = await step(start(), {});
    expect([...old.data]).toEqual([2, 4]);
    expect([...(await state.read()).a.data]).toEqual([-0.5, 0.5]);
    expect([...(await state.read()).b.data]).toEqual([13, 23]);
  });

  test("is consumed by a step that replaces it, and copy() keeps one", async () => {
    const step = compile(
      ({ a, b }: { a: Tensor; b: Tensor }, _: Record<string, never>) => ({ state: { a: g.neg(a), b } }),
      {
        executor,
      },
    );
    const first = start();
    const kept = first.copy();
    const pending = step(first, {});
    await expect(first.read()).rejects.toThrow(UserError);
    const { state } = await pending;
    await expect(step(first, {})).rejects.toThrow("consumed");
    expect([...(await state.read()).a.data]).toEqual([-1, -2]);
    expect([...(await kept.read()).a.data]).toEqual([1, 2]);
  });

  test("begin() gives the next state at once, and runs keep their order", async () => {
    const step = compile(
      ({ w }: { w: Tensor }, { x }: { x: Tensor }) => ({ state: { w: g.add(g.mul(w, 2), x) }, before: w }),
      { executor },
    );
    const x = { data: Float32Array.of(1), shape: [] };
    const first = step.begin(createState({ w: 1 }, { executor }), { x });
    x.data[0] = 10; // which the first run has copied
    const between = first.state.copy();
    const second = step.begin(first.state, { x });
    const third = step.begin(second.state, { x });
    expect(() => first.state.memory).toThrow("consumed");
    const kept = third.state.read();
    const befores = await Promise.all([third, second, first].map(({ results }) => results));
    expect(befores.map(({ before }) => before.data[0])).toEqual([16, 3, 1]);
    expect((await kept).w.data[0]).toBe(42);
    expect((await between.read()).w.data[0]).toBe(3);
    const plain = compile(({ w }: { w: Tensor }) => ({ w }), { executor });
    const { state, results } = plain.begin(third.state, {});
    expect(state).toBeUndefined();
    expect((await results).w.data[0]).toBe(42);
  });

  test("copy() takes an earlier copy's memory over, which cannot be used as that copy then", async () => {
    const step = compile(
      ({ w }: { w: Tensor }, _: Record<string, never>) => ({ state: { w: g.mul(w, 2) } }),
      {
        executor,
      },
    );
    let { state } = step.begin(createState({ w: 1 }, { executor }), {});
    const earlier = state.copy();
    const { memory } = earlier;
    ({ state } = step.begin(state, {}));
    const later = state.copy(earlier);
    await step(state, {});
    expect(later.memory).toBe(memory);
    expect((await later.read()).w.data[0]).toBe(4);
    expect(() => earlier.memory).toThrow("consumed");
    const other = createState({ w: 1 }, { executor });
    expect(() => other.copy(later)).toThrow("copy takes an earlier copy of the same state");
  });

  test("is read whole, by keys, or array by array in pieces", async () => {
    const large = Float32Array.from({ length: 2 ** 19 + 3 }, (_, i) => i);
    const state = createState(
      {
        a: { large: { data: large, shape: [large.length] } },
        b: 5,
        c: { data: Int32Array.of(7), shape: [1] },
      },
      { executor },
    );
    expect(Object.keys(await state.read("b", "c"))).toEqual(["b", "c"]);
    expect((await state.read("c")).c).toEqual({ data: Int32Array.of(7), shape: [1] });
    const { a, b, c } = state.arrays();
    expect([a.large.shape, b.dtype, c.dtype]).toEqual([[large.length], "f32", "i32"]);
    const lengths: number[] = [];
    let turns = 0;
    for await (const piece of a.large.pieces()) {
      lengths.push(piece.length);
      setImmediate(() => turns++);
    }
    expect(lengths).toEqual([2 ** 18, 2 ** 18, 3]);
    expect(turns).toBeGreaterThanOrEqual(2); // other work went on in between
    const { data } = await readArray(a.large);
    expect(Buffer.compare(Buffer.from(data.buffer), Buffer.from(large.buffer))).toBe(0);
    state.consume();
    await expect(readArray(a.large)).rejects.toThrow("consumed");
  });

  test("a step copies its batch before it returns", async () => {
    const step = compile((_: Record<string, Tensor>, { x }: { x: Tensor }) => ({ y: g.add(x, 1) }), {
      executor,
    });
    const x = { data: Float32Array.of(1), shape: [1] };
    const state = createState<Record<string, Tensor>>({}, { executor });
    const runs = [step(state, { x })];
    x.data[0] = 5;
    runs.push(step(state, { x }));
    expect((await Promise.all(runs)).map(({ y }) => y.data[0])).toEqual([2, 6]);
  });

  test("must keep its arrays and their shapes", async () => {
    const lacking = compile(
      ({ a }: { a: Tensor; b: Tensor }, _: Record<string, never>) => ({ state: { a } }),
      { executor },
    );
    await expect(lacking(start(), {})).rejects.toThrow("the returned state lacks b");
    const reshaped = compile(
      ({ a, b }: { a: Tensor; b: Tensor }, _: Record<string, never>) => ({ state: { a: g.sum(a), b } }),
      {
        executor,
      },
    );
    await expect(reshaped(start(), {})).rejects.toThrow(
      "the returned state's a is f32 [], but the given state's is f32 [2]",
    );
  });
});

test("the backward pass of a batch normalisation recomputes instead of storing values of full size", () => {
  const step = compile(
    (_: Record<string, never>, { x, weight }: { x: Tensor; weight: Tensor }) => {
      const f = (p: Tensor) => {
        const centred = g.sub(p, g.mean(p, [0], true));
        const y = g.div(centred, g.sqrt(g.add(g.mean(g.square(centred), [0]), 1e-5)));
        return g.sum(g.mul(g.relu(y), weight));
      };
      return { dx: valueAndGradients(f, x).gradients };
    },
    { executor },
  );
  const state = createState<Record<string, never>>({}, { executor });
  const { bytes } = step.program(state, { x: random([256, 8], 1), weight: random([256, 8], 2) });
  expect(bytes.scratch).toBeLessThan(256 * 8 * 4);
});

test("keys that would give two arrays one name are refused", () => {
  const one = { data: Float32Array.of(1), shape: [1] };
  const values = { "a/b": one, a: { b: one } };
  expect(() => createState<Record<string, Tensor | Record<string, Tensor>>>(values, { executor })).toThrow(
    'two arrays are both called state/a/b; use no "/" in the keys of a tree',
  );
});

test("what exceeds the memory limit is refused", async () => {
  const step = compile((_: Record<string, never>, { x }: { x: Tensor }) => ({ y: g.add(x, 1) }), {
    executor,
    memoryLimit: 2 ** 20,
  });
  const state = createState<Record<string, never>>({}, { executor });
  await expect(step(state, { x: random([2 ** 18], 1) })).rejects.toThrow("one step needs");
});

test("a constant that no array can hold is refused", () => {
  const step = compile((_: Record<string, never>) => ({ y: g.sum(g.iota([2 ** 40])) }), { executor });
  const state = createState<Record<string, never>>({}, { executor });
  expect(() => step.program(state, {})).toThrow(UserError);
  expect(() => step.program(state, {})).toThrow(
    "iota: the shape [1099511627776] needs 4096.0 GiB in one array, which cannot be allocated; use a smaller shape",
  );
});

test("what cannot take the times of instructions is refused before the state is consumed", async () => {
  const step = compile((state: { w: Tensor }) => ({ state: { w: g.add(state.w, 1) } }), { executor });
  const state = createState({ w: 1 }, { executor });
  const wrong = [new Float32Array(1), new Float64Array(0), [0], new BigInt64Array(1)];
  for (const times of wrong as unknown as Float64Array[]) {
    await expect(step(state, {}, times)).rejects.toThrow(
      /^nanoseconds must be a Float64Array of one number per instruction \(1\), got /,
    );
  }
  const { state: next } = await step(state, {}, new Float64Array(1));
  expect((await next.read()).w.data[0]).toBe(2);
});
