/** What elementwise operations compute, as plain loops: of one input, of two, and of three. */

/** Half to even, as IEEE 754 rounds: 0.5 -> 0, 1.5 -> 2, 2.5 -> 2. */
export function round(x: number): number {
  const up = Math.round(x);
  return up - x === 0.5 && up % 2 !== 0 ? up - 1 : up;
}

const single = new Float32Array(1);
const bits = new Uint32Array(single.buffer);

/** The nearest bfloat16, half to even, of x as f32: its upper 16 bits. NaN stays NaN. */
function roundToBf16(x: number): number {
  single[0] = x;
  if (Number.isNaN(x)) return x;
  bits[0] += 0x7fff + ((bits[0] >>> 16) & 1);
  bits[0] &= 0xffff0000;
  return single[0];
}

/** Numbers of an array, as ops read and write them. The narrow arrays hold codes in the memory of a Program. */
export type Data = Float32Array | Float64Array | Int32Array | Int16Array | Uint8Array | Int8Array;

/** Fills all of `out` from arrays of its length; inputs that an operation does not take are not read. */
export type Loop = (out: Data, a: Data, b: Data, c: Data) => void;

/**
 * One loop per operation, which takes as many inputs as it names. `max` and `min` give their second input where either
 * is NaN, as the x86 instructions do.
 */
export const loops = {
  neg: (out, a) => {
    for (let i = 0; i < out.length; i++) out[i] = -a[i];
  },
  abs: (out, a) => {
    for (let i = 0; i < out.length; i++) out[i] = Math.abs(a[i]);
  },
  exp: (out, a) => {
    for (let i = 0; i < out.length; i++) out[i] = Math.exp(a[i]);
  },
  log: (out, a) => {
    for (let i = 0; i < out.length; i++) out[i] = Math.log(a[i]);
  },
  sqrt: (out, a) => {
    for (let i = 0; i < out.length; i++) out[i] = Math.sqrt(a[i]);
  },
  tanh: (out, a) => {
    for (let i = 0; i < out.length; i++) out[i] = Math.tanh(a[i]);
  },
  round: (out, a) => {
    for (let i = 0; i < out.length; i++) out[i] = round(a[i]);
  },
  bf16: (out, a) => {
    for (let i = 0; i < out.length; i++) out[i] = roundToBf16(a[i]);
  },
  add: (out, a, b) => {
    for (let i = 0; i < out.length; i++) out[i] = a[i] + b[i];
  },
  sub: (out, a, b) => {
    for (let i = 0; i < out.length; i++) out[i] = a[i] - b[i];
  },
  mul: (out, a, b) => {
    for (let i = 0; i < out.length; i++) out[i] = a[i] * b[i];
  },
  div: (out, a, b) => {
    for (let i = 0; i < out.length; i++) out[i] = a[i] / b[i];
  },
  min: (out, a, b) => {
    for (let i = 0; i < out.length; i++) out[i] = a[i] < b[i] ? a[i] : b[i];
  },
  max: (out, a, b) => {
    for (let i = 0; i < out.length; i++) out[i] = a[i] > b[i] ? a[i] : b[i];
  },
  lt: (out, a, b) => {
    for (let i = 0; i < out.length; i++) out[i] = a[i] < b[i] ? 1 : 0;
  },
  le: (out, a, b) => {
    for (let i = 0; i < out.length; i++) out[i] = a[i] <= b[i] ? 1 : 0;
  },
  eq: (out, a, b) => {
    for (let i = 0; i < out.length; i++) out[i] = a[i] === b[i] ? 1 : 0;
  },
  select: (out, a, b, c) => {
    for (let i = 0; i < out.length; i++) out[i] = a[i] !== 0 ? b[i] : c[i];
  },
} satisfies Record<string, Loop>;

/** The names of these operations. */
export type ElementwiseOp = keyof typeof loops;
