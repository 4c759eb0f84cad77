/** The instructions of a profile by family, each with its share of what the machine's probe reaches. */
import { costOf, nameOf } from "../../dist/runtime/explain.js";

/**
 * How many multiply-adds a lane does in one instruction: VNNI sums four byte products, pairs of 16 bits are
 * two, and so are BF16's dots, which only AVX-512 has.
 */
const perLane = (instructionSet) => ({
  f32: 1,
  integer: /vnni|bf16/.test(instructionSet) ? 4 : 2,
  bf16: instructionSet.startsWith("avx512") ? 2 : 1,
});

function productKind(instruction) {
  const kinds = instruction.inputs.map(({ storage }) => storage);
  if (kinds.includes("bf16")) return "bf16";
  return kinds.every((storage) => storage === "u8" || storage === "s8") ? "integer" : "f32";
}

/**
 * @param nanoseconds by instruction, summed over `steps`.
 * @returns rows, longest first: milliseconds a step, rates, and `share` of the probe's arithmetic peak for
 *   products, of its bandwidth for all else (above 1 where values stay in caches).
 */
export function families(instructions, nanoseconds, steps, probe, instructionSet) {
  const rows = new Map();
  instructions.forEach((instruction, i) => {
    const kind = instruction.kind === "product" ? productKind(instruction) : undefined;
    const name = kind ? `${instruction.op} ${kind}` : nameOf(instruction);
    const row = rows.get(name) ?? { name, kind, count: 0, ms: 0, operations: 0, bytes: 0 };
    const { operations, bytes } = costOf(instruction);
    row.count++;
    row.ms += nanoseconds[i] / steps / 1e6;
    row.operations += operations;
    row.bytes += bytes;
    rows.set(name, row);
  });
  const lanes = perLane(instructionSet);
  return [...rows.values()]
    .sort((a, b) => b.ms - a.ms)
    .map(({ name, kind, count, ms, operations, bytes }) => {
      const operationsPerSecond = (operations / ms) * 1000;
      const bytesPerSecond = (bytes / ms) * 1000;
      const limit = kind ? "arithmetic" : "bandwidth";
      const share = kind
        ? operationsPerSecond / (probe.operations * lanes[kind])
        : bytesPerSecond / probe.bytes;
      return { name, count, ms, operationsPerSecond, bytesPerSecond, limit, share };
    });
}
