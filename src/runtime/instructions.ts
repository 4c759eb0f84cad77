/**
 * The instructions of a Program as data: the operands and results of each operation, from which emitting, verifying,
 * encoding, explaining and executing follow. The order of a table is that of the numbers in an encoded Program; the
 * enumerations of the kernels are compared with it by `instructions.test.ts`.
 */

/**
 * How values lie in memory. The narrow integers hold codes: whole numbers within their range. bf16 is the upper half of an
 * f32, for values that it holds exactly.
 */
export const storages = ["f32", "i32", "i16", "u8", "s8", "bf16"] as const;
/** How the elements of a value are stored. */
export type Storage = (typeof storages)[number];
/**
 * Which axes of a map's space [sample, position, channel] a value has: a sum of 4 (sample),
 * 2 (position) and 1 (channel). 7 is the full space, 1 a value per channel, 6 a value per pixel,
 * 4 a value per sample, 0 a scalar. A value lacks an axis: it is repeated along it.
 */
export type Axes = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;

/** A convolution's or window's sizes: NHWC in, NHWC out; `padding` zeros on both sides of height and width. */
export interface Geometry {
  readonly images: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly outHeight: number;
  readonly outWidth: number;
  /** Equal to `channels` for a window. */
  readonly outChannels: number;
}

/** An operation of a map. */
interface MapOpEntry {
  /** How many values it takes. */
  readonly arity: 1 | 2 | 3;
  /** Whether it costs more than reading its result from memory. */
  readonly isCostly?: true;
}

export const mapOps = {
  neg: { arity: 1 },
  abs: { arity: 1 },
  exp: { arity: 1, isCostly: true },
  log: { arity: 1, isCostly: true },
  sqrt: { arity: 1 },
  tanh: { arity: 1, isCostly: true },
  round: { arity: 1 },
  bf16: { arity: 1 },
  add: { arity: 2 },
  sub: { arity: 2 },
  mul: { arity: 2 },
  div: { arity: 2 },
  min: { arity: 2 },
  max: { arity: 2 },
  lt: { arity: 2 },
  le: { arity: 2 },
  eq: { arity: 2 },
  select: { arity: 3 },
} as const satisfies Readonly<Record<string, MapOpEntry>>;

/** How a map's result is made of the values of its space. */
export interface ReductionEntry {
  /** The axes that a result may have. */
  readonly axes: readonly Axes[];
  readonly storages: readonly Storage[];
  /** The number of values that it writes where other reductions write one. */
  readonly rows: 1 | 2;
}

const axesOfReductions = [0, 1, 4, 5] as const;
export const reductions = {
  none: { axes: [7], storages: ["f32", "i16", "u8", "s8", "bf16"], rows: 1 },
  sum: { axes: [...axesOfReductions, 6], storages: ["f32"], rows: 1 },
  max: { axes: [...axesOfReductions, 6], storages: ["f32"], rows: 1 },
  moments: { axes: axesOfReductions, storages: ["f32"], rows: 2 },
} as const satisfies Readonly<Record<string, ReductionEntry>>;

/** The values of a convolution, or of a window, that an operation works on: input x, weights w (v of a depthwise convolution), output y, or their gradients. */
type Role = "x" | "w" | "v" | "y";

/** An operation on the values of a convolution or of a window. */
interface GeometricEntry {
  readonly operands: readonly Role[];
  readonly result: Role;
}

/** A product, with the storages of its two operands and its result that kernels take. */
export interface ProductEntry extends GeometricEntry {
  readonly storages: readonly string[];
}

export const productOps = {
  convolution: {
    operands: ["x", "w"],
    result: "y",
    storages: ["f32,f32,f32", "u8,s8,i16", "u8,s8,i32", "s8,s8,i16", "s8,s8,i32"],
  },
  convolutionInputGradient: {
    operands: ["y", "w"],
    result: "x",
    storages: ["f32,f32,f32", "bf16,f32,f32"],
  },
  convolutionFilterGradient: {
    operands: ["x", "y"],
    result: "w",
    storages: ["f32", "u8", "s8"].flatMap((x) => [`${x},f32,f32`, `${x},bf16,f32`]),
  },
} as const satisfies Readonly<Record<string, ProductEntry>>;

export const windowOps = {
  windowSum: { operands: ["x"], result: "y" },
  windowMax: { operands: ["x"], result: "y" },
  windowSumGradient: { operands: ["y"], result: "x" },
  windowMaxGradient: { operands: ["x", "y"], result: "x" },
  depthwise: { operands: ["x", "v"], result: "y" },
  depthwiseInputGradient: { operands: ["y", "v"], result: "x" },
  depthwiseFilterGradient: { operands: ["x", "y"], result: "v" },
} as const satisfies Readonly<Record<string, GeometricEntry>>;

export const moveOps = ["copy", "random"] as const;
export const kinds = ["map", "product", "window", "move"] as const;

/** The shapes of the values of a convolution or a window. */
export function shapesOf(g: Geometry): Readonly<Record<Role, readonly number[]>> {
  return {
    x: [g.images, g.height, g.width, g.channels],
    w: [...g.kernel, g.channels, g.outChannels],
    v: [...g.kernel, g.channels],
    y: [g.images, g.outHeight, g.outWidth, g.outChannels],
  };
}

/** What `shapesOf` gives, of an operation whose operands and result have these shapes. */
export function shapesByRole(
  { operands, result }: GeometricEntry,
  inputs: readonly (readonly number[])[],
  output: readonly number[],
): Readonly<Partial<Record<Role, readonly number[]>>> {
  return Object.fromEntries([...operands.map((role, i) => [role, inputs[i]]), [result, output]]) as Partial<
    Record<Role, readonly number[]>
  >;
}

/** Whether a value has an axis of a map's space: 0 sample, 1 position, 2 channel. */
export const hasAxis = (axes: number, axis: number): boolean => (axes & (4 >> axis)) !== 0;

/** The extents of a space along the axes that a value has. */
export const extentsWith = (space: readonly number[], axes: number): number[] =>
  space.filter((_, axis) => hasAxis(axes, axis));
