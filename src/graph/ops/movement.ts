/** Ops that rearrange values and compute nothing. */
import { UserError } from "../../errors.js";
import type { Op, View } from "../op.js";
import type { Lattice, Shape } from "../tensor.js";
import { sizeOf } from "../tensor.js";
import { checkAxes, checkShape, offsets, stridesOf, text } from "./shapes.js";

const reshape: Op = {
  infer([{ shape: from, dtype, lattice }], a) {
    const shape = checkShape("reshape", a.shape);
    if (sizeOf(shape) !== sizeOf(from)) {
      throw new UserError(
        `reshape: ${text(from)} holds ${sizeOf(from)} values, ${text(shape)} holds ${sizeOf(shape)}`,
      );
    }
    return { shape, dtype, lattice };
  },
  reference: ([x], { data }) => data.set(x.data),
  sample(random) {
    const shape = random.shape(random.integer(0, 4));
    return { inputs: [random.values(shape)], attributes: { shape: [1, sizeOf(shape)] } };
  },
};

const transpose: Op = {
  infer([{ shape, dtype, lattice }], { permutation = [] }) {
    const ascending = [...permutation].sort((a, b) => a - b);
    if (permutation.length !== shape.length || ascending.some((axis, i) => axis !== i)) {
      throw new UserError(
        `transpose: ${text(permutation)} must name each of the ${shape.length} axes of ${text(shape)} once`,
      );
    }
    return { shape: permutation.map((axis) => shape[axis]), dtype, lattice };
  },
  reference([x], { data, shape }, { permutation = [] }) {
    const strides = stridesOf(x.shape);
    const from = offsets(
      shape,
      permutation.map((axis) => strides[axis]),
    );
    for (let i = 0; i < data.length; i++) data[i] = x.data[from[i]];
  },
  sample(random) {
    const shape = random.shape(random.integer(0, 4));
    const permutation: number[] = [];
    for (let axis = 0; axis < shape.length; axis++) permutation.splice(random.integer(0, axis), 0, axis);
    return { inputs: [random.values(shape)], attributes: { permutation } };
  },
};

/** Input axis i is output axis axes[i]; the value repeats along the others. */
const broadcast: Op = {
  infer([x], a) {
    const shape = checkShape("broadcast", a.shape);
    const axes = checkAxes("broadcast", a.axes, shape.length);
    if (axes.length !== x.shape.length || axes.some((axis, i) => shape[axis] !== x.shape[i])) {
      throw new UserError(
        `broadcast: axes ${text(axes)} of ${text(shape)} must be the shape ${text(x.shape)}`,
      );
    }
    return { shape, dtype: x.dtype, lattice: x.lattice };
  },
  reference([x], { data, shape }, { axes = [] }) {
    const own = stridesOf(x.shape);
    const strides = shape.map((_, axis) => own[axes.indexOf(axis)] ?? 0);
    const from = offsets(shape, strides);
    for (let i = 0; i < data.length; i++) data[i] = x.data[from[i]];
  },
  sample(random) {
    const shape = random.shape(random.integer(0, 4));
    const axes = shape.map((_, axis) => axis).filter(() => random.pick([true, false]));
    return { inputs: [random.values(axes.map((axis) => shape[axis]))], attributes: { shape, axes } };
  },
};

const withZero = (lattice: Lattice | undefined): Lattice | undefined =>
  lattice && lattice.lo <= 0 && lattice.hi >= 0 && lattice.lo % lattice.step === 0 ? lattice : undefined;

