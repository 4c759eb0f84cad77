/**
 * Register allocation for a map's body, by one scan: the interpreter's registers are blocks in the
 * first-level cache, so the fewer the better.
 *
 * A stored result is computed straight into its memory where no later access reads an operand that
 * lies there (a parameter updated in place). Otherwise it stays in a register and is stored last,
 * after the reductions.
 */
import { sizeOf } from "../graph/tensor.js";
import { extentsWith } from "./instructions.js";
import type { MapInstruction, MapOp, MapOperand, MapOperation, MapResult } from "./program.js";
import { storageBytes } from "./program.js";

export interface RegisterOperation {
  readonly op: MapOp;
  readonly destination: number;
  readonly arguments: readonly number[];
}

export interface AllocatedMap {
  readonly operations: readonly RegisterOperation[];
  readonly results: readonly MapResult[];
  readonly registers: number;
}

type Place = { readonly kind: "register" | "result"; readonly index: number };

/** Slots of the answer number the operands first, then the registers, then the results. */
export function allocateRegisters(map: MapInstruction): AllocatedMap {
  const { operands } = map;
  const results = [...map.results].sort(
    (a, b) => Number(a.reduction === "none") - Number(b.reduction === "none"),
  );
  const { body, slots } = liveBody(map, results);
  const end = body.length;

  const lastRead = new Array<number>(operands.length + body.length).fill(-1);
  body.forEach((operation, i) => operation.arguments.forEach((slot) => (lastRead[slot] = i)));
  slots.forEach((slot) => (lastRead[slot] = end));

  const places: Place[] = [];
  const free: number[] = [];
  const release = (slot: number): void => {
    const place = slot < operands.length ? undefined : places[slot - operands.length];
    if (place?.kind === "register") free.push(place.index);
  };
  let registers = 0;
  body.forEach((operation, i) => {
    const slot = operands.length + i;
    const result = results.findIndex((to, r) => slots[r] === slot && isDirect(map, to, i, lastRead));
    new Set(operation.arguments).forEach((argument) => lastRead[argument] === i && release(argument));
    if (result >= 0) places.push({ kind: "result", index: result });
    else places.push({ kind: "register", index: free.pop() ?? registers++ });
  });

  const numberOf = (slot: number): number => {
    if (slot < operands.length) return slot;
    const { kind, index } = places[slot - operands.length];
    return operands.length + (kind === "register" ? index : registers + index);
  };
  return {
    operations: body.map(({ op, arguments: inputs }, i) => ({
      op,
      destination: numberOf(operands.length + i),
      arguments: inputs.map(numberOf),
    })),
    results: results.map((result, r) => ({ ...result, slot: numberOf(slots[r]) })),
    registers,
  };
}

/**
 * The operations that some result needs, and each result's slot in them. A result that stores an
 * operand which another result overwrites gets a copy of it first: min(x, x) is x.
 */
function liveBody({ space, operands, body }: MapInstruction, results: readonly MapResult[]) {
  const first = operands.length;
  const needed = new Array<boolean>(body.length).fill(false);
  results.forEach(({ slot }) => slot >= first && (needed[slot - first] = true));
  for (let i = body.length - 1; i >= 0; i--) {
    if (needed[i]) body[i].arguments.forEach((slot) => slot >= first && (needed[slot - first] = true));
  }
  const renumbered = operands.map((_, i) => i);
  const live: MapOperation[] = [];
  body.forEach(({ op, arguments: slots }, i) => {
    renumbered.push(needed[i] ? first + live.length : -1);
    if (needed[i]) live.push({ op, arguments: slots.map((slot) => renumbered[slot]) });
  });
  const slots = results.map((result) => {
    const slot = renumbered[result.slot];
    const overwritten = (to: MapResult) =>
      to !== result && to.reduction === "none" && overlap(space, operands[slot], to);
    if (slot >= first || result.reduction !== "none" || !results.some(overwritten)) return slot;
    live.push({ op: "min", arguments: [slot, slot] });
    return first + live.length - 1;
  });
  return { body: live, slots };
}

/** Whether operation i may write the result's memory: nothing after it reads an operand there. */
function isDirect(
  { space, operands }: MapInstruction,
  to: MapResult,
  i: number,
  lastRead: readonly number[],
): boolean {
  if (to.reduction !== "none" || to.storage !== "f32") return false;
  return operands.every((operand, slot) => lastRead[slot] <= i || !overlap(space, operand, to));
}

function overlap(space: readonly number[], a: MapOperand, b: MapOperand): boolean {
  const end = (o: MapOperand) => o.offset + sizeOf(extentsWith(space, o.axes)) * storageBytes[o.storage];
  return a.segment === b.segment && a.offset < end(b) && b.offset < end(a);
}
