/**
 * Decides where each value lives: directly in its output or in the state it replaces where that is
 * safe, in constants, else in scratch.
 */
import { node } from "../graph/node.js";
import type { Tensor } from "../graph/tensor.js";
import { sizeOf } from "../graph/tensor.js";
import type { Operand, Storage } from "../runtime/program.js";
import { storageBytes } from "../runtime/program.js";
import { ConstantPool } from "./constants.js";
import { maskOf } from "./group.js";
import { wholeMask } from "./space.js";
import { isConstant, ownerOf } from "./kinds.js";
import type { Lifetime, MemoryRules } from "./memory.js";
import { planMemory } from "./memory.js";
import type { Producers, Unit } from "./units.js";
import { isSingle, reads, resultsOf, sourceOf } from "./units.js";
import type { Readers } from "./uses.js";

/** Where leaves are given and where results go, by name. */
export type Places = Readonly<Record<string, Operand>>;

export interface Placement {
  /** The memory of any node that has some. */
  operandOf(tensor: Tensor): Operand;
  /** Results to copy to their place after everything else, in order. */
  readonly copies: readonly { from: Operand; to: Operand }[];
  readonly scratchBytes: number;
  /** A zero in memory, where a unit pads with it. */
  readonly zero: Operand | undefined;
  readonly constants: Uint8Array;
}

/** What is being placed. */
export interface Setting {
  /** In the order of execution. */
  readonly units: readonly Unit[];
  readonly producers: Producers;
  readonly readers: Readers;
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly places: Places;
  /** The storage of values that are not kept as their element type. */
  readonly storages: ReadonlyMap<Tensor, Storage>;
  readonly target: MemoryRules;
}

export function place(setting: Setting): Placement {
  const { units, producers, readers, outputs, places, storages, target } = setting;
  const storageOf = (node: Tensor): Storage => storages.get(node) ?? node.dtype;
  const byteSize = (node: Tensor): number => sizeOf(node.shape) * storageBytes[storageOf(node)];
  const position = new Map(units.map((unit, i) => [unit, i]));
  const lastRead = new Map([...readers].map(([owner, all]) => [owner, position.get(all.at(-1)!)!]));
  const mayWrite = writing(setting, position, lastRead);

  const direct = new Map<Tensor, Operand>();
  const pending: { from: Tensor; to: Operand; name: string }[] = [];
  for (const [name, tensor] of Object.entries(outputs)) {
    const to = places[name];
    const { owner } = ownerOf(tensor);
    const unit = producers.get(owner);
    const whole = sizeOf(owner.shape) === sizeOf(tensor.shape);
    if (owner.op === "leaf" && owner.attributes.name === name && whole) continue; // state that does not change
    if (unit !== undefined && whole && !direct.has(owner) && mayWrite(owner, unit, to)) {
      direct.set(owner, to);
    } else pending.push({ from: tensor, to, name });
  }

  // A copy must not read state that an earlier copy has replaced: such values are copied through scratch.
  const replaced = new Set(pending.map(({ name }) => name));
  const saved = pending.filter(({ from }) => {
    const { owner } = ownerOf(from);
    return owner.op === "leaf" && replaced.has(owner.attributes.name!);
  });

  pending.forEach(({ from }) => lastRead.set(ownerOf(from).owner, units.length));

  const scratch: Tensor[] = [];
  const lifetimes: Lifetime[] = [];
  units.forEach((unit, i) => {
    for (const node of resultsOf(unit)) {
      if (direct.has(node)) continue;
      scratch.push(node);
      lifetimes.push({ bytes: byteSize(node), first: i, last: lastRead.get(node) ?? i });
    }
  });
  for (const { from } of saved) {
    lifetimes.push({ bytes: byteSize(from), first: units.length, last: units.length });
  }
  const { offsets, bytes } = planMemory(lifetimes, target);
  const inScratch = new Map(scratch.map((node, i) => [node, offsets[i]]));

  const pool = new ConstantPool(target);
  function operandOf(tensor: Tensor): Operand {
    const { owner, start } = ownerOf(tensor);
    const at = ((): Pick<Operand, "segment" | "offset" | "storage"> => {
      if (isConstant(owner.op)) return pool.operandOf(owner);
      if (owner.op === "leaf") return places[owner.attributes.name!];
      return (
        direct.get(owner) ?? { segment: "scratch", offset: inScratch.get(owner)!, storage: storageOf(owner) }
      );
    })();
    return {
      segment: at.segment,
      offset: at.offset + start * storageBytes[at.storage],
      storage: at.storage,
      shape: tensor.shape,
    };
  }

  const saves = saved.map(({ from }, i) => ({
    from: operandOf(from),
    to: { ...operandOf(from), segment: "scratch" as const, offset: offsets[scratch.length + i] },
  }));
  const copies = pending.map((copy) => {
    const i = saved.indexOf(copy);
    return { from: i < 0 ? operandOf(copy.from) : saves[i].to, to: copy.to };
  });
  // All constants have their place from here on.
  for (const unit of units) reads(unit, producers).forEach(operandOf);
  const pads = units.some((unit) => isSingle(unit, "pad"));
  const zero = pads ? pool.operandOf(node("constant", [], { value: 0 })) : undefined;
  return {
    operandOf,
    copies: [...saves, ...copies],
    scratchBytes: bytes,
    zero,
    constants: pool.bytes(),
  };
}

/**
 * Whether a unit may write a result straight to its place. For state the old value must not be
 * needed any more: all other readers come earlier, and the unit itself reads each old element
 * before it writes the new one.
 */
function writing(
  { producers, outputs, places }: Setting,
  position: ReadonlyMap<Unit, number>,
  lastRead: ReadonlyMap<Tensor, number>,
): (node: Tensor, unit: Unit, to: Operand) => boolean {
  const offsetOf = (tensor: Tensor): number | undefined => {
    const { owner } = ownerOf(tensor);
    const old = owner.op === "leaf" ? places[owner.attributes.name!] : undefined;
    return old?.segment === "state" ? old.offset : undefined;
  };
  const copied = new Set(Object.values(outputs).map(offsetOf));
  const lastReadAt = new Map<number | undefined, number>();
  for (const [tensor, last] of lastRead) {
    const offset = offsetOf(tensor);
    lastReadAt.set(offset, Math.max(last, lastReadAt.get(offset) ?? -1));
  }
  return (node, unit, to) => {
    if (to.segment !== "state") return true;
    if (copied.has(to.offset)) return false;
    const last = lastReadAt.get(to.offset) ?? -1;
    const own = position.get(unit)!;
    if (last < own) return true;
    if (last > own || unit.kind !== "map") return false;
    const elementwise = (operand: Tensor): boolean =>
      maskOf(operand, unit.shape, false) === wholeMask(unit.shape);
    return (
      unit.body.has(node) &&
      [...unit.operands].every(
        (operand) => elementwise(operand) || offsetOf(sourceOf(operand, producers)) !== to.offset,
      )
    );
  };
}
