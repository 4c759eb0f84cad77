/**
 * What the compiler knows about training: how to group and order gradients of weights and updates, so that a step keeps
 * few values for long. Without it, programs would be correct but need more memory.
 */
import type { Tensor } from "../graph/tensor.js";
import { sizeOf } from "../graph/tensor.js";
import { largeWeights } from "./costs.js";
import { ownerOf } from "./kinds.js";
import type { Producers, Unit } from "./units.js";
import { isSingle, reads } from "./units.js";

/** Values made from gradients of large weights. */
export function madeFromWeightGradients(order: readonly Tensor[]): Set<Tensor> {
  const found = new Set<Tensor>();
  for (const node of order) {
    const isGradient = node.op === "convolutionFilterGradient" && sizeOf(node.shape) > largeWeights;
    if (isGradient || node.inputs.some((input) => found.has(input))) found.add(node);
  }
  return found;
}

/** Large weights, as floats, that only the gradient of a layer's input reads. */
export function readByInputGradientsOnly(order: readonly Tensor[]): Set<Tensor> {
  const found = new Set<Tensor>();
  for (const { op, inputs } of order) {
    if (op === "convolutionInputGradient" && sizeOf(inputs[1].shape) > largeWeights) found.add(inputs[1]);
  }
  for (const { op, inputs } of order) {
    inputs.forEach((input, i) => (op !== "convolutionInputGradient" || i === 0) && found.delete(input));
  }
  return found;
}

/**
 * Moves gradients of weights, and all that is made from them, to where what they read is known and the
 * values they replace have been read: then neither is kept until the end, and both are still in the caches.
 */
export function updateEarly(
  units: readonly Unit[],
  producers: Producers,
  needed: ReadonlyMap<Unit, readonly Unit[]>,
  outputs: Readonly<Record<string, Tensor>>,
): readonly Unit[] {
  const early = new Set<Unit>();
  for (const unit of units) {
    const isGradient = isSingle(unit, "convolutionFilterGradient");
    if (isGradient || needed.get(unit)!.some((dependency) => early.has(dependency))) early.add(unit);
  }
  const replaces = new Map<Unit, string[]>();
  for (const [name, tensor] of Object.entries(outputs)) {
    const unit = producers.get(ownerOf(tensor).owner);
    if (unit !== undefined) replaces.set(unit, [...(replaces.get(unit) ?? []), name]);
  }
  // The gradient of a layer's input comes before that of its weights, since it frees the weights.
  const inputGradients = new Map<Tensor, number>();
  units.forEach((unit, i) => {
    if (isSingle(unit, "convolutionInputGradient")) {
      inputGradients.set(ownerOf(unit.node.inputs[0]).owner, i);
    }
  });
  const sibling = (unit: Unit): number =>
    isSingle(unit, "convolutionFilterGradient")
      ? (inputGradients.get(ownerOf(unit.node.inputs[1]).owner) ?? 0)
      : 0;
  /** The unit after which a unit, or the last reader of a leaf, stands. */
  const after = new Map<Unit, number>();
  const lastReader = new Map<string, number>();
  units.forEach((unit, i) => {
    const behind = needed.get(unit)!.map((dependency) => after.get(dependency)!);
    const readers = (replaces.get(unit) ?? []).map((name) => lastReader.get(name) ?? 0);
    const at = !early.has(unit) ? i : Math.max(sibling(unit), ...behind, ...readers);
    after.set(unit, at);
    for (const tensor of reads(unit, producers)) {
      const { name } = ownerOf(tensor).owner.attributes;
      if (name !== undefined) lastReader.set(name, Math.max(at, lastReader.get(name) ?? 0));
    }
  });
  return [...units].sort((a, b) => after.get(a)! - after.get(b)!); // stable
}
