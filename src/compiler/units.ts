/** Units: each becomes one instruction, or a few copies. A unit is a map of several values, or a single node. */
import type { Shape, Tensor } from "../graph/tensor.js";
import { ownerOf } from "./kinds.js";
import type { Space } from "./space.js";

/** Values that one map makes. */
export interface MapGroup {
  readonly kind: "map";
  readonly shape: Shape;
  readonly roots: Tensor[];
  /** Elementwise nodes to compute, inputs first. */
  readonly body: Set<Tensor>;
  /** Nodes read from memory: of the full shape, or broadcasts. */
  readonly operands: Set<Tensor>;
  space: Space;
}

/** A node that is an instruction by itself. */
export interface Single {
  readonly kind: "single";
  readonly node: Tensor;
}

export type Unit = MapGroup | Single;

/** The unit that writes a node's memory. */
export type Producers = ReadonlyMap<Tensor, Unit>;

/** The values whose memory a unit writes. */
export const resultsOf = (unit: Unit): readonly Tensor[] => (unit.kind === "map" ? unit.roots : [unit.node]);

/** The values in memory that a unit reads. */
export function reads(unit: Unit, producers: Producers): Tensor[] {
  return unit.kind === "map"
    ? [...unit.operands].map((operand) => sourceOf(operand, producers))
    : [...unit.node.inputs];
}

/** The units whose results a unit reads. */
export function dependencies(unit: Unit, producers: Producers): Set<Unit> {
  const found = new Set<Unit>();
  for (const tensor of reads(unit, producers)) {
    const from = producers.get(ownerOf(tensor).owner);
    if (from !== undefined) found.add(from);
  }
  return found;
}

/** A broadcast without a unit of its own is its input, read with fewer axes. */
export function sourceOf(operand: Tensor, producers: Producers): Tensor {
  return operand.op === "broadcast" && !producers.has(operand) ? operand.inputs[0] : operand;
}

/** Whether a unit is a certain op by itself. */
export const isSingle = <Op extends Tensor["op"]>(unit: Unit, op: Op): unit is Single =>
  unit.kind === "single" && unit.node.op === op;
