/**
 * The gradient of every op, on one page: from `g`, the gradient of the node `y`, one gradient for
 * each of its inputs, or null where it is zero. Ops that are not listed have none.
 */
import * as f from "./functions.js";
import { node } from "./node.js";
import { starts } from "./ops/movement.js";
import { otherAxes } from "./ops/reductions.js";
import type { OpName, Tensor } from "./tensor.js";
import { sizeOf } from "./tensor.js";

type Rule = (g: Tensor, y: Tensor) => readonly (Tensor | null)[];

export const rules: Readonly<Partial<Record<OpName, Rule>>> = {
  neg: (g) => [f.neg(g)],
  abs: (g, { inputs: [x] }) => [f.mul(g, f.sub(f.lt(0, x), f.lt(x, 0)))],
  exp: (g, y) => [f.mul(g, y)],
  log: (g, { inputs: [x] }) => [f.div(g, x)],
  sqrt: (g, y) => [f.div(g, f.mul(2, y))],
  tanh: (g, y) => [f.mul(g, f.sub(1, f.square(y)))],

  add: (g) => [g, g],
  sub: (g) => [g, f.neg(g)],
  mul: (g, { inputs: [a, b] }) => [f.mul(g, b), f.mul(g, a)],
  // d(a/b) = da/b - (a/b)·db/b
  div(g, y) {
    const quotient = f.div(g, y.inputs[1]);
    return [quotient, f.neg(f.mul(quotient, y))];
  },
  // On a tie all of it goes to the first input.
  min: (g, { inputs: [a, b] }) => [f.where(f.le(a, b), g, 0), f.where(f.le(a, b), 0, g)],
  max: (g, { inputs: [a, b] }) => [f.where(f.le(b, a), g, 0), f.where(f.le(b, a), 0, g)],
  select: (g, { inputs: [condition] }) => [null, f.where(condition, g, 0), f.where(condition, 0, g)],
  coded: (g, { inputs: [codes, scale] }) => [f.mul(g, scale), f.mul(g, codes)],
  codes: (g) => [g],
  bf16: (g) => [g],
  customGradient: (g, { attributes }) => [null, ...attributes.backward!(g)],

  sum: (g, y) => [unfold(g, y)],
  // Shared equally among ties.
  reduceMax(g, y) {
    const ties = f.eq(y.inputs[0], unfold(y, y));
    return [f.mul(ties, unfold(f.div(g, f.sum(ties, y.attributes.axes)), y))];
  },
  // d mean/dx = 1/n; d variance/dx = 2·(x - mean)/n, as the differences sum to zero.
  moments(g, y) {
    const [x] = y.inputs;
    const count = sizeOf(x.shape) / (sizeOf(y.shape) / 2);
    const [dMean, dVariance] = rows(g).map((row) => unfold(f.div(row, count), y));
    const difference = f.sub(x, unfold(rows(y)[0], y));
    return [f.add(dMean, f.mul(f.mul(2, dVariance), difference))];
  },

  windowSum: (g, { inputs: [x], attributes: { window } }) => [
    node("windowSumGradient", [g], { window, shape: x.shape }),
  ],
  windowMax: (g, { inputs: [x], attributes: { window } }) => [
    node("windowMaxGradient", [x, g], { window, shape: x.shape }),
  ],
  convolution: (g, { inputs: [x, w], attributes: { window } }) => [
    node("convolutionInputGradient", [g, w], { window, shape: x.shape }),
    node("convolutionFilterGradient", [x, g], { window, shape: w.shape }),
  ],
  depthwise: (g, { inputs: [x, w], attributes: { window } }) => [
    node("depthwiseInputGradient", [g, w], { window, shape: x.shape }),
    node("depthwiseFilterGradient", [x, g], { window, shape: w.shape }),
  ],

  reshape: (g, { inputs: [x] }) => [f.reshape(g, x.shape)],
  transpose: (g, { attributes: { permutation = [] } }) => [
    f.transpose(
      g,
      permutation.map((_, axis) => permutation.indexOf(axis)),
    ),
  ],
  broadcast: (g, { shape, attributes: { axes = [] } }) => [f.sum(g, otherAxes(shape.length, axes))],
  pad: (g, { inputs: [x], attributes: { low = [] } }) => [
    f.slice(
      g,
      low,
      low.map((count, axis) => count + x.shape[axis]),
    ),
  ],
  concatenate: (g, { inputs, attributes: { axis = 0 } }) =>
    starts(
      inputs.map(({ shape }) => shape),
      axis,
    ).map((start, n) => {
      const { shape } = inputs[n];
      const [low, high] = [0, shape[axis]].map((end) => start + end);
      return f.slice(
        g,
        shape.map((_, i) => (i === axis ? low : 0)),
        shape.map((extent, i) => (i === axis ? high : extent)),
      );
    }),
  slice: (g, { inputs: [x], attributes: { low = [], high = [] } }) => [
    f.pad(
      g,
      low,
      high.map((index, axis) => x.shape[axis] - index),
    ),
  ],
};

/** Repeats a value of a reduction's kept axes along the axes that it folded. */
function unfold(value: Tensor, { inputs: [x], attributes: { axes = [] } }: Tensor): Tensor {
  return node("broadcast", [value], { shape: x.shape, axes: otherAxes(x.shape.length, axes) });
}

/** The two rows of what `moments` returns: of the means and of the variances. */
function rows(moments: Tensor): Tensor[] {
  const [, ...kept] = moments.shape;
  return [0, 1].map((row) => {
    const low = moments.shape.map((_, axis) => (axis === 0 ? row : 0));
    return f.reshape(f.slice(moments, low, [row + 1, ...kept]), kept);
  });
}
