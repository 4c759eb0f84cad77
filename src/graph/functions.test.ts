import { describe, expect, test } from "vitest";
import * as g from "./index.js";
import type { Data } from "./op.js";

type Nested = number | readonly Nested[];
const flatten = (values: Nested): number[] =>
  typeof values === "number" ? [values] : values.flatMap(flatten);

/** Rows of rows of numbers as a constant tensor. */
function tensor(values: Nested): g.Tensor {
  const shape: number[] = [];
  for (let inner = values; typeof inner !== "number"; inner = inner[0]) shape.push(inner.length);
  return g.array(Float32Array.from(flatten(values)), shape);
}
const labels = (...values: number[]) => g.array(Int32Array.from(values));

const numbers = (x: g.Tensor) => Array.from(g.evaluate([x], new Map(), "f64")[0].data as Data);
const gradient = (of: g.Tensor, x: g.Tensor) => numbers(g.gradients(of, [x])[0]);

describe("broadcasting", () => {
  test.each([
    [[2, 3], [3], [2, 3]],
    [
      [2, 1],
      [1, 3],
      [2, 3],
    ],
    [[], [2, 3], [2, 3]],
    [[1, 1], [1], [1, 1]],
    [
      [4, 1, 3],
      [2, 1],
      [4, 2, 3],
    ],
  ])("%j with %j is %j", (a, b, shape) => {
    expect(g.add(g.leaf("a", a), g.leaf("b", b)).shape).toEqual(shape);
  });

  test("repeats values along extents of 1 and missing axes", () => {
    const table = g.add(g.mul(tensor([[1], [2]]), 10), tensor([1, 2, 3]));
    expect(numbers(table)).toEqual([11, 12, 13, 21, 22, 23]);
    expect(numbers(g.broadcastTo(5, [2, 2]))).toEqual([5, 5, 5, 5]);
    expect(numbers(g.where(tensor([[1], [0]]), tensor([1, 2]), 0))).toEqual([1, 2, 0, 0]);
  });

  test("the gradient sums over what was repeated", () => {
    const [column, row] = [tensor([[1], [2]]), tensor([3, 4, 5])];
    expect(gradient(g.sum(g.mul(column, row)), column)).toEqual([12, 12]);
    expect(gradient(g.sum(g.mul(column, row)), row)).toEqual([3, 3, 3]);
  });

  test("refuses shapes that do not match, and says which", () => {
    expect(() => g.add(g.leaf("a", [2, 3]), g.leaf("b", [2]))).toThrow(/add: the shapes \[2, 3\] and \[2\]/);
    expect(() => g.broadcastTo(g.leaf("a", [2]), [3])).toThrow(/\[2\] does not fit \[3\]/);
    expect(() => g.broadcastTo(g.leaf("a", [2, 2]), [2])).toThrow(/\[2, 2\] does not fit \[2\]/);
  });
});

test("operators on tensors are refused, and a text names the tensor", () => {
  const [x, y] = [g.leaf("x", [2, 3]), g.leaf("y", [2, 3])] as unknown as number[];
  const said =
    /^operators such as \+ and \* do not work on a tensor \[2, 3\]: write add\(x, y\) for x \+ y, /;
  for (const slip of [() => x * 2, () => x + y, () => -x, () => x < y, () => Math.max(x, 0)]) {
    expect(slip).toThrow(said);
  }
  expect(`${x}`).toBe("a tensor [2, 3]");
});

