/** Values that are said to be codes and are none: the reference executor tells, where kernels wrap or clip. */
import { expect, test } from "vitest";
import { compile } from "../compiler/compile.js";
import { createState } from "../compiler/state.js";
import { UserError } from "../errors.js";
import type { Tensor } from "../graph/index.js";
import { coded, codes, matmul } from "../graph/index.js";
import { createReferenceExecutor } from "./reference.js";

const executor = createReferenceExecutor();
const state = createState<Record<string, never>>({}, { executor });
const signs = { lo: -1, hi: 1, step: 2 } as const;

/** x [1, 2] as codes 0 to 3, times signs w [2, 1]. */
const product = compile(
  (_: Record<string, never>, { x, w }: { x: Tensor; w: Tensor }) => ({
    y: matmul(coded(codes(x, { lo: 0, hi: 3, step: 1 }), 1), coded(codes(w, signs), 1)),
  }),
  { executor },
);
const batch = (x: [number, number], w: [number, number]) => ({
  x: { data: Float32Array.from(x), shape: [1, 2] },
  w: { data: Float32Array.from(w), shape: [2, 1] },
});

test("codes of the lattice are multiplied", async () => {
  const { y } = await product(state, batch([3, 2], [1, -1]));
  expect([...y.data]).toEqual([1]);
});

test.each<[[number, number], [number, number], string]>([
  [[300, 0], [1, 1], "the value 300 is not on the lattice 0, 1, ..., 3"],
  [[4, 0], [1, 1], "the value 4 is not on the lattice 0, 1, ..., 3"],
  [[-1, 0], [1, 1], "the value -1 is not on the lattice 0, 1, ..., 3"],
  [[0.5, 0], [1, 1], "the value 0.5 is not on the lattice 0, 1, ..., 3"],
  [[Infinity, 0], [1, 1], "the value Infinity is not on the lattice 0, 1, ..., 3"],
  [[1, 0], [0, 1], "the value 0 is not on the lattice -1, 1, ..., 1"],
])("inputs %j and weights %j are refused", async (x, w, message) => {
  const refused = product(state, batch(x, w));
  await expect(refused).rejects.toThrow(UserError);
  await expect(refused).rejects.toThrow(`codes: ${message}; round and clip what is marked as codes`);
});

test("NaN passes: a training that breaks down says so itself", async () => {
  await expect(product(state, batch([NaN, 0], [1, 1]))).resolves.toBeDefined();
});
