/** Ops that start a graph: values from outside, constants, counters and random numbers. */
import { shown, UserError } from "../../errors.js";
import { uniforms } from "../../random/philox.js";
import type { Op } from "../op.js";
import { sizeOf } from "../tensor.js";
import { checkShape, stridesOf, text } from "./shapes.js";

const leaf: Op = {
  infer: (_, { name, shape, dtype = "f32" }) => ({ shape: checkShape(`leaf "${name}"`, shape), dtype }),
  reference(_, __, { name }) {
    throw new UserError(`leaf "${name}" has no value; bind one`);
  },
};

const constant: Op = {
  infer(_, { value, data, shape = [] }) {
    if (data === undefined) {
      if (typeof value !== "number") {
        throw new UserError(`constant: give a number or an array, got ${shown(value)}`);
      }
      const lattice = Number.isSafeInteger(value) ? ({ lo: value, hi: value, step: 1 } as const) : undefined;
      return { shape: [], dtype: "f32", lattice };
    }
    if (!(data instanceof Float32Array || data instanceof Int32Array)) {
      throw new UserError(`constant: the array must be a Float32Array or an Int32Array, got ${shown(data)}`);
    }
    if (sizeOf(checkShape("constant", shape)) !== data.length) {
      throw new UserError(
        `constant: the shape ${text(shape)} holds ${sizeOf(shape)} values, the array has ${data.length}`,
      );
    }
    return { shape, dtype: data instanceof Int32Array ? "i32" : "f32" };
  },
  reference: (_, { data }, a) => (a.data ? data.set(a.data) : data.fill(a.value!)),
  sample: (random) => ({
    inputs: [],
    attributes: random.pick([
      { value: 1.5 },
      { data: Float32Array.of(0.1, 2, -3), shape: [3, 1] },
      { data: Int32Array.of(1, -2), shape: [2] },
    ]),
  }),
};

const iota: Op = {
  infer(_, { shape, axis = 0 }) {
    checkShape("iota", shape);
    if (shape![axis] === undefined) {
      throw new UserError(`iota: axis ${axis} must lie between 0 and ${shape!.length - 1}`);
    }
    return { shape: shape!, dtype: "i32" };
  },
  reference(_, { data, shape }, { axis = 0 }) {
    const stride = stridesOf(shape)[axis];
    for (let i = 0; i < data.length; i++) data[i] = Math.floor(i / stride) % shape[axis];
  },
  sample(random) {
    const shape = random.shape(random.integer(1, 4));
    return { inputs: [], attributes: { shape, axis: random.integer(0, shape.length - 1) } };
  },
};

/** Philox's counter of 32 bits gives four numbers at a time; the stream is another of its words. */
export const mostRandom = 2 ** 34;
export const mostStream = 2 ** 32 - 1;

/** inputs[0]: the key, i32 [2]. */
const random: Op = {
  infer([key], { shape, stream = 0 }) {
    if (key.dtype !== "i32" || text(key.shape) !== "[2]") {
      throw new UserError(`random: the key must be i32 [2], got ${key.dtype} ${text(key.shape)}`);
    }
    if (!Number.isInteger(stream) || stream < 0 || stream > mostStream) {
      throw new UserError(`random: stream must be an integer from 0 to ${mostStream}, got ${shown(stream)}`);
    }
    const checked = checkShape("random", shape);
    if (sizeOf(checked) > mostRandom) {
      throw new UserError(
        `random: the shape ${text(checked)} has more than 2^34 numbers, all that a stream has`,
      );
    }
    return { shape: checked, dtype: "f32" };
  },
  reference([key], { data }, { stream = 0 }) {
    data.set(uniforms([key.data[0], key.data[1]], stream, data.length));
  },
  sample: (random) => ({
    inputs: [{ data: Int32Array.of(random.integer(-5, 5), random.integer(0, 9)), shape: [2] }],
    attributes: { shape: random.shape(random.integer(0, 3)), stream: random.integer(0, 3) },
  }),
};

export const leaves = { leaf, constant, iota, random };
