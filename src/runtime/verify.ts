/**
 * Proves that every access of a Program lies in its segment, that what an instruction writes is written once and read by
 * nothing else of it, and that no count leaves the kernels' integers, before a kernel sees it.
 * Kernels check nothing: a Program that passes here cannot read or write outside, and its bits do not depend on threads.
 */
import { mostRandom, mostStream } from "../graph/ops/leaves.js";
import { mostTaps } from "../graph/ops/windows.js";
import type { Lattice } from "../graph/tensor.js";
import { mostElements, mostExtent, paddedSize } from "../graph/limits.js";
import { sizeOf } from "../graph/tensor.js";
import type { Access } from "./accesses.js";
import { accessesOf } from "./accesses.js";
import type { ProductEntry, ReductionEntry } from "./instructions.js";
import { mapOps, productOps, reductions, shapesOf, windowOps } from "./instructions.js";
import type {
  CopyInstruction,
  Geometry,
  Instruction,
  MapInstruction,
  Operand,
  ProductInstruction,
  Program,
  WindowInstruction,
} from "./program.js";
import { checkProgram, segments, storageBytes } from "./program.js";

/** Throws an Error that names the instruction and what is wrong with it. */
export function verify(program: Program): void {
  checkProgram(program);
  check(program.constants.byteLength <= program.bytes.constants, "constants exceed their segment");
  for (const segment of segments) {
    checkCount(program.bytes[segment], `bytes of ${segment}`, 0);
    check(program.bytes[segment] % 4 === 0, `bytes of ${segment} are not a multiple of 4`);
  }
  for (const [name, operand] of Object.entries(program.names)) {
    naming(`name ${name}`, () => checkOperand("value", program, operand, sizeOf(operand.shape)));
  }
  program.instructions.forEach((instruction, i) => {
    naming(`instruction ${i} (${instruction?.kind})`, () => verifyInstruction(program, instruction));
  });
}

function naming(place: string, verifyPart: () => void): void {
  try {
    verifyPart();
  } catch (error) {
    throw new Error(`${place}: ${(error as Error).message}`);
  }
}

function verifyInstruction(program: Program, instruction: Instruction): void {
  verifyParts(instruction);
  const accesses = accessesOf(instruction);
  for (const { operand, count, isWritten } of accesses) {
    const { segment } = operand;
    check(!isWritten || (segment !== "constants" && segment !== "inputs"), `writes to ${segment}`);
    checkOperand(isWritten ? "result" : "operand", program, operand, count);
  }
  checkOverlaps(accesses);
}

/** Checks that results overlap nothing else, except the operand of a map that a result replaces. */
function checkOverlaps(accesses: readonly Access[]): void {
  const touched = accesses.map((access) => ({ ...access, end: endOf(access) }));
  for (const a of touched.filter(({ isWritten }) => isWritten)) {
    for (const b of touched) {
      const apart =
        a.operand.segment !== b.operand.segment || a.end <= b.operand.offset || b.end <= a.operand.offset;
      if (a === b || apart) continue;
      const same = a.operand.offset === b.operand.offset && a.operand.storage === b.operand.storage;
      const replaces = !b.isWritten && a.isInPlace && b.isInPlace && same;
      check(
        replaces,
        `a result at ${a.operand.offset} of ${a.operand.segment} overlaps ${b.isWritten ? "another" : "an operand"}`,
      );
    }
  }
}

const endOf = ({ operand, count }: Access): number => operand.offset + count * storageBytes[operand.storage];

/** Checks an instruction besides its accesses, whose sizes are then sound. */
function verifyParts(instruction: Instruction): void {
  switch (instruction.kind) {
    case "map":
      return verifyMap(instruction);
    case "product":
      return verifyProduct(instruction);
    case "window":
      return verifyWindow(instruction);
    case "move":
      if (instruction.op === "copy") return verifyCopy(instruction);
      check(instruction.op === "random", `unknown operation ${String(instruction.op)}`);
      check(
        instruction.from.storage === "i32" && instruction.to.storage === "f32",
        "random needs an i32 key and f32 results",
      );
      checkCount(instruction.stream, "stream", 0, mostStream);
      checkCount(sizeOf(instruction.to.shape), "random numbers", 1, mostRandom);
      return;
    default:
      throw new Error("unknown kind");
  }
}

function verifyMap({ space, operands, body, results }: MapInstruction): void {
  check(space.length === 3, "a space has three extents");
  space.forEach((extent) => checkCount(extent, "space", 1));
  checkSize(sizeOf(space), "elements of the space");
  for (const { axes } of operands) checkAxes(axes);
  body.forEach(({ op, arguments: slots }, i) => {
    const { arity } = chosen(mapOps, op);
    check(slots.length === arity, `${op} takes ${arity} arguments, got ${slots.length}`);
    slots.forEach((slot) => checkCount(slot, "slot", 0, operands.length + i - 1));
  });
  for (const { slot, reduction, lattice, axes, storage } of results) {
    checkCount(slot, "slot", 0, operands.length + body.length - 1);
    if (lattice !== undefined) checkLattice(lattice);
    const allowed: ReductionEntry = chosen(reductions, reduction);
    check(allowed.storages.includes(storage), `${reduction} cannot write ${storage}`);
    check(allowed.axes.includes(axes), `${reduction} cannot have axes ${axes}`);
  }
}

