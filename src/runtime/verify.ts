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
import type {
  Axes,
  CopyInstruction,
  Geometry,
  Instruction,
  MapInstruction,
  MapOp,
  Operand,
  ProductInstruction,
  Program,
  Storage,
  WindowInstruction,
} from "./program.js";
import { checkProgram, mapOps, segments, storageBytes } from "./program.js";

/** Throws an Error that names the instruction and what is wrong with it. */
export function verify(program: Program): void {
  checkProgram(program);
  check(program.constants.byteLength <= program.bytes.constants, "constants exceed their segment");
  for (const segment of segments) {
    checkCount(program.bytes[segment], `bytes of ${segment}`, 0);
    check(program.bytes[segment] % 4 === 0, `bytes of ${segment} are not a multiple of 4`);
  }
  for (const [name, operand] of Object.entries(program.names)) {
    naming(`name ${name}`, () => within("value", program, operand, sizeOf(operand.shape)));
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
  const touched: Touched[] = [];
  const touch = (operand: Operand, count: number, written: boolean, inPlace: boolean): void => {
    within(written ? "result" : "operand", program, operand, count);
    const end = operand.offset + count * storageBytes[operand.storage];
    touched.push({ operand, end, written, inPlace });
  };
  const read: Access = (operand, count, inPlace = false) => touch(operand, count, false, inPlace);
  const write: Access = (operand, count, inPlace = false) => {
    check(operand.segment !== "constants" && operand.segment !== "inputs", `writes to ${operand.segment}`);
    touch(operand, count, true, inPlace);
  };
  verifyAccesses(instruction, read, write);
  checkOverlaps(touched);
}

/** Bytes from the operand's offset to `end` that an instruction reads or writes. */
interface Touched {
  readonly operand: Operand;
  readonly end: number;
  readonly written: boolean;
  /** Whether each element is read before the element that is written in its place, and by nothing later. */
  readonly inPlace: boolean;
}

/** What is written overlaps nothing else, but the operand of a map that a result replaces. */
function checkOverlaps(touched: readonly Touched[]): void {
  for (const a of touched.filter(({ written }) => written)) {
    for (const b of touched) {
      const apart =
        a.operand.segment !== b.operand.segment || a.end <= b.operand.offset || b.end <= a.operand.offset;
      if (a === b || apart) continue;
      const same = a.operand.offset === b.operand.offset && a.operand.storage === b.operand.storage;
      const replaces = !b.written && a.inPlace && b.inPlace && same;
      check(
        replaces,
        `a result at ${a.operand.offset} of ${a.operand.segment} overlaps ${b.written ? "another" : "an operand"}`,
      );
    }
  }
}

function verifyAccesses(instruction: Instruction, read: Access, write: Access): void {
  switch (instruction.kind) {
    case "map":
      return verifyMap(instruction, read, write);
    case "product":
      return verifyProduct(instruction, read, write);
    case "window":
      return verifyWindow(instruction, read, write);
    case "move":
      if (instruction.op === "copy") return verifyCopy(instruction, read, write);
      check(instruction.op === "random", `unknown operation ${String(instruction.op)}`);
      check(
        instruction.from.storage === "i32" && instruction.to.storage === "f32",
        "random needs an i32 key and f32 results",
      );
      checkCount(instruction.stream, "stream", 0, mostStream);
      checkCount(sizeOf(instruction.to.shape), "random numbers", 1, mostRandom);
      read(instruction.from, 2);
      write(instruction.to, sizeOf(instruction.to.shape));
      return;
    default:
      throw new Error("unknown kind");
  }
}

type Access = (operand: Operand, count: number, inPlace?: boolean) => void;

const argumentCount = (op: MapOp): number => {
  const index = mapOps.indexOf(op);
  return index < mapOps.indexOf("add") ? 1 : op === "select" ? 3 : 2;
};

function verifyMap({ space, operands, body, results }: MapInstruction, read: Access, write: Access): void {
  check(space.length === 3, "a space has three extents");
  space.forEach((extent) => checkCount(extent, "space", 1));
  checkSize(valuesWith(space, 7), "elements of the space");
  const isFull = ({ axes }: { readonly axes: Axes }): boolean =>
    valuesWith(space, axes) === valuesWith(space, 7);
  for (const operand of operands) {
    checkAxes(operand.axes);
    read(operand, valuesWith(space, operand.axes), isFull(operand));
  }
  body.forEach(({ op, arguments: slots }, i) => {
    check(mapOps.includes(op), `unknown operation ${op}`);
    check(
      slots.length === argumentCount(op),
      `${op} takes ${argumentCount(op)} arguments, got ${slots.length}`,
    );
    slots.forEach((slot) => checkCount(slot, "slot", 0, operands.length + i - 1));
  });
  for (const { slot, reduction, lattice, ...to } of results) {
    checkCount(slot, "slot", 0, operands.length + body.length - 1);
    if (lattice !== undefined) checkLattice(lattice);
    const writes: readonly Storage[] = reduction === "none" ? ["f32", "i16", "u8", "s8", "bf16"] : ["f32"];
    check(writes.includes(to.storage), `${reduction} cannot write ${to.storage}`);
    const allowed = chosen(
      { none: [7], sum: [0, 1, 4, 5, 6], max: [0, 1, 4, 5, 6], moments: [0, 1, 4, 5] },
      reduction,
    );
    check(allowed.includes(to.axes), `${reduction} cannot have axes ${to.axes}`);
    write(to, valuesWith(space, to.axes) * (reduction === "moments" ? 2 : 1), reduction === "none");
  }
}

function valuesWith(space: readonly number[], axes: Axes): number {
  return space.reduce((product, extent, i) => (axes & (4 >> i) ? product * extent : product), 1);
}

/** x, w, y; g, w, dx; x, g, dw. */
const productStorages: Readonly<Record<ProductInstruction["op"], readonly string[]>> = {
  convolution: ["f32,f32,f32", "u8,s8,i16", "u8,s8,i32", "s8,s8,i16", "s8,s8,i32"],
  convolutionInputGradient: ["f32,f32,f32", "bf16,f32,f32"],
  convolutionFilterGradient: ["f32", "u8", "s8"].flatMap((x) => [`${x},f32,f32`, `${x},bf16,f32`]),
};

function verifyProduct({ op, geometry, inputs, out }: ProductInstruction, read: Access, write: Access): void {
  const { x, y } = checkGeometry(geometry);
  const [height, width] = geometry.kernel;
  const w = height * width * geometry.channels * geometry.outChannels;
  checkSize((y / geometry.outChannels) * w, "multiply-adds");
  const [first, second, result] = chosen(
    {
      convolution: [x, w, y],
      convolutionInputGradient: [y, w, x],
      convolutionFilterGradient: [x, y, w],
    },
    op,
  );
  const storages = [...inputs, out].map((operand) => operand.storage).join();
  check(productStorages[op].includes(storages), `${op} cannot take ${storages}`);
  read(inputs[0], first);
  read(inputs[1], second);
  write(out, result);
}

function verifyWindow({ op, geometry, inputs, out }: WindowInstruction, read: Access, write: Access): void {
  const { x, y } = checkGeometry(geometry);
  check(geometry.channels === geometry.outChannels, "a window keeps the channels");
  check(
    geometry.padding.every((padding, i) => padding < geometry.kernel[i]),
    "a window must not lie in the padding",
  );
  const taps = geometry.kernel[0] * geometry.kernel[1];
  check(op !== "windowMaxGradient" || taps <= mostTaps, `a window has ${taps} pixels`);
  const sizes = chosen(
    { windowSum: [x], windowMax: [x], windowSumGradient: [y], windowMaxGradient: [x, y] },
    op,
  );
  check(inputs.length === sizes.length, `${op} takes ${sizes.length} inputs`);
  checkF32([...inputs, out]);
  inputs.forEach((input, i) => read(input, sizes[i]));
  write(out, op.endsWith("Gradient") ? x : y);
}

/** Sizes of input and output, after checking that they belong together. */
function checkGeometry(geometry: Geometry): { x: number; y: number } {
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
  return { x: images * height * width * channels, y: images * outHeight * outWidth * outChannels };
}

function verifyCopy(instruction: CopyInstruction, read: Access, write: Access): void {
  const { extents, from, fromStrides, to, toStrides } = instruction;
  check(extents.length <= 8, "at most 8 extents");
  check(fromStrides.length === extents.length && toStrides.length === extents.length, "one stride an extent");
  check(from.storage === to.storage && storageBytes[to.storage] === 4, "a copy moves f32 or i32 as they are");
  extents.forEach((extent) => checkCount(extent, "extent", 1));
  checkSize(sizeOf(extents), "elements to move");
  const reach = (strides: readonly number[]): number =>
    strides.reduce((last, stride, i) => {
      checkCount(stride, "stride", 0);
      return last + stride * (extents[i] - 1);
    }, 1);
  read(from, reach(fromStrides));
  write(to, reach(toStrides));
  checkWrittenOnce(extents, toStrides);
}

/** In the order of the strides, each axis steps over all that the axes before it reach. */
function checkWrittenOnce(extents: readonly number[], strides: readonly number[]): void {
  let end = 1;
  const order = extents.map((_, i) => i).sort((a, b) => strides[a] - strides[b]);
  for (const i of order) {
    if (extents[i] === 1) continue;
    check(strides[i] >= end, `stride ${strides[i]} writes an element twice`);
    end += strides[i] * (extents[i] - 1);
  }
}

function within(what: string, program: Program, operand: Operand, count: number): void {
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

/** An entry of a table by a name that may be none of it. */
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

/** What the kernels count in 64 bits. */
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