describe("elementwise functions", () => {
  test("sign of both zeros is +1; its values are codes of step 2", () => {
    expect(numbers(g.sign(tensor([-2, -0, 0, 3])))).toEqual([-1, 1, 1, 1]);
    expect(g.sign(g.leaf("x", [2])).lattice).toEqual({ lo: -1, hi: 1, step: 2 });
  });

  test("relu, sigmoid, square, reciprocal", () => {
    const x = tensor([-2, 0, 3]);
    expect(numbers(g.relu(x))).toEqual([0, 0, 3]);
    expect(gradient(g.sum(g.relu(x)), x)).toEqual([0, 0, 1]);
    expect(numbers(g.sigmoid(tensor([-1000, 0, 1000])))).toEqual([0, 0.5, 1]);
    expect(numbers(g.sigmoid(tensor([1])))[0]).toBeCloseTo(1 / (1 + Math.exp(-1)), 15);
    expect(numbers(g.square(x))).toEqual([4, 0, 9]);
    expect(numbers(g.reciprocal(tensor([4])))).toEqual([0.25]);
  });

  test("clip passes the gradient on the closed interval only", () => {
    const x = tensor([-0.5, 0, 0.5, 1, 1.5]);
    expect(numbers(g.clip(x, 0, 1))).toEqual([0, 0, 0.5, 1, 1]);
    expect(gradient(g.sum(g.clip(x, 0, 1)), x)).toEqual([0, 1, 1, 1, 0]);
  });

  test("clip and relu do not hide a NaN", () => {
    expect(numbers(g.clip(tensor([NaN]), 0, 1))).toEqual([NaN]);
    expect(numbers(g.relu(tensor([NaN])))).toEqual([NaN]);
  });
});

describe("reductions", () => {
  const x = tensor([
    [1, 5, 3],
    [2, 0, 4],
  ]);

  test("over some axes, all of them, and with the axes kept", () => {
    expect(numbers(g.sum(x))).toEqual([15]);
    expect(numbers(g.sum(x, 0))).toEqual([3, 5, 7]);
    expect(numbers(g.mean(x, [-1]))).toEqual([3, 2]);
    expect(numbers(g.reduceMax(x, 1))).toEqual([5, 4]);
    expect(g.mean(x, 1, true).shape).toEqual([2, 1]);
    expect(g.mean(x, undefined, true).shape).toEqual([1, 1]);
    expect(g.sum(x, []).shape).toEqual([2, 3]);
  });

  test("moments: the mean, then the biased variance", () => {
    const result = g.moments(x, [1]);
    expect(result.shape).toEqual([2, 2]);
    numbers(result).forEach((value, i) => expect(value).toBeCloseTo([3, 2, 8 / 3, 8 / 3][i], 14));
  });

  test("refuses axes that are not there", () => {
    expect(() => g.sum(x, 2)).toThrow(/sum: axes \[2\] .* from -2 to 1/);
    expect(() => g.sum(x, [1, -1])).toThrow(/different axes/);
    expect(() => g.sum(x, 0.5)).toThrow(/axes \[0.5\]/);
  });
});

describe("layers", () => {
  test("matmul", () => {
    const product = g.matmul(tensor([[1, 2, 3]]), tensor([[1, 0], [0, 1], [2, 2]])); // prettier-ignore
    expect(product.shape).toEqual([1, 2]);
    expect(numbers(product)).toEqual([7, 8]);
    expect(() => g.matmul(g.leaf("a", [2, 3]), g.leaf("b", [4, 2]))).toThrow(/3 columns .* 4 rows/);
  });

  test("convolution takes one number or one for each axis", () => {
    const [x, w] = [g.leaf("x", [1, 8, 8, 3]), g.leaf("w", [3, 3, 3, 16])];
    expect(g.convolution(x, w).shape).toEqual([1, 6, 6, 16]);
    expect(g.convolution(x, w, { stride: 2, padding: 1 }).shape).toEqual([1, 4, 4, 16]);
    expect(g.convolution(x, w, { stride: [1, 2], padding: [0, 1] }).shape).toEqual([1, 6, 4, 16]);
  });

  test("the default stride of pooling is its size; padding counts as zeros in an average", () => {
    const x = g.reshape(tensor([1, 2, 3, 4]), [1, 2, 2, 1]);
    expect(numbers(g.averagePool(x, { size: 2 }))).toEqual([2.5]);
    expect(numbers(g.maxPool(x, { size: 2 }))).toEqual([4]);
    expect(numbers(g.averagePool(x, { size: 2, padding: 1 }))).toEqual([0.25, 0.5, 0.75, 1]);
    expect(g.maxPool(g.leaf("x", [1, 5, 5, 1]), { size: 3, stride: 2 }).shape).toEqual([1, 2, 2, 1]);
  });

  test("max pooling gives the gradient to the first maximum in row order", () => {
    const x = g.reshape(tensor([1, 7, 7, 7]), [1, 2, 2, 1]);
    expect(gradient(g.sum(g.maxPool(x, { size: 2 })), x)).toEqual([0, 1, 0, 0]);
  });
});

