/**
 * The pass after scheduling: which values are kept narrower than 32 bits. Codes that only maps and products on
 * codes read are bytes; the sums of such products have 16 bits where their bound allows, else 32.
 * Gradients that are rounded to bf16 are kept as such where products read them so.
 */
import type { Tensor } from "../graph/tensor.js";
import { sizeOf } from "../graph/tensor.js";
import type { Storage } from "../runtime/program.js";
import type { Target } from "../runtime/target.js";
import type { Unit } from "./units.js";
import type { Readers } from "./uses.js";
import { bf16OperandOf } from "./bf16.js";
import { bytesFor, productBound } from "./integers.js";
import { ownerOf } from "./kinds.js";

/** The storage of each value that is not kept as its element type. */
export function chooseStorage(
  units: readonly Unit[],
  readers: Readers,
  results: readonly Tensor[],
  { storages: available, bf16Products }: Target,
): Map<Tensor, Storage> {
  const returned = new Set(results.map((tensor) => ownerOf(tensor).owner));
  const weights = new Set(
    units.flatMap((unit) =>
      unit.kind === "single" && unit.node.op === "convolution" ? [ownerOf(unit.node.inputs[1]).owner] : [],
    ),
  );
  const narrow = new Map<Tensor, "u8" | "s8">();
  for (const unit of units) {
    if (unit.kind !== "map") continue;
    for (const root of unit.roots) {
      if (root.op !== "codes" || returned.has(root)) continue;
      const bytes = bytesFor(root.lattice!).filter((name) => available.includes(name));
      // Kernels take weights as signed bytes only.
      const byte = bytes.find((name) => name === "s8" || !weights.has(root));
      if (byte !== undefined) narrow.set(root, byte);
    }
  }

  // A product is on codes if both operands are; a value that another reader needs as floats is not.
  const byteAt = (tensor: Tensor) => narrow.get(ownerOf(tensor).owner);
  const onCodes = (unit: Unit): boolean => {
    if (unit.kind === "map" || unit.node.op !== "convolution") return false;
    const [x, w] = unit.node.inputs;
    const onlyMaps = (readers.get(unit.node) ?? []).every(({ kind }) => kind === "map");
    return byteAt(x) !== undefined && byteAt(w) === "s8" && onlyMaps && !returned.has(unit.node);
  };
  const takesBytes = (unit: Unit, value: Tensor): boolean => {
    if (unit.kind === "map" || onCodes(unit)) return true;
    const { op, inputs } = unit.node;
    return op === "convolutionFilterGradient" && ownerOf(inputs[1]).owner !== value;
  };
  for (let before = -1; before !== narrow.size;) {
    before = narrow.size;
    for (const value of [...narrow.keys()]) {
      const using = readers.get(value) ?? [];
      // Bytes are worth it where a product reads them.
      const worth = using.some(onCodes);
      if (!worth || !using.every((unit) => takesBytes(unit, value))) narrow.delete(value);
    }
  }

  const storages = new Map<Tensor, Storage>(narrow);
  for (const unit of units) {
    if (unit.kind === "map" || !onCodes(unit)) continue;
    const [x, w] = unit.node.inputs;
    const [a, b] = [x, w].map((tensor) => ownerOf(tensor).owner.lattice!);
    const bound = productBound(a, b, sizeOf(w.shape.slice(0, 3)));
    storages.set(unit.node, bound < 2 ** 15 && available.includes("i16") ? "i16" : "i32");
  }

  // Rounded gradients take half the memory where a product reads them so, and only maps and such products do.
  for (const unit of bf16Products ? units : []) {
    if (unit.kind !== "map") continue;
    for (const root of unit.roots) {
      const using = readers.get(root) ?? [];
      const multiplied = using.filter((reader) => bf16OperandOf(reader) === root);
      const onlyThese = using.every((reader) => reader.kind === "map" || multiplied.includes(reader));
      if (root.op === "bf16" && multiplied.length > 0 && onlyThese && !returned.has(root))
        storages.set(root, "bf16");
    }
  }
  return storages;
}
