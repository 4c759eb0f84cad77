/** The graph in four statements; read this first. */
import { expect, test } from "vitest";
import { add, evaluate, gradients, leaf, mean, mul, square, sub, sum } from "./index.js";

const x = leaf("x", [3]);
const value = { data: Float32Array.of(1, 2, 3), shape: [3] };

test("a function of tensors records a node and computes nothing", () => {
  const y = add(x, x);
  expect(y).toMatchObject({ op: "add", shape: [3], dtype: "f32", inputs: [x, x] });
});

test("evaluate computes a graph from the values of its leaves", () => {
  const [y] = evaluate([sum(mul(x, x))], new Map([[x, value]]));
  expect(y).toEqual({ data: Float32Array.of(14), shape: [] });
});

test("numbers and smaller shapes broadcast", () => {
  const [y] = evaluate([sub(x, mean(x))], new Map([[x, value]]));
  expect(Array.from(y.data)).toEqual([-1, 0, 1]);
});

test("gradients are a graph too", () => {
  const [g] = gradients(mean(square(x)), [x]);
  const [dx] = evaluate([g], new Map([[x, value]]));
  expect(dx).toEqual({ data: Float32Array.of(2 / 3, 4 / 3, 6 / 3), shape: [3] });
});
