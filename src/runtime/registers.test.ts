import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { MapInstruction, MapOperand, MapOperation, MapResult } from "./program.js";
import { allocateRegisters } from "./registers.js";

const n = 8;
const at = (segment: MapOperand["segment"], index = 0): MapOperand => ({
  segment,
  offset: index * 4 * n,
  storage: "f32",
  shape: [n],
  axes: 7,
});
const stored = (to: MapOperand, slot: number): MapResult => ({ ...to, slot, reduction: "none" });
const map = (operands: MapOperand[], body: MapOperation[], results: MapResult[]): MapInstruction => ({
  kind: "map",
  space: [1, 1, n],
  operands,
  body,
  results,
});

/** What each operation's result depends on, as text; memory is read at the time of the access. */
function run(instruction: MapInstruction, allocated = allocateRegisters(instruction)): Map<string, string> {
  const key = ({ segment, offset }: MapOperand) => `${segment}+${offset}`;
  const memory = new Map(instruction.operands.map((operand) => [key(operand), key(operand)]));
  const registers: string[] = [];
  const { operands } = instruction;
  const target = (slot: number) => allocated.results[slot - operands.length - allocated.registers];
  const read = (slot: number): string => {
    if (slot < operands.length) return memory.get(key(operands[slot]))!;
    const to = target(slot);
    return to === undefined ? registers[slot - operands.length] : memory.get(key(to))!;
  };
  for (const { op, destination, arguments: slots } of allocated.operations) {
    const inputs = slots.map(read);
    const value = op === "min" && inputs[0] === inputs[1] ? inputs[0] : `${op}(${inputs.join(",")})`;
    const to = target(destination);
    if (to === undefined) registers[destination - operands.length] = value;
    else memory.set(key(to), value);
  }
  for (const result of allocated.results) memory.set(key(result), read(result.slot));
  return memory;
}

describe("registers of a map", () => {
  test("are few: a chain needs one, and its end goes straight to memory", () => {
    const body: MapOperation[] = [1, 2, 3, 4].map((slot) => ({ op: "neg", arguments: [slot - 1] }));
    const { registers, operations } = allocateRegisters(
      map([at("inputs")], body, [stored(at("outputs"), 4)]),
    );
    expect(registers).toBe(1);
    expect(operations.map(({ destination }) => destination)).toEqual([1, 1, 1, 2]);
  });

  test("hold nothing that no result needs", () => {
    const body: MapOperation[] = [
      { op: "exp", arguments: [0] },
      { op: "neg", arguments: [0] },
    ];
    const { operations } = allocateRegisters(map([at("inputs")], body, [stored(at("outputs"), 2)]));
    expect(operations.map(({ op }) => op)).toEqual(["neg"]);
  });

  test("hold a result while the operand that it replaces is still to be read", () => {
    const body: MapOperation[] = [
      { op: "neg", arguments: [0] },
      { op: "abs", arguments: [0] },
    ];
    const results = [stored(at("state"), 1), stored(at("outputs"), 2)];
    const memory = run(map([at("state")], body, results));
    expect(memory.get("state+0")).toBe("neg(state+0)");
    expect(memory.get("outputs+0")).toBe("abs(state+0)");
  });

  test("let two operands change places", () => {
    const [a, b] = [at("state", 0), at("state", 1)];
    const memory = run(map([a, b], [], [stored(a, 1), stored(b, 0)]));
    expect([memory.get("state+0"), memory.get("state+32")]).toEqual(["state+32", "state+0"]);
  });

  test("keep the meaning of any body, whatever it overwrites", () => {
    const places = [at("state", 0), at("state", 1), at("inputs", 0), at("outputs", 0), at("outputs", 1)];
    const bodies = fc.record({
      body: fc.array(fc.tuple(fc.nat(99), fc.nat(99)), { maxLength: 8 }),
      results: fc.uniqueArray(fc.tuple(fc.constantFrom(0, 1, 3, 4), fc.nat(99)), {
        selector: ([place]) => place,
        minLength: 1,
      }),
    });
    fc.assert(
      fc.property(bodies, ({ body: pairs, results: pairsOfResults }) => {
        const operands = places.slice(0, 3);
        const body = pairs.map(([a, b], i): MapOperation => ({
          op: "add",
          arguments: [a % (3 + i), b % (3 + i)],
        }));
        const results = pairsOfResults.map(([place, slot]) =>
          stored(places[place], slot % (3 + body.length)),
        );
        const slots = operands.map(({ segment, offset }) => `${segment}+${offset}`);
        body.forEach(({ arguments: [a, b] }) => slots.push(`add(${slots[a]},${slots[b]})`));
        const memory = run(map(operands, body, results));
        for (const { segment, offset, slot } of results)
          expect(memory.get(`${segment}+${offset}`)).toBe(slots[slot]);
      }),
      { numRuns: 500 },
    );
  });
});
