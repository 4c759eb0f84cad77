/** Who uses what: computed once for the graph, and once for the units in the order of execution. */
import type { Tensor } from "../graph/tensor.js";
import { ownerOf } from "./kinds.js";
import type { Producers, Unit } from "./units.js";
import { reads } from "./units.js";

/** The nodes that have a node among their inputs, in order. */
export type Users = ReadonlyMap<Tensor, readonly Tensor[]>;

export function usersOf(order: readonly Tensor[]): Users {
  const users = new Map<Tensor, Tensor[]>(order.map((tensor) => [tensor, []]));
  for (const tensor of order) for (const input of new Set(tensor.inputs)) users.get(input)!.push(tensor);
  return users;
}

/** The units that read the memory of a node, in the order of execution; a node that is missing has none. */
export type Readers = ReadonlyMap<Tensor, readonly Unit[]>;

export function readersOf(units: readonly Unit[], producers: Producers): Readers {
  const readers = new Map<Tensor, Unit[]>();
  for (const unit of units) {
    const owners = new Set(reads(unit, producers).map((tensor) => ownerOf(tensor).owner));
    for (const owner of owners) {
      const known = readers.get(owner);
      if (known === undefined) readers.set(owner, [unit]);
      else known.push(unit);
    }
  }
  return readers;
}
