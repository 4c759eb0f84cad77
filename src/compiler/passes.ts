/** The compiler's passes in their order, from a graph of named results to a Program. */
import { topologicalOrder } from "../graph/order.js";
import type { Tensor } from "../graph/tensor.js";
import { sizeOf } from "../graph/tensor.js";
import type { Instruction, Program, Segment, Storage } from "../runtime/program.js";
import { storageBytes } from "../runtime/program.js";
import type { Target } from "../runtime/target.js";
import type { Grouping } from "./group.js";
import { groupMaps } from "./group.js";
import { legalise } from "./legalise.js";
import { lower } from "./lower.js";
import { chooseMaterialised } from "./materialise.js";
import { alignUp } from "./memory.js";
import type { Placement, Places } from "./place.js";
import { place } from "./place.js";
import { schedule } from "./schedule.js";
import { simplify } from "./simplify.js";
import { chooseStorage } from "./storage.js";
import { unfuse } from "./unfuse.js";
import type { Unit } from "./units.js";
import type { Readers } from "./uses.js";
import { readersOf, usersOf } from "./uses.js";

/** The input of the passes, and the findings of each: a pass reads the fields of those before it. */
export interface Compilation {
  readonly target: Target;
  /** Where each leaf is and where each result goes, by name. */
  readonly places: Places;
  /** The results by name, rewritten by the passes on graphs. One named like a state leaf replaces that leaf's value. */
  outputs: Readonly<Record<string, Tensor>>;
  /** The nodes of the final graph, inputs first. */
  order: readonly Tensor[];
  materialised: ReadonlySet<Tensor>;
  grouping: Grouping;
  /** In the order of execution. */
  units: readonly Unit[];
  readers: Readers;
  storages: ReadonlyMap<Tensor, Storage>;
  placement: Placement;
  instructions: readonly Instruction[];
}

/** A step of the compiler, a pure function of the findings before it. */
export interface Pass {
  readonly name: string;
  run(before: Compilation): Partial<Compilation>;
}

export const passes: readonly Pass[] = [
  { name: "unfuse", run: ({ outputs, target }) => ({ outputs: unfuse(outputs, target) }) },
  { name: "simplify", run: ({ outputs, target }) => ({ outputs: simplify(outputs, target) }) },
  { name: "legalise", run: ({ outputs }) => ({ outputs: legalise(outputs) }) },
  { name: "order", run: ({ outputs }) => ({ order: topologicalOrder(Object.values(outputs)) }) },
  {
    name: "materialise",
    run: ({ order, outputs }) => ({
      materialised: chooseMaterialised(order, Object.values(outputs), usersOf(order)),
    }),
  },
  {
    name: "group",
    run: ({ order, materialised, outputs }) => ({
      grouping: groupMaps(order, materialised, Object.values(outputs)),
    }),
  },
  {
    name: "schedule",
    run({ grouping, outputs }) {
      const units = schedule(grouping, outputs);
      return { units, readers: readersOf(units, grouping.producers) };
    },
  },
  {
    name: "store",
    run: ({ units, readers, outputs, target }) => ({
      storages: chooseStorage(units, readers, Object.values(outputs), target),
    }),
  },
  {
    name: "place",
    run: ({ grouping: { producers }, ...found }) => ({ placement: place({ ...found, producers }) }),
  },
  {
    name: "lower",
    run: ({ units, grouping: { producers }, placement }) => ({
      instructions: lower(units, producers, placement),
    }),
  },
];

/** Compiles a graph to a Program for a target. */
export function compileGraph(
  outputs: Readonly<Record<string, Tensor>>,
  places: Places,
  target: Target,
): Program {
  const found = passes.reduce<Partial<Compilation>>(
    (before, pass) => ({ ...before, ...pass.run(before as Compilation) }),
    { outputs, places, target },
  );
  const { instructions, placement } = found as Compilation;
  const bytes: Record<Segment, number> = { constants: 0, state: 0, inputs: 0, outputs: 0, scratch: 0 };
  for (const { segment, offset, storage, shape } of Object.values(places)) {
    const end = alignUp(offset + sizeOf(shape) * storageBytes[storage], target);
    bytes[segment] = Math.max(bytes[segment], end);
  }
  const { constants, scratchBytes } = placement;
  bytes.scratch = scratchBytes;
  bytes.constants = constants.byteLength;
  return { bytes, instructions, names: places, constants };
}
