/** A Program as text: what runs, on what shapes, from and to which memory, and what it costs. */
import { sizeOf } from "../graph/tensor.js";
import { readsOf, writesOf } from "./accesses.js";
import { hasAxis } from "./instructions.js";
import type { Instruction, MapInstruction, Operand, Program } from "./program.js";
import { checkProgram, segments, storageBytes } from "./program.js";

/** What an instruction costs, estimated from shapes. */
export interface Cost {
  /** Arithmetic operations; a multiply-add counts two. */
  readonly operations: number;
  /** Bytes read and written once. */
  readonly bytes: number;
}

export function costOf(instruction: Instruction): Cost {
  const bytes = [...readsOf(instruction), ...writesOf(instruction)].reduce(
    (sum, operand) => sum + bytesOf(operand),
    0,
  );
  return { operations: operationsOf(instruction), bytes };
}

/** A short name: the family, and the op or the operations inside. */
export function nameOf(instruction: Instruction): string {
  if (instruction.kind === "product") {
    const kinds = instruction.inputs.map(({ storage }) => storage);
    return kinds.every((kind) => kind === "f32")
      ? instruction.op
      : `${instruction.op} of ${kinds.join(" and ")}`;
  }
  if (instruction.kind !== "map") return instruction.op;
  const reductions = instruction.results.filter((r) => r.reduction !== "none").map((r) => r.reduction);
  return ["map", ...new Set(reductions)].join(" ");
}

/**
 * Lists a Program: one line per instruction with its space or geometry, operands, results, bytes moved
 * and estimated operations; below a map its register operations.
 */
export function explain(program: Program): string {
  checkProgram(program);
  const lines = segments.map((segment) => `${segment.padEnd(10)} ${count(program.bytes[segment])} B`);
  program.instructions.forEach((instruction, i) => {
    const { operations, bytes } = costOf(instruction);
    const inputs = readsOf(instruction).map(show).join(", ");
    const outputs = writesOf(instruction).map(show).join(", ");
    lines.push(
      "",
      `${String(i).padStart(4)}  ${nameOf(instruction)} ${sizes(instruction)}  ${count(operations)} op, ${count(bytes)} B`,
      `      ${inputs} -> ${outputs}`,
    );
    if (instruction.kind === "map") lines.push(...bodyLines(instruction).map((line) => `        ${line}`));
  });
  return lines.join("\n");
}

function bodyLines({ operands, body, results }: MapInstruction): string[] {
  const name = (slot: number): string =>
    slot < operands.length ? `in${slot}` : `r${slot - operands.length}`;
  const lines = operands.map((operand, i) => `in${i} = ${show(operand)}${axesText(operand.axes)}`);
  body.forEach(({ op, arguments: slots }, i) => lines.push(`r${i} = ${op} ${slots.map(name).join(" ")}`));
  for (const result of results) {
    const value =
      result.reduction === "none" ? name(result.slot) : `${result.reduction} ${name(result.slot)}`;
    lines.push(`${show(result)}${axesText(result.axes)} = ${value}`);
  }
  return lines;
}

function axesText(axes: number): string {
  return ` {${["sample", "position", "channel"].filter((_, i) => hasAxis(axes, i)).join(" ")}}`;
}

function sizes(instruction: Instruction): string {
  switch (instruction.kind) {
    case "map":
      return `[${instruction.space.join(", ")}]`;
    case "move":
      return `[${instruction.to.shape.join(", ")}]`;
    default: {
      const g = instruction.geometry;
      return (
        `${g.images}x${g.height}x${g.width}x${g.channels} -> ${g.outHeight}x${g.outWidth}x${g.outChannels}, ` +
        `kernel ${g.kernel.join("x")}, stride ${g.stride.join("x")}, padding ${g.padding.join("x")}`
      );
    }
  }
}

function operationsOf(instruction: Instruction): number {
  switch (instruction.kind) {
    case "map": {
      const reductions = instruction.results.filter((result) => result.reduction !== "none").length;
      return sizeOf(instruction.space) * (instruction.body.length + reductions);
    }
    case "product": {
      const { images, outHeight, outWidth, outChannels, kernel, channels } = instruction.geometry;
      return 2 * images * outHeight * outWidth * outChannels * sizeOf(kernel) * channels;
    }
    case "window": {
      const { images, outHeight, outWidth, channels, kernel } = instruction.geometry;
      const perTap = instruction.op.startsWith("depthwise") ? 2 : 1;
      return perTap * images * outHeight * outWidth * channels * sizeOf(kernel);
    }
    case "move":
      return 0;
  }
}

function show({ segment, offset, storage, shape }: Operand): string {
  return `${segment}+${offset}:${storage}[${shape.join(", ")}]`;
}

function bytesOf({ shape, storage }: Operand): number {
  return sizeOf(shape) * storageBytes[storage];
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}
