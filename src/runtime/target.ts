/** What the compiler may assume of the executor that is to run a Program. */
import type { Storage } from "./program.js";

/**
 * Forms that do several operations of a graph in one pass: `moments` is mean and variance. What a target lacks is
 * compiled to the operations themselves, whose last bits may differ.
 */
export type FusedForm = "moments";

/** What a Program for an executor may contain, and how it is run. */
export interface Target {
  /** How values may be stored; f32 and i32 are always among them. */
  readonly storages: readonly Storage[];
  /** Bytes of which each value's offset in its segment is a multiple, but for single constants. */
  readonly alignment: number;
  /** Whether products of gradients that are kept as bf16 are faster than those of f32. */
  readonly bf16Products: boolean;
  /** Bytes, a multiple of the alignment, at whose multiples no value may lie on both sides. Default: there is no such limit. */
  readonly pageBytes?: number;
  /** The fused forms that the executor runs. */
  readonly fused: readonly FusedForm[];
  /** The number of runs under way before a caller waits for the oldest: more than 1 where results come late. */
  readonly stepsUnderWay: number;
}

/** The target of executors on this machine's own memory; the alignment is that of a vector register and of a cache line. */
export const hostTarget: Target = {
  storages: ["f32", "i32", "i16", "u8", "s8", "bf16"],
  alignment: 64,
  bf16Products: false,
  fused: ["moments"],
  stepsUnderWay: 1,
};
