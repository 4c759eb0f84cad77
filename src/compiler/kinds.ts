/** How the compiler sees the ops: which become register operations of a map, which reductions, which are only views. */
import type { OpName, Tensor } from "../graph/tensor.js";
import { sizeOf } from "../graph/tensor.js";
import type { MapOp, Reduction } from "../runtime/program.js";
import { mapOps } from "../runtime/instructions.js";

const elementwise: ReadonlySet<string> = new Set([...Object.keys(mapOps), "codes"]);

/** A register operation, or codes: the operation's result with a lattice. */
export function isElementwise(op: OpName): op is MapOp | "codes" {
  return elementwise.has(op);
}

export const reductionOf: Partial<Record<OpName, Reduction>> = {
  sum: "sum",
  reduceMax: "max",
  moments: "moments",
};

export function isReduction(op: OpName): boolean {
  return op in reductionOf;
}

/** Elementwise functions that cost more than reading their result from memory. */
export function isCostly(op: OpName): boolean {
  return isElementwise(op) && op !== "codes" && "isCostly" in mapOps[op];
}

export function isConstant(op: OpName): boolean {
  return op === "constant" || op === "iota";
}

/**
 * A view: a node whose values are a dense run of its input's memory. `start` counts elements.
 * Reshapes are views, and slices that cut only the first axis longer than 1.
 */
export function viewOf(tensor: Tensor): { source: Tensor; start: number } | undefined {
  const [source] = tensor.inputs;
  if (tensor.op === "reshape") return { source, start: 0 };
  if (tensor.op !== "slice") return undefined;
  const { low, high } = tensor.attributes;
  const first = source.shape.findIndex((extent) => extent > 1);
  const whole = source.shape.every((extent, i) => i <= first || (low![i] === 0 && high![i] === extent));
  if (!whole) return undefined;
  return { source, start: first < 0 ? 0 : low![first] * sizeOf(source.shape.slice(first + 1)) };
}

/** The node that owns a tensor's memory, and where in it the tensor starts (elements). */
export function ownerOf(tensor: Tensor): { owner: Tensor; start: number } {
  let owner = tensor;
  let start = 0;
  for (let view = viewOf(owner); view !== undefined; view = viewOf(owner)) {
    owner = view.source;
    start += view.start;
  }
  return { owner, start };
}
