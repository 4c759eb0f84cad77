/** What an instruction reads and writes. */
import { sizeOf } from "../graph/tensor.js";
import { extentsWith, productOps, reductions, shapesOf, windowOps } from "./instructions.js";
import type { CopyInstruction, Instruction, Operand } from "./program.js";

/** Elements in a row, from an operand's offset on, that an instruction reads or writes. */
export interface Access {
  readonly operand: Operand;
  readonly count: number;
  readonly isWritten: boolean;
  /** Whether each element is read before the element that is written in its place, and by nothing later. */
  readonly isInPlace: boolean;
}

/** The accesses of an instruction whose operations and sizes are sound: those that it reads come first. */
export function accessesOf(instruction: Instruction): Access[] {
  switch (instruction.kind) {
    case "map": {
      const { space, operands, results } = instruction;
      const full = sizeOf(space);
      const counted = operands.map((operand) => ({
        operand,
        count: sizeOf(extentsWith(space, operand.axes)),
      }));
      return [
        ...counted.map(({ operand, count }) => access(operand, count, false, count === full)),
        ...results.map((to) =>
          access(
            to,
            sizeOf(extentsWith(space, to.axes)) * reductions[to.reduction].rows,
            true,
            to.reduction === "none",
          ),
        ),
      ];
    }
    case "product":
    case "window": {
      const { inputs, out, geometry } = instruction;
      const entry = instruction.kind === "product" ? productOps[instruction.op] : windowOps[instruction.op];
      const shapes = shapesOf(geometry);
      return [
        ...inputs.map((input, i) => access(input, sizeOf(shapes[entry.operands[i]]), false)),
        access(out, sizeOf(shapes[entry.result]), true),
      ];
    }
    case "move": {
      const { from, to } = instruction;
      const [read, written] =
        instruction.op === "copy" ? reachesOf(instruction) : [2, sizeOf(instruction.to.shape)];
      return [access(from, read, false), access(to, written, true)];
    }
  }
}

/** Elements from the first to the last that a copy reads, and writes. */
const reachesOf = ({ extents, fromStrides, toStrides }: CopyInstruction): number[] =>
  [fromStrides, toStrides].map((strides) =>
    strides.reduce((last, stride, i) => last + stride * (extents[i] - 1), 1),
  );

const access = (operand: Operand, count: number, isWritten: boolean, isInPlace = false): Access => ({
  operand,
  count,
  isWritten,
  isInPlace,
});

/** The operands that an instruction reads. */
export const readsOf = (instruction: Instruction): Operand[] => operandsOf(instruction, false);

/** The operands that an instruction writes. */
export const writesOf = (instruction: Instruction): Operand[] => operandsOf(instruction, true);

const operandsOf = (instruction: Instruction, written: boolean): Operand[] =>
  accessesOf(instruction)
    .filter(({ isWritten }) => isWritten === written)
    .map(({ operand }) => operand);
