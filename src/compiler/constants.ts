/** The constants segment: numbers and arrays that are fixed when a program is compiled, each stored once. */
import { ops } from "../graph/ops.js";
import { memoryText, UserError } from "../errors.js";
import type { Tensor } from "../graph/tensor.js";
import { sizeOf } from "../graph/tensor.js";
import type { Operand } from "../runtime/program.js";
import type { MemoryRules } from "./memory.js";
import { alignUp, placeFrom } from "./memory.js";

export class ConstantPool {
  private readonly offsets = new Map<Tensor, number>();
  private readonly parts: { offset: number; data: Float32Array | Int32Array }[] = [];
  private size = 0;

  constructor(private readonly rules: MemoryRules) {}

  operandOf(node: Tensor): Operand {
    let offset = this.offsets.get(node);
    if (offset === undefined) {
      const data = valuesOf(node);
      offset = this.size;
      // Numbers pack densely; arrays are aligned like all other values.
      this.size += data.length === 1 ? data.byteLength : 0;
      if (data.length > 1) {
        offset = placeFrom(this.size, data.byteLength, this.rules);
        this.size = offset + alignUp(data.byteLength, this.rules);
      }
      this.offsets.set(node, offset);
      this.parts.push({ offset, data });
    }
    return { segment: "constants", offset, storage: node.dtype, shape: node.shape };
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(alignUp(this.size, this.rules));
    for (const { offset, data } of this.parts) {
      bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    }
    return bytes;
  }
}

function valuesOf(node: Tensor): Float32Array | Int32Array {
  const { data, value } = node.attributes;
  if (data !== undefined) return data;
  const values = allocate(node);
  if (value !== undefined) values.fill(value);
  else ops[node.op].reference([], { data: values, shape: node.shape }, node.attributes);
  return values;
}

function allocate({ dtype, shape, op }: Tensor): Float32Array | Int32Array {
  const count = sizeOf(shape);
  try {
    return dtype === "i32" ? new Int32Array(count) : new Float32Array(count);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UserError(
      `${op}: the shape [${shape.join(", ")}] needs ${memoryText(4 * count)} in one array, which cannot be allocated; use a smaller shape`,
    );
  }
}
