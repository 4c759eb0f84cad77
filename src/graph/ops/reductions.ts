/** Ops that fold axes away. */
import type { Op, Sampler, View } from "../op.js";
import type { Attributes, Shape } from "../tensor.js";
import { checkAxes, offsets, stridesOf } from "./shapes.js";

/** The axes of `rank` that are not in `axes`. */
export const otherAxes = (rank: number, axes: readonly number[]) =>
  Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !axes.includes(axis));

/** Where the values lie that fold into output i: kept[i] + folded[k] for every k. */
function foldOffsets({ shape }: View, { axes = [] }: Attributes) {
  const strides = stridesOf(shape);
  const along = (chosen: readonly number[]) =>
    offsets(
      chosen.map((axis) => shape[axis]),
      chosen.map((axis) => strides[axis]),
    );
  return { kept: along(otherAxes(shape.length, axes)), folded: along(axes) };
}

function infer(op: string, shape: Shape, { axes }: Attributes) {
  const reduced = checkAxes(op, axes, shape.length);
  return { shape: otherAxes(shape.length, reduced).map((axis) => shape[axis]), dtype: "f32" as const };
}

function sample(random: Sampler) {
  const shape = random.shape(random.integer(0, 4));
  const axes = otherAxes(shape.length, []).filter(() => random.pick([true, false]));
  return { inputs: [random.values(shape)], attributes: { axes } };
}

const sum: Op = {
  infer: ([x], a) => infer("sum", x.shape, a),
  reference([x], { data }, a) {
    const { kept, folded } = foldOffsets(x, a);
    for (let i = 0; i < kept.length; i++) {
      let total = 0;
      for (let k = 0; k < folded.length; k++) total += x.data[kept[i] + folded[k]];
      data[i] = total;
    }
  },
  sample,
};

/** NaN never wins. */
const reduceMax: Op = {
  infer: ([x], a) => infer("reduceMax", x.shape, a),
  reference([x], { data }, a) {
    const { kept, folded } = foldOffsets(x, a);
    for (let i = 0; i < kept.length; i++) {
      let largest = -Infinity;
      for (let k = 0; k < folded.length; k++) {
        const value = x.data[kept[i] + folded[k]];
        if (value > largest) largest = value;
      }
      data[i] = largest;
    }
  },
  sample,
};

/** Two passes: the variance is taken about the mean, so a large mean costs it no digits. */
const moments: Op = {
  infer([x], a) {
    const { shape, dtype } = infer("moments", x.shape, a);
    return { shape: [2, ...shape], dtype };
  },
  reference([x], { data }, a) {
    const { kept, folded } = foldOffsets(x, a);
    for (let i = 0; i < kept.length; i++) {
      let total = 0;
      for (let k = 0; k < folded.length; k++) total += x.data[kept[i] + folded[k]];
      const mean = total / folded.length;
      let squares = 0;
      for (let k = 0; k < folded.length; k++) squares += (x.data[kept[i] + folded[k]] - mean) ** 2;
      data[i] = mean;
      data[kept.length + i] = squares / folded.length;
    }
  },
  sample,
};

export const reductions = { sum, reduceMax, moments };
