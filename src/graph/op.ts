/** What an entry of the op table holds. */
import type { Data } from "./ops/loops.js";
import type { Attributes, DType, Lattice, Shape, Tensor } from "./tensor.js";

export type { Data } from "./ops/loops.js";

/** A dense, row-major array. */
export interface View {
  readonly data: Data;
  readonly shape: Shape;
}

/** Inputs and attributes of one node, for property tests. */
export interface Case {
  readonly inputs: readonly View[];
  readonly attributes: Attributes;
}

/** The source of random cases (`sampler.ts`). */
export interface Sampler {
  /**
   * True: values keep a distance of at least 0.01 from every point where an op has no derivative
   * (ties, zeros, half-integers). False: such points are common.
   */
  readonly smooth: boolean;
  /** A whole number from `low` to `high`, both included. */
  integer(low: number, high: number): number;
  pick<T>(options: readonly T[]): T;
  /** A small shape of the given rank; its last extent is a channel count. */
  shape(rank: number): Shape;
  /** Values in [low, high), each an f32 number. */
  uniform(shape: Shape, low: number, high: number): View;
  /** Values to feed any op, mostly within [-4, 4]; all distinct and none near a half-integer where smooth. */
  values(shape: Shape): View;
}

export interface Inferred {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly lattice?: Lattice;
}

/** An op's meaning; its gradient is in `rules.ts`. */
export interface Op {
  /** The output's type. Throws a UserError where the op does not take these inputs. */
  infer(inputs: readonly Tensor[], a: Attributes): Inferred;
  /** Plain loops that fill `output`; sums are in double and rounded once, when stored. */
  reference(inputs: readonly View[], output: View, a: Attributes): void;
  /** A random case; absent where inputs or attributes carry more than arrays (leaves, codes, gradient rules). */
  sample?(random: Sampler): Case;
}