describe("gradients by rule", () => {
  const x = tensor([0.2, 1.7]);

  test("stopGradient is a constant to gradients", () => {
    expect(gradient(g.sum(g.mul(x, g.stopGradient(x))), x)).toEqual(numbers(x));
  });

  test("straightThrough: the value of one, the gradient of the other", () => {
    const y = g.straightThrough(g.round(x), x);
    expect(numbers(y)).toEqual([0, 2]);
    expect(gradient(g.sum(g.mul(y, 3)), x)).toEqual([3, 3]);
    expect(() => g.straightThrough(g.sum(x), x)).toThrow(/\[\] and x \[2\]/);
  });

  test("customGradient: the rule's gradients, null for zero, and none through the value", () => {
    const y = g.customGradient(g.exp(x), [x, g.mul(x, 2)], (dy) => [g.mul(dy, 10), null]);
    expect(gradient(g.sum(y), x)).toEqual([10, 10]);
  });

  test("the value of a customGradient needs no more than its first input", () => {
    expect(numbers(g.customGradient(x, [g.leaf("unbound", [2])], (dy) => [dy]))).toEqual(numbers(x));
  });

  test("customGradient refuses a rule that does not fit", () => {
    const wrong = (backward: g.Backward) => () => g.gradients(g.sum(g.customGradient(x, [x], backward)), [x]);
    expect(wrong(() => [])).toThrow(/returned 0 gradients for 1 inputs/);
    expect(wrong((dy) => [g.sum(dy)])).toThrow(/input 0 has the shape \[\], it must be \[2\]/);
  });

  test("coded is codes times scale, and differentiable as that", () => {
    const [scale, codes] = [tensor([0.5]), g.codes(tensor([-1, 3]), { lo: -1, hi: 3, step: 2 })];
    const y = g.coded(codes, scale);
    expect(numbers(y)).toEqual([-0.5, 1.5]);
    expect(gradient(g.sum(y), scale)).toEqual([2]);
  });
});

describe("gradients", () => {
  const x = g.leaf("x", [2]);

  test("are zeros where the value does not depend on a tensor", () => {
    const [unused, rounded] = g.gradients(g.sum(g.round(x)), [g.leaf("y", [3]), x]);
    expect(numbers(unused)).toEqual([0, 0, 0]);
    expect(numbers(rounded)).toEqual([0, 0]);
  });

  test("add up over several uses, without zeros in between", () => {
    const [dx] = g.gradients(g.sum(g.add(x, x)), [x]);
    expect(dx.op).toBe("add");
    expect(numbers(dx)).toEqual([2, 2]);
  });

  test("are taken with respect to inner tensors too", () => {
    const y = g.square(x);
    const [dy, dx] = g.gradients(g.sum(g.mul(y, 3)), [y, x]);
    const bindings = new Map([[x, { data: Float32Array.of(1, 2), shape: [2] }]]);
    expect(g.evaluate([dy, dx], bindings).map(({ data }) => Array.from(data))).toEqual([[3, 3], [6, 12]]); // prettier-ignore
  });

  test("of a scalar with respect to itself is 1", () => {
    const s = g.sum(x);
    expect(numbers(g.gradients(s, [s])[0])).toEqual([1]);
  });

  test("need a scalar", () => {
    expect(() => g.gradients(x, [x])).toThrow(/scalar, got the shape \[2\]/);
  });

  test("a graph of a hundred thousand nodes overflows no stack", () => {
    let y = g.sum(x);
    for (let i = 0; i < 100_000; i++) y = g.neg(y);
    expect(numbers(g.gradients(y, [x])[0])).toEqual([1, 1]);
  });
});

