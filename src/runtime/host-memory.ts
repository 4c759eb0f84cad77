/** Memory of executors that work on array buffers of this JavaScript engine. */
import type { Executor, Memory, Turns } from "./executor.js";
import { allocateOrExplain } from "./executor.js";

/** Memory that is an array buffer. */
class HostMemory implements Memory {
  constructor(readonly buffer: ArrayBuffer) {}

  get bytes(): number {
    return this.buffer.byteLength;
  }
}

/** The buffer behind memory of `hostMemory`. @throws TypeError for any other. */
export function bufferOf(memory: Memory): ArrayBuffer {
  if (memory instanceof HostMemory) return memory.buffer;
  throw new TypeError("this is not memory that this executor allocated");
}

/**
 * An executor's functions on memory.
 *
 * @param turns those of the executor's runs.
 * @param reason why a block cannot be allocated: see `allocateOrExplain`.
 */
export function hostMemory(
  { inTurn, whenFree }: Turns,
  reason?: (bytes: number) => string,
): Pick<Executor, "allocate" | "write" | "read" | "copy"> {
  const allocate = (bytes: number): HostMemory =>
    new HostMemory(allocateOrExplain(bytes, (size) => new ArrayBuffer(size), reason));
  return {
    allocate,
    write: (memory, offset, data) => bytesOf(memory, offset, data.byteLength).set(bytesIn(data)),
    read: (memory, offset, into) =>
      whenFree(memory, () => bytesIn(into).set(bytesOf(memory, offset, into.byteLength))),
    copy: (memory, into = allocate(memory.bytes)) => {
      void inTurn([memory, into], () => bytesOf(into, 0, memory.bytes).set(bytesOf(memory, 0, memory.bytes)));
      return into;
    },
  };
}

const bytesOf = (memory: Memory, offset: number, bytes: number): Uint8Array =>
  new Uint8Array(bufferOf(memory), offset, bytes);

/** The bytes of a typed array's own part of its buffer. */
export const bytesIn = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
