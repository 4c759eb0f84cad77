/**
 * Products of gradients that are rounded to bf16.
 *
 * A layer's gradient that is rounded (the op `bf16`) is kept in 16 bits where a product multiplies it by codes: bf16
 * has 8 significant bits, so codes are exact in it and the products are those of f32. Other readers of the gradient get
 * floats from the map that rounds it (`asFloats`).
 */
import type { Tensor } from "../graph/tensor.js";
import type { Unit } from "./units.js";
import { ownerOf } from "./kinds.js";

/** Whether a gradient, or what it is a view of, is rounded to bf16. */
export const isRounded = (gradient: Tensor): boolean => ownerOf(gradient).owner.op === "bf16";

/** Whether a value is codes within ±256: whole numbers of at most 8 significant bits. */
export function isExactInBf16(value: Tensor): boolean {
  const { owner } = ownerOf(value);
  if (owner.op !== "codes") return false;
  const { lo, hi } = owner.lattice!;
  return lo >= -256 && hi <= 256;
}

/** The rounded gradient that a unit can read as bf16: that of a product with codes, as `simplify` leaves no other. */
export function bf16OperandOf(unit: Unit): Tensor | undefined {
  if (unit.kind === "map") return undefined;
  const { op, inputs } = unit.node;
  const [gradient] =
    op === "convolutionInputGradient" ? inputs : op === "convolutionFilterGradient" ? [inputs[1]] : [];
  return gradient !== undefined && isRounded(gradient) ? ownerOf(gradient).owner : undefined;
}
