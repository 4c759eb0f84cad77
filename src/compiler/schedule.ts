/** Orders units: each after what it reads, otherwise in the order in which the graph was recorded. */
import type { Tensor } from "../graph/tensor.js";
import type { Grouping, Producers, Unit } from "./group.js";
import { dependencies, reads } from "./group.js";
import { ownerOf } from "./kinds.js";

/** `outputs` are results by name; one named like a state leaf replaces it. */
export function schedule(
  { units, producers, late }: Grouping,
  outputs: Readonly<Record<string, Tensor>>,
): readonly Unit[] {
  const first = (unit: Unit): number =>
    unit.kind === "map" ? Math.min(...unit.roots.map((root) => root.id)) : unit.node.id;
  const byRecording = [...units].sort((a, b) => first(a) - first(b));

  const needed = new Map(units.map((unit) => [unit, [...dependencies(unit, producers)]]));
  const done = new Set<Unit>();
  const emit = (start: Unit): void => {
    const stack = [start];
    while (stack.length > 0) {
      const unit = stack[stack.length - 1];
      const waiting = needed.get(unit)!.filter((dependency) => !done.has(dependency));
      if (waiting.length === 0) done.add(stack.pop()!);
      else stack.push(...waiting);
    }
  };
  for (const unit of byRecording) if (!done.has(unit) && !late.has(unit)) emit(unit);
  return updateEarly([...done], producers, needed, outputs);
}

/**
 * Moves gradients of weights, and all that is made from them, to where what they read is known and the
 * values they replace have been read: then neither is kept until the end, and both are still in the caches.
 */
function updateEarly(
  units: readonly Unit[],
  producers: Producers,
  needed: ReadonlyMap<Unit, readonly Unit[]>,
  outputs: Readonly<Record<string, Tensor>>,
): readonly Unit[] {
  const early = new Set<Unit>();
  for (const unit of units) {
    const isGradient = unit.kind === "single" && unit.node.op === "convolutionFilterGradient";
    if (isGradient || needed.get(unit)!.some((dependency) => early.has(dependency))) early.add(unit);
  }
  const replaces = new Map<Unit, string[]>();
  for (const [name, tensor] of Object.entries(outputs)) {
    const unit = producers.get(ownerOf(tensor).owner);
    if (unit !== undefined) replaces.set(unit, [...(replaces.get(unit) ?? []), name]);
  }
  // Of one layer's two gradients the input's comes first: it lets its weights go.
  const inputGradients = new Map<Tensor, number>();
  units.forEach((unit, i) => {
    if (unit.kind === "single" && unit.node.op === "convolutionInputGradient") {
      inputGradients.set(ownerOf(unit.node.inputs[0]).owner, i);
    }
  });
  const sibling = (unit: Unit): number =>
    unit.kind === "single" && unit.node.op === "convolutionFilterGradient"
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
