/**
 * A Program: a flat list of instructions over five memory segments, plain data.
 *
 * The compiler emits it, `verify.ts` proves its accesses, executors run it. Offsets are in bytes
 * from the start of a segment and multiples of 4; every value is dense and row-major.
 */
import { shown, UserError } from "../errors.js";
import { isObject } from "../errors/options.js";
import type { Lattice } from "../graph/tensor.js";
import type { Axes, Geometry, mapOps, productOps, reductions, Storage, windowOps } from "./instructions.js";

export type { Axes, Geometry, Storage } from "./instructions.js";
export { storages } from "./instructions.js";

/**
 * constants: fixed when compiled. state: parameters and optimizer; its layout does not depend on
 * batch size. inputs, outputs: of one run. scratch: intermediate values.
 */
export type Segment = "constants" | "state" | "inputs" | "outputs" | "scratch";
/** The five segments of memory, in the order of their numbers in an encoded Program. */
export const segments: readonly Segment[] = ["constants", "state", "inputs", "outputs", "scratch"];

/** The bytes that an element takes, by how it is stored. */
export const storageBytes: Readonly<Record<Storage, number>> = {
  f32: 4,
  i32: 4,
  i16: 2,
  u8: 1,
  s8: 1,
  bf16: 2,
};

/** An array in a segment: its first byte, how its elements are stored, and its shape. */
export interface Operand {
  readonly segment: Segment;
  readonly offset: number;
  readonly storage: Storage;
  readonly shape: readonly number[];
}

/** A value that a map reads. */
export interface MapOperand extends Operand {
  readonly axes: Axes;
}

/** The name of an operation of a map. */
export type MapOp = keyof typeof mapOps;

/** One register operation. `arguments` are slots: operands first, then the results of earlier operations. */
export interface MapOperation {
  readonly op: MapOp;
  readonly arguments: readonly number[];
}

/**
 * `none` stores a value of axes 7, as f32 or, where it is codes or rounded to bf16, narrower. Reductions write f32 and run over the axes that the result lacks: `sum`,
 * `max`, and `moments`, which writes the mean and then the biased variance (twice the elements).
 * A reduced result has axes 0, 1, 4, 5 or, for sum and max, 6.
 */
export type Reduction = keyof typeof reductions;

/** A value that a map writes: the slot that holds it, stored or reduced. */
export interface MapResult extends MapOperand {
  readonly slot: number;
  readonly reduction: Reduction;
  /** Which codes it is said to hold, where it is stored as bytes; the reference executor checks it. */
  readonly lattice?: Lattice;
}

/** Elementwise work and reductions over one space, fused: operands in, registers, results out. */
export interface MapInstruction {
  readonly kind: "map";
  readonly space: readonly [samples: number, positions: number, channels: number];
  readonly operands: readonly MapOperand[];
  readonly body: readonly MapOperation[];
  readonly results: readonly MapResult[];
}

/**
 * convolution: inputs x, w (HWIO); out y. convolutionInputGradient: inputs g (as y), w; out as x.
 * convolutionFilterGradient: inputs x, g; out as w. A matrix product is a 1x1 convolution of
 * `images` one-pixel images.
 *
 * All operands are f32, or: a convolution of codes x (u8 or s8) and w (s8), whose out is their exact
 * sum (i16 or i32); and a filter gradient whose x is codes. The g of either gradient may be bf16, where the executor
 * multiplies that: then the other operand is exact in bf16, and sums are f32 (`multipliesBf16`).
 */
export interface ProductInstruction {
  readonly kind: "product";
  readonly op: keyof typeof productOps;
  readonly geometry: Geometry;
  readonly inputs: readonly [Operand, Operand];
  readonly out: Operand;
}

/**
 * windowSum, windowMax: input x. windowSumGradient: input g. windowMaxGradient: inputs x, g; the
 * gradient goes to the first maximum of a window in row order. Padding never wins a maximum.
 * depthwise: inputs x, w [rows, columns, C]. depthwiseInputGradient: inputs g, w. depthwiseFilterGradient: inputs x, g; out as w.
 */
export interface WindowInstruction {
  readonly kind: "window";
  readonly op: keyof typeof windowOps;
  readonly geometry: Geometry;
  readonly inputs: readonly Operand[];
  readonly out: Operand;
}

/**
 * copy: element (i, j, ...) of `extents` goes from fromStrides·(i, j, ...) to toStrides·(i, j, ...),
 * counted in elements from the operands' offsets; a stride of 0 repeats. At most 8 extents.
 */
export interface CopyInstruction {
  readonly kind: "move";
  readonly op: "copy";
  readonly extents: readonly number[];
  readonly from: Operand;
  readonly fromStrides: readonly number[];
  readonly to: Operand;
  readonly toStrides: readonly number[];
}

/** Uniform numbers in [0, 1): word `i % 4` of Philox4x32-10 at counter (i / 4, stream, 0, 0), key `from` (i32[2]), its upper 24 bits. */
export interface RandomInstruction {
  readonly kind: "move";
  readonly op: "random";
  readonly stream: number;
  readonly from: Operand;
  readonly to: Operand;
}

/** An instruction that fills memory without computing: with copies, or with random numbers. */
export type MoveInstruction = CopyInstruction | RandomInstruction;
/** An instruction of a Program, of one of four kinds. */
export type Instruction = MapInstruction | ProductInstruction | WindowInstruction | MoveInstruction;

/** Whether a Program has products of bf16, which not every executor runs. */
export const multipliesBf16 = ({ instructions }: Program): boolean =>
  instructions.some(
    (instruction) =>
      instruction.kind === "product" && instruction.inputs.some(({ storage }) => storage === "bf16"),
  );

/** A compiled function: instructions over five memory segments, and where its named values lie in them. */
export interface Program {
  /** Size of each segment. */
  readonly bytes: Readonly<Record<Segment, number>>;
  readonly instructions: readonly Instruction[];
  /** Where a named value lives: `state/...`, `inputs/...`, `outputs/...`. */
  readonly names: Readonly<Record<string, Operand>>;
  /** What the constants segment holds. */
  readonly constants: Uint8Array;
}

/**
 * Checks that a value has the parts of a Program; `verify` proves the rest.
 *
 * @throws UserError
 */
export function checkProgram(program: unknown): asserts program is Program {
  if (isObject(program) && Array.isArray(program.instructions) && isObject(program.bytes)) return;
  throw new UserError(`a Program is needed, such as step.program(state, batch), got ${shown(program)}`);
}
