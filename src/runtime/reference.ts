/**
 * The reference executor: runs a Program with the op table's plain loops, one instruction after the
 * other. It is the oracle for the kernels. Sums are in double; every register operation rounds to f32.
 */
import { UserError } from "../errors.js";
import type { Lattice } from "../graph/tensor.js";
import { ops } from "../graph/ops.js";
import { sizeOf } from "../graph/tensor.js";
import { arrayProblem, usableMemory } from "../machine.js";
import { uniforms } from "../random/philox.js";
import type { View } from "../graph/op.js";
import type { Executor, LoadedProgram } from "./executor.js";
import { runHere, turns } from "./executor.js";
import { bufferOf, hostMemory } from "./host-memory.js";
import { hasAxis, productOps, shapesOf, windowOps } from "./instructions.js";
import type {
  CopyInstruction,
  Geometry,
  Instruction,
  MapInstruction,
  MapOperand,
  Operand,
  Segment,
} from "./program.js";
import { hostTarget } from "./target.js";
import { verify } from "./verify.js";

const arrays = {
  f32: Float32Array,
  i32: Int32Array,
  i16: Int16Array,
  u8: Uint8Array,
  s8: Int8Array,
  bf16: Uint16Array,
} as const;

type Memory = Readonly<Record<Segment, ArrayBuffer>>;

export function createReferenceExecutor(): Executor {
  const order = turns();
  const memory = hostMemory(order, arrayProblem);
  const allocate = (bytes: number): ArrayBuffer => bufferOf(memory.allocate(bytes));
  let scratch = allocate(0);
  return {
    name: "reference",
    instructionSet: "typescript",
    threads: 1,
    target: hostTarget,
    memoryLimit: 0.8 * usableMemory(),
    ...memory,
    load(program): LoadedProgram {
      verify(program);
      const constants = allocate(program.bytes.constants);
      new Uint8Array(constants).set(program.constants);
      if (scratch.byteLength < program.bytes.scratch) scratch = allocate(program.bytes.scratch);
      return {
        program,
        run: ({ state, inputs, outputs }, nanoseconds) =>
          order.inTurn([state, inputs, outputs], () => {
            const given = { state: bufferOf(state), inputs: bufferOf(inputs), outputs: bufferOf(outputs) };
            const all = { ...given, constants, scratch };
            const { instructions } = program;
            return runHere(instructions.length, (i) => execute(instructions[i], all), nanoseconds);
          }),
      };
    },
  };
}

function execute(instruction: Instruction, memory: Memory): void {
  switch (instruction.kind) {
    case "map":
      return executeMap(instruction, memory);
    case "product":
    case "window": {
      const { op, geometry, inputs, out } = instruction;
      const entry = instruction.kind === "product" ? productOps[instruction.op] : windowOps[instruction.op];
      const shapes = shapesOf(geometry);
      const shape = shapes[entry.result];
      const operands = inputs.map((input, i) => view(input, memory, shapes[entry.operands[i]]));
      return ops[op].reference(operands, view(out, memory, shape), { window: windowOf(geometry), shape });
    }
    case "move": {
      if (instruction.op === "copy") return executeCopy(instruction, memory);
      const [low, high] = view(instruction.from, memory, [2]).data;
      const to = view(instruction.to, memory).data;
      to.set(uniforms([low >>> 0, high >>> 0], instruction.stream, to.length));
    }
  }
}

/** Runs the register operations over the whole space at once, then reduces. */
function executeMap({ space, operands, body, results }: MapInstruction, memory: Memory): void {
  const slots: View[] = operands.map((operand) => spread(operand, space, memory));
  for (const { op, arguments: inputs } of body) {
    const output = { data: new Float32Array(slots.length === 0 ? 0 : sizeOf(space)), shape: space };
    ops[op].reference(
      inputs.map((slot) => slots[slot]),
      output,
      {},
    );
    slots.push(output);
  }
  // A result may replace an operand in memory, so what reads operands comes first.
  const stores = results.filter(({ reduction }) => reduction === "none");
  for (const { slot, reduction, ...to } of results) {
    if (reduction === "none") continue;
    const axes = [0, 1, 2].filter((axis) => !hasAxis(to.axes, axis));
    const kept = space.filter((_, axis) => !axes.includes(axis));
    const shape = reduction === "moments" ? [2, ...kept] : kept;
    const op = reduction === "max" ? "reduceMax" : reduction;
    ops[op].reference([slots[slot]], view(to, memory, shape), { axes });
  }
  for (const { slot, ...to } of stores) {
    const { data } = slots[slot];
    if (to.lattice !== undefined) checkCodes(data, to.lattice);
    const target = open(to, memory);
    if (to.storage === "bf16") target.set(upperHalves(data as Float32Array));
    else target.set(data);
  }
}

/**
 * Kernels store codes as bytes unchecked: those outside the lattice wrap on some and are clipped on others. NaN is let
 * through, so that a diverging training ends with its own error.
 */
function checkCodes(values: ArrayLike<number>, lattice: Lattice): void {
  const { lo, hi, step } = lattice;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (Number.isNaN(value) || (value >= lo && value <= hi && (value - lo) % step === 0)) continue;
    throw new UserError(
      `codes: the value ${value} is not on the lattice ${lo}, ${lo + step}, ..., ${hi}; round and clip what is marked as codes`,
    );
  }
}

/** An operand repeated along the axes that it lacks. */
function spread(operand: MapOperand, space: readonly number[], memory: Memory): View {
  const axes = [0, 1, 2].filter((axis) => hasAxis(operand.axes, axis));
  const own = view(
    operand,
    memory,
    axes.map((axis) => space[axis]),
  );
  if (operand.axes === 7 && operand.storage === "f32") return own;
  const output = { data: new Float32Array(sizeOf(space)), shape: space };
  ops.broadcast.reference([own], output, { shape: space, axes });
  return output;
}

function executeCopy({ extents, from, fromStrides, to, toStrides }: CopyInstruction, memory: Memory): void {
  const source = open(from, memory);
  const target = open(to, memory);
  const walk = (axis: number, read: number, write: number): void => {
    if (axis === extents.length) {
      target[write] = source[read];
      return;
    }
    for (let i = 0; i < extents[axis]; i++) {
      walk(axis + 1, read + i * fromStrides[axis], write + i * toStrides[axis]);
    }
  };
  walk(0, 0, 0);
}

function windowOf({ kernel, stride, padding }: Geometry) {
  return { size: kernel, stride, padding };
}

/** An operand's elements, in its own or another shape. */
function view(operand: Operand, memory: Memory, shape: readonly number[] = operand.shape): View {
  const data = open(operand, memory).subarray(0, sizeOf(shape));
  return { data: data instanceof Uint16Array ? fromUpperHalves(data) : data, shape };
}

/** The segment's elements from an operand's offset to the segment's end. */
function open({ segment, offset, storage }: Operand, memory: Memory) {
  return new arrays[storage](memory[segment], offset);
}

/** bf16 is the upper half of an f32. */
function upperHalves(values: Float32Array): Uint16Array {
  const floats = Float32Array.from(values);
  return Uint16Array.from(new Uint32Array(floats.buffer), (word) => word >>> 16);
}

function fromUpperHalves(halves: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer);
}
