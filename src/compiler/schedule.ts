/** Orders units: each after what it reads, otherwise in the order in which the graph was recorded. */
import type { Tensor } from "../graph/tensor.js";
import type { Grouping } from "./group.js";
import { updateEarly } from "./policies.js";
import type { Unit } from "./units.js";
import { dependencies } from "./units.js";

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
