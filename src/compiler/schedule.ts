/** Orders units: each after what it reads, otherwise in the order in which the graph was recorded. */
import type { Grouping, Unit } from "./group.js";
import { dependencies } from "./group.js";

export function schedule({ units, producers }: Grouping): Unit[] {
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
  for (const unit of byRecording) if (!done.has(unit)) emit(unit);
  return [...done];
}