describe("softmaxCrossEntropy", () => {
  // e^z: 1, 2, 5 of 8, and 1, 1, 1 of 3.
  const logits = tensor([[0, Math.log(2), Math.log(5)], [0, 0, 0]]); // prettier-ignore
  const close = (found: number[], expected: number[], digits: number) =>
    found.forEach((value, i) => expect(value).toBeCloseTo(expected[i], digits));

  test("the mean of -log of the label's share", () => {
    close(numbers(g.softmaxCrossEntropy(logits, labels(1, 0))), [(Math.log(4) + Math.log(3)) / 2], 7);
  });

  test("the gradient is (share - 1 at the label) / N", () => {
    const expected = [1 / 8, 2 / 8 - 1, 5 / 8, 1 / 3 - 1, 1 / 3, 1 / 3].map((share) => share / 2);
    close(gradient(g.softmaxCrossEntropy(logits, labels(1, 0)), logits), expected, 7);
  });

  test("large logits do not overflow", () => {
    const large = tensor([[1000, 0], [-1000, 1000]]); // prettier-ignore
    expect(numbers(g.softmaxCrossEntropy(large, labels(1, 1)))).toEqual([500]);
    expect(gradient(g.softmaxCrossEntropy(large, labels(1, 1)), large)).toEqual([0.5, -0.5, 0, 0]);
  });

  test("a NaN logit makes the loss NaN", () => {
    expect(numbers(g.softmaxCrossEntropy(tensor([[0, NaN]]), labels(0)))).toEqual([NaN]);
  });

  test("labels must be i32, one per row", () => {
    expect(() => g.softmaxCrossEntropy(logits, tensor([1, 0]))).toThrow(/i32 \[2\], got f32 \[2\]/);
    expect(() => g.softmaxCrossEntropy(logits, labels(1))).toThrow(/i32 \[2\], got i32 \[1\]/);
  });
});

describe("topKCorrect", () => {
  const correct = (rows: number[][], answers: number[], k: number) =>
    numbers(g.topKCorrect(tensor(rows), labels(...answers), k))[0];

  test("counts labels among the k largest", () => {
    const rows = [[1, 2, 3], [3, 2, 1], [1, 3, 2]]; // prettier-ignore
    expect(correct(rows, [2, 2, 2], 1)).toBe(1);
    expect(correct(rows, [2, 2, 2], 2)).toBe(2);
    expect(correct(rows, [2, 2, 2], 3)).toBe(3);
  });

  test("of equal logits the class of the lower index ranks first", () => {
    expect(correct([[1, 1, 0]], [0], 1)).toBe(1);
    expect(correct([[1, 1, 0]], [1], 1)).toBe(0);
    expect(correct([[1, 1, 0]], [1], 2)).toBe(1);
    expect([0, 1, 2].map((label) => correct([[-0, 0, 0]], [label], 2))).toEqual([1, 1, 0]);
    expect([0, 1, 2].map((label) => correct([[-Infinity, 5, -Infinity]], [label], 2))).toEqual([1, 1, 0]);
  });

  test("with the rule of older runs a tie is wrong", () => {
    const old = (row: number[], label: number, k: number) =>
      numbers(g.topKCorrect(tensor([row]), labels(label), k, "wrong"))[0];
    expect([old([1, 1, 0], 0, 1), old([1, 1, 0], 0, 2), old([0, 0, 0], 1, 2)]).toEqual([0, 1, 0]);
    expect([old([2, 1, 0], 0, 1), old([NaN, 1, 0], 0, 3)]).toEqual([1, 0]);
  });

  test("a NaN among the logits is wrong, even among all classes", () => {
    for (const label of [0, 1, 2]) {
      for (const k of [1, 2, 3]) {
        expect(correct([[NaN, 1, 0]], [label], k)).toBe(0);
        expect(correct([[1, 0, NaN]], [label], k)).toBe(0);
        expect(correct([[NaN, NaN, NaN]], [label], k)).toBe(0);
      }
    }
  });
});
