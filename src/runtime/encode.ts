/**
 * A Program as 32-bit words, which `kernels/executor.cpp` decodes. Sizes and offsets take two words,
 * low and high; an operand is [segment, storage, axes, offset]; enumerations are indices into the
 * lists of `program.ts`.
 */
import { sizeOf } from "../graph/tensor.js";
import { allocateRegisters } from "./registers.js";
import { kinds, mapOps, moveOps, productOps, reductions, windowOps } from "./instructions.js";
import type { Geometry, Instruction, MapInstruction, MoveInstruction, Operand, Program } from "./program.js";
import { segments, storages } from "./program.js";

/** Changes with the words' layout; the executor refuses another. */
const version = 1;

/** The numbers of a table's entries. */
const numbersOf = (table: object): ReadonlyMap<string, number> =>
  new Map(Object.keys(table).map((name, i) => [name, i]));
const [mapNumbers, reductionNumbers, productNumbers, windowNumbers] = [
  mapOps,
  reductions,
  productOps,
  windowOps,
].map(numbersOf);

export function encode(program: Program): Int32Array {
  const words = new Words();
  words.add(version, program.instructions.length);
  for (const segment of segments) words.addSizes(program.bytes[segment]);
  for (const instruction of program.instructions) encodeInstruction(words, instruction);
  return words.toArray();
}

class Words {
  private readonly list: number[] = [];

  add(...values: number[]): void {
    this.list.push(...values);
  }

  addSizes(...values: number[]): void {
    for (const value of values) this.list.push(value % 2 ** 32, Math.floor(value / 2 ** 32));
  }

  addOperand(operand: Operand, axes = 7): void {
    this.add(segments.indexOf(operand.segment), storages.indexOf(operand.storage), axes);
    this.addSizes(operand.offset);
  }

  /** Words of 2^31 and more become negative, as the executor expects. */
  toArray(): Int32Array {
    return Int32Array.from(this.list, (word) => word | 0);
  }
}

function encodeInstruction(words: Words, instruction: Instruction): void {
  words.add(kinds.indexOf(instruction.kind));
  switch (instruction.kind) {
    case "map":
      return encodeMap(words, instruction);
    case "product":
      words.add(productNumbers.get(instruction.op)!);
      encodeGeometry(words, instruction.geometry);
      for (const operand of [...instruction.inputs, instruction.out]) words.addOperand(operand);
      return;
    case "window": {
      const [a, b = a] = instruction.inputs;
      words.add(windowNumbers.get(instruction.op)!);
      encodeGeometry(words, instruction.geometry);
      for (const operand of [a, b, instruction.out]) words.addOperand(operand);
      return;
    }
    case "move":
      return encodeMove(words, instruction);
  }
}

function encodeMap(words: Words, map: MapInstruction): void {
  const { operations, results, registers } = allocateRegisters(map);
  words.addSizes(...map.space);
  words.add(map.operands.length, operations.length, results.length, registers);
  for (const operand of map.operands) words.addOperand(operand, operand.axes);
  for (const { op, destination, arguments: slots } of operations) {
    const [a, b = 0, c = 0] = slots;
    words.add(mapNumbers.get(op)!, destination, a, b, c);
  }
  for (const result of results) {
    words.addOperand(result, result.axes);
    words.add(result.slot, reductionNumbers.get(result.reduction)!);
  }
}

function encodeGeometry(words: Words, g: Geometry): void {
  words.addSizes(g.images, g.height, g.width, g.channels, ...g.kernel, ...g.stride, ...g.padding);
  words.addSizes(g.outHeight, g.outWidth, g.outChannels);
}

function encodeMove(words: Words, move: MoveInstruction): void {
  const extents = move.op === "copy" ? move.extents : [];
  words.add(moveOps.indexOf(move.op), extents.length, move.op === "random" ? move.stream : 0);
  words.addOperand(move.from);
  words.addOperand(move.to);
  words.addSizes(sizeOf(move.to.shape));
  if (move.op === "random") return;
  extents.forEach((extent, i) => words.addSizes(extent, move.fromStrides[i], move.toStrides[i]));
}
