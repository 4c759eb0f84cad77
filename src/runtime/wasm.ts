/**
 * The WebAssembly executor: Programs run by `wasm/fewbit.wasm`, the kernels with 128-bit vectors, on
 * this thread, in Node and in browsers. It has no fused multiply-add, so its bits are its own; they
 * are the same everywhere.
 *
 * A program's memory is one linear memory, which only the program that runs occupies: segments are
 * copied in before a run and out after it.
 */
import { shown, UserError } from "../errors.js";
import { checkValue, positive } from "../errors/options.js";
import { encode } from "./encode.js";
import { bufferOf, hostMemory } from "./host-memory.js";
import { hostTarget } from "./target.js";
import type { Executor, LoadedProgram } from "./executor.js";
import { allocateOrExplain, runHere, turns } from "./executor.js";
import type { Program } from "./program.js";
import { multipliesBf16, segments } from "./program.js";
import { verify } from "./verify.js";

/** A WebAssembly.Module. */
export type WasmModule = object;

/** The part of the platform's WebAssembly that is used here. */
declare const WebAssembly: {
  readonly Module: new (bytes: ArrayBufferView) => WasmModule;
  readonly Instance: new (module: WasmModule) => { readonly exports: unknown };
};

/** @throws where the engine lacks 128-bit vectors, or the bytes are damaged. */
export function compileWasm(bytes: ArrayBufferView): WasmModule {
  return new WebAssembly.Module(bytes);
}

/** What kernels/wasm.cpp exports. Addresses above 2 GiB come out negative. */
interface Kernels {
  readonly memory: { readonly buffer: ArrayBuffer };
  reset(): void;
  allocate(bytes: number): number;
  load(words: number, count: number): number;
  workBytes(): number;
  place(segment: number, address: number): void;
  run(instruction: number): void;
}

/** What a 32-bit address reaches, less some room for the kernels' own. */
const addressable = 2 ** 32 - 2 ** 24;

/**
 * An executor of the WebAssembly kernels.
 *
 * @param memoryLimit bytes that one program should use at most; default: what WebAssembly can address, 4 GiB.
 */
export function createWasmExecutor(module: WasmModule, memoryLimit = addressable): Executor {
  if (!(module instanceof WebAssembly.Module)) {
    const allowed = "a WebAssembly.Module, such as await fetchWasm() gives";
    throw new UserError(`createWasmExecutor takes ${allowed}, got ${shown(module)}`);
  }
  checkValue("memoryLimit", memoryLimit, positive);
  const kernels = new WebAssembly.Instance(module).exports as Kernels;
  const order = turns();
  /** The program in memory, and where its segments begin. */
  let current: { readonly program: Program; readonly addresses: readonly number[] } | undefined;

  const block = (bytes: number): number =>
    allocateOrExplain(bytes, (size) => {
      if (size > addressable) throw new RangeError("out of address space");
      return kernels.allocate(size) >>> 0;
    });
  const copyIn = (bytes: Uint8Array, address: number): void =>
    new Uint8Array(kernels.memory.buffer).set(bytes, address);

  /** Makes a program the current one. */
  function makeCurrent(program: Program, words: Int32Array): readonly number[] {
    if (current?.program === program) return current.addresses;
    current = undefined;
    kernels.reset();
    const at = block(words.byteLength);
    copyIn(new Uint8Array(words.buffer), at);
    const problem = kernels.load(at, words.length) >>> 0;
    if (problem !== 0) throw new Error(textAt(kernels.memory.buffer, problem));
    // After the segments: see place in kernels/wasm.cpp.
    kernels.place(segments.length, block(kernels.workBytes()));
    const addresses = segments.map((segment, i) => {
      const address = block(program.bytes[segment]);
      kernels.place(i, address);
      return address;
    });
    copyIn(program.constants, addresses[segments.indexOf("constants")]);
    current = { program, addresses };
    return addresses;
  }

  return {
    name: "wasm",
    instructionSet: "simd128",
    threads: 1,
    target: hostTarget,
    memoryLimit: Math.min(memoryLimit, addressable),
    ...hostMemory(order),
    load(program): LoadedProgram {
      verify(program);
      if (multipliesBf16(program)) throw new Error("simd128 has no products of bf16");
      const words = encode(program);
      return {
        program,
        run: (memory, nanoseconds) =>
          order.inTurn([memory.state, memory.inputs, memory.outputs], async () => {
            const addresses = makeCurrent(program, words);
            const copied = (["state", "inputs", "outputs"] as const).map((name) => ({
              name,
              address: addresses[segments.indexOf(name)],
              bytes: new Uint8Array(bufferOf(memory[name]), 0, program.bytes[name]),
            }));
            for (const { bytes, address } of copied) copyIn(bytes, address);
            await runHere(program.instructions.length, (i) => kernels.run(i), nanoseconds);
            for (const { name, bytes, address } of copied) {
              if (name === "inputs") continue;
              bytes.set(new Uint8Array(kernels.memory.buffer, address, bytes.length));
            }
          }),
      };
    },
  };
}

/** The zero-terminated text at an address. */
function textAt(buffer: ArrayBuffer, address: number): string {
  const bytes = new Uint8Array(buffer, address);
  return String.fromCharCode(...bytes.subarray(0, bytes.indexOf(0)));
}