const pad: Op = {
  infer([{ shape, dtype, lattice }], { low = [], high = [] }) {
    const counts = [...low, ...high];
    const valid = counts.every((count) => Number.isInteger(count) && count >= 0);
    if (low.length !== shape.length || high.length !== shape.length || !valid) {
      throw new UserError(
        `pad: low ${text(low)} and high ${text(high)} must give each axis of ${text(shape)} a whole number from 0`,
      );
    }
    return {
      shape: shape.map((extent, axis) => low[axis] + extent + high[axis]),
      dtype,
      lattice: withZero(lattice),
    };
  },
  reference([x], { data, shape }, { low = [] }) {
    const strides = stridesOf(shape);
    const to = offsets(x.shape, strides);
    const start = low.reduce((offset, count, axis) => offset + count * strides[axis], 0);
    data.fill(0);
    for (let i = 0; i < to.length; i++) data[start + to[i]] = x.data[i];
  },
  sample(random) {
    const shape = random.shape(random.integer(1, 4));
    const counts = () => shape.map(() => random.integer(0, 2));
    return { inputs: [random.values(shape)], attributes: { low: counts(), high: counts() } };
  },
};

const slice: Op = {
  infer([{ shape, dtype, lattice }], { low = [], high = [] }) {
    const valid = shape.every(
      (extent, axis) =>
        Number.isInteger(low[axis]) &&
        Number.isInteger(high[axis]) &&
        0 <= low[axis] &&
        low[axis] < high[axis] &&
        high[axis] <= extent,
    );
    if (low.length !== shape.length || high.length !== shape.length || !valid) {
      throw new UserError(
        `slice: from ${text(low)} to ${text(high)} does not lie in the shape ${text(shape)}`,
      );
    }
    return { shape: shape.map((_, axis) => high[axis] - low[axis]), dtype, lattice };
  },
  reference([x], { data, shape }, { low = [] }) {
    const strides = stridesOf(x.shape);
    const from = offsets(shape, strides);
    const start = low.reduce((offset, index, axis) => offset + index * strides[axis], 0);
    for (let i = 0; i < data.length; i++) data[i] = x.data[start + from[i]];
  },
  sample(random) {
    const shape = random.shape(random.integer(1, 4));
    const low = shape.map((extent) => random.integer(0, extent - 1));
    const high = shape.map((extent, axis) => random.integer(low[axis] + 1, extent));
    return { inputs: [random.values(shape)], attributes: { low, high } };
  },
};

/** Where each input of a concatenation begins along its axis. */
export function starts(shapes: readonly Shape[], axis: number): number[] {
  let end = 0;
  return shapes.map((shape) => {
    const start = end;
    end += shape[axis];
    return start;
  });
}

const concatenate: Op = {
  infer(inputs, { axis = -1 }) {
    const [first] = inputs;
    const isLike = (shape: Shape) =>
      shape.length === first.shape.length &&
      shape.every((extent, i) => i === axis || extent === first.shape[i]);
    const differs = inputs.find(({ shape, dtype }) => !isLike(shape) || dtype !== first.dtype);
    if (!Number.isInteger(axis) || axis < 0 || axis >= first.shape.length || differs !== undefined) {
      const shapes = inputs.map(({ shape, dtype }) => `${dtype} ${text(shape)}`).join(" and ");
      throw new UserError(
        `concatenate: ${shapes} must have one type and the same extents along each axis but axis ${axis}`,
      );
    }
    const extent = inputs.reduce((sum, { shape }) => sum + shape[axis], 0);
    return { shape: first.shape.map((own, i) => (i === axis ? extent : own)), dtype: first.dtype };
  },
  reference(inputs, { data, shape }, { axis = -1 }) {
    const strides = stridesOf(shape);
    const begins = starts(
      inputs.map((input) => input.shape),
      axis,
    );
    inputs.forEach((input, n) => {
      const to = offsets(input.shape, strides);
      for (let i = 0; i < to.length; i++) data[begins[n] * strides[axis] + to[i]] = input.data[i];
    });
  },
  sample(random) {
    const shape = random.shape(random.integer(1, 4));
    const axis = random.integer(0, shape.length - 1);
    const inputs = Array.from({ length: random.integer(1, 3) }, (): View => {
      const extent = random.integer(1, 4);
      return random.values(shape.map((own, i) => (i === axis ? extent : own)));
    });
    return { inputs, attributes: { axis } };
  },
};

export const movement = { reshape, transpose, broadcast, pad, slice, concatenate };