function verifyProduct({ op, geometry, inputs, out }: ProductInstruction): void {
  checkGeometry(geometry);
  const { w, y } = shapesOf(geometry);
  checkSize((sizeOf(y) / geometry.outChannels) * sizeOf(w), "multiply-adds");
  const entry: ProductEntry = chosen(productOps, op);
  check(inputs.length === 2, `${op} takes 2 inputs`);
  const storages = [...inputs, out].map((operand) => operand.storage).join();
  check(entry.storages.includes(storages), `${op} cannot take ${storages}`);
}

function verifyWindow({ op, geometry, inputs, out }: WindowInstruction): void {
  checkGeometry(geometry);
  check(geometry.channels === geometry.outChannels, "a window keeps the channels");
  // A depthwise convolution is zero there, as convolutions are.
  check(
    op.startsWith("depthwise") || geometry.padding.every((padding, i) => padding < geometry.kernel[i]),
    "a window must not lie in the padding",
  );
  const taps = geometry.kernel[0] * geometry.kernel[1];
  check(op !== "windowMaxGradient" || taps <= mostTaps, `a window has ${taps} pixels`);
  const { operands } = chosen(windowOps, op);
  check(inputs.length === operands.length, `${op} takes ${operands.length} inputs`);
  checkF32([...inputs, out]);
}

/** Checks that the sizes of input, window and output match. */
function checkGeometry(geometry: Geometry): void {
  const { images, height, width, channels, kernel, stride, padding, outHeight, outWidth, outChannels } =
    geometry;
  for (const extent of [images, height, width, channels, outHeight, outWidth, outChannels]) {
    checkCount(extent, "extent", 1);
  }
  kernel.forEach((extent) => checkCount(extent, "kernel", 1, mostExtent));
  stride.forEach((extent) => checkCount(extent, "stride", 1, mostExtent));
  padding.forEach((extent) => checkCount(extent, "padding", 0, mostExtent));
  for (const pair of [kernel, stride, padding])
    check(pair.length === 2, "kernel, stride and padding are pairs");
  [height, width].forEach((extent, i) => {
    const out = Math.floor((extent + 2 * padding[i] - kernel[i]) / stride[i]) + 1;
    check(out === [outHeight, outWidth][i], `output extent ${[outHeight, outWidth][i]} should be ${out}`);
  });
  checkSize(
    paddedSize([images, height, width, channels], { stride, padding }),
    "elements of the padded images",
  );
}

function verifyCopy({ extents, from, fromStrides, to, toStrides }: CopyInstruction): void {
  check(extents.length <= 8, "at most 8 extents");
  check(
    fromStrides.length === extents.length && toStrides.length === extents.length,
    "one stride per extent",
  );
  check(from.storage === to.storage && storageBytes[to.storage] === 4, "a copy moves f32 or i32 as they are");
  extents.forEach((extent) => checkCount(extent, "extent", 1));
  checkSize(sizeOf(extents), "elements to move");
  for (const stride of [...fromStrides, ...toStrides]) checkCount(stride, "stride", 0);
  checkWrittenOnce(extents, toStrides);
}

/** In the order of the strides, each axis steps over everything that the axes before it reach. */
function checkWrittenOnce(extents: readonly number[], strides: readonly number[]): void {
  let end = 1;
  const order = extents.map((_, i) => i).sort((a, b) => strides[a] - strides[b]);
  for (const i of order) {
    if (extents[i] === 1) continue;
    check(strides[i] >= end, `stride ${strides[i]} writes an element twice`);
    end += strides[i] * (extents[i] - 1);
  }
}

function checkOperand(what: string, program: Program, operand: Operand, count: number): void {
  const { segment, offset, storage, shape } = operand;
  shape.forEach((extent) => checkCount(extent, "extent of a shape", 0));
  check(segments.includes(segment), `${what} in unknown segment ${segment}`);
  check(Object.hasOwn(storageBytes, storage), `${what} has unknown storage ${storage}`);
  checkCount(offset, "offset", 0);
  check(offset % 4 === 0, `${what} at offset ${offset}, which is not a multiple of 4`);
  const end = offset + count * storageBytes[storage];
  check(
    end <= program.bytes[segment],
    `${what} ends at byte ${end} of ${segment}, which has ${program.bytes[segment]}`,
  );
}

/** The entry of a table under a name that may not be in it. */
function chosen<T>(table: Readonly<Record<string, T>>, name: string): T {
  check(Object.hasOwn(table, name), `unknown operation ${name}`);
  return table[name];
}

function checkF32(operands: readonly Operand[]): void {
  for (const { storage } of operands) check(storage === "f32", `takes f32, got ${storage}`);
}

/** The reference executor compares codes with it. */
function checkLattice(lattice: Lattice | null): void {
  checkCount(lattice?.lo ?? NaN, "the lowest code", Number.MIN_SAFE_INTEGER);
  checkCount(lattice?.hi ?? NaN, "the highest code", lattice?.lo ?? 0);
  checkCount(lattice?.step ?? NaN, "the step of codes", 1, 2);
}

/** Numbers that the kernels count in 64 bits. */
function checkSize(count: number, what: string): void {
  check(count <= mostElements, `${what}: ${count}, more than ${mostElements}`);
}

function checkAxes(axes: number): void {
  checkCount(axes, "axes", 0, 7);
}

function checkCount(value: number, what: string, least: number, most = Number.MAX_SAFE_INTEGER): void {
  check(Number.isSafeInteger(value) && value >= least && value <= most, `${what} is ${value}`);
}

function check(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}
