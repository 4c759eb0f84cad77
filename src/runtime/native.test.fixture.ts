/** What the tests of the kernels share: programs of one instruction, run every way there is. */
import { expect } from "vitest";
import { chooseExecutor } from "./choose.js";
import type { Executor, Memory } from "./executor.js";
import { createNativeExecutor, instructionSets } from "./native.js";
import type {
  Instruction,
  MapInstruction,
  MapOperand,
  Operand,
  Program,
  Segment,
  Storage,
} from "./program.js";

/** The kernels in WebAssembly. */
export const wasmExecutor = (): Executor => chooseExecutor({ executor: "wasm" }).executor;

/** Executors that must give the same bits: native for each instruction set of this CPU, on 1, 2 and 3 threads, and with interpreted maps; WebAssembly. */
export const executorGroups: readonly { readonly name: string; readonly executors: readonly Executor[] }[] = [
  {
    name: "native",
    executors: instructionSets().flatMap((instructionSet) => [
      ...[1, 2, 3].map((threads) => createNativeExecutor({ threads, instructionSet })),
      createNativeExecutor({ threads: 1, instructionSet, interpret: true }),
    ]),
  },
  { name: "wasm", executors: [wasmExecutor()] },
].filter(({ executors }) => executors.length > 0);

/** outputs = state + inputs, n values each, `repeat` times. */
export function addition(n: number, repeat = 1): Program {
  const at = (segment: MapOperand["segment"]): MapOperand => ({
    segment,
    offset: 0,
    storage: "f32",
    shape: [n],
    axes: 7,
  });
  const instruction: MapInstruction = {
    kind: "map",
    space: [1, 1, n],
    operands: [at("state"), at("inputs")],
    body: [{ op: "add", arguments: [0, 1] }],
    results: [{ ...at("outputs"), slot: 2, reduction: "none" }],
  };
  return {
    bytes: { constants: 0, state: 4 * n, inputs: 4 * n, outputs: 4 * n, scratch: 0 },
    instructions: new Array<MapInstruction>(repeat).fill(instruction),
    names: {},
    constants: new Uint8Array(0),
  };
}

/** Memory of an executor that holds these values. */
export function memoryWith(executor: Executor, values: ArrayBufferView): Memory {
  const memory = executor.allocate(values.byteLength);
  executor.write(memory, 0, values);
  return memory;
}

/** The floats in memory. */
export async function floatsIn(executor: Executor, memory: Memory): Promise<Float32Array> {
  const floats = new Float32Array(memory.bytes / 4);
  await executor.read(memory, 0, floats);
  return floats;
}

/** Memory for `addition(n)`: 0, 1, 2, ... and halves. */
export function buffersFor(executor: Executor, n: number) {
  return {
    state: memoryWith(
      executor,
      Float32Array.from({ length: n }, (_, i) => i),
    ),
    inputs: memoryWith(executor, new Float32Array(n).fill(0.5)),
    outputs: executor.allocate(4 * n),
  };
}

/** Fills what no instruction should write: a NaN that no operation makes. */
const untouched = 0x7fc1_2345;

/** Memory that grows as values are added; gaps between values show stray writes. */
export class Layout {
  private readonly bytes = { constants: 0, state: 0, inputs: 0, outputs: 0, scratch: 0 };
  private readonly contents: { operand: Operand; data: Float32Array | Int32Array }[] = [];

  add(segment: Segment, shape: readonly number[], storage: Storage = "f32"): Operand {
    const offset = this.bytes[segment] + 4 * (1 + (this.contents.length % 5));
    this.bytes[segment] = offset + 4 * shape.reduce((n, extent) => n * extent, 1);
    return { segment, offset, storage, shape };
  }

  addValues(segment: Segment, shape: readonly number[], data: Float32Array | Int32Array): Operand {
    const operand = this.add(segment, shape, data instanceof Int32Array ? "i32" : "f32");
    this.contents.push({ operand, data });
    return operand;
  }

  program(...instructions: Instruction[]): Program {
    return { bytes: { ...this.bytes }, instructions, names: {}, constants: new Uint8Array(0) };
  }

  /**
   * Runs the program with every executor, expects the same bits and nothing written but `results`,
   * and gives their values.
   */
  async run(
    executors: readonly Executor[],
    program: Program,
    results: readonly Operand[],
  ): Promise<Float32Array[]> {
    const runs: Float32Array[][] = [];
    for (const executor of executors) {
      const segment = (name: Segment): ArrayBuffer =>
        new Uint32Array(program.bytes[name] / 4).fill(untouched).buffer;
      const memory = { state: segment("state"), inputs: segment("inputs"), outputs: segment("outputs") };
      type Held = keyof typeof memory;
      const expected = { ...memory, outputs: memory.outputs.slice(0), state: memory.state.slice(0) };
      for (const { operand, data } of this.contents) {
        for (const buffers of [memory, expected]) {
          const View = data instanceof Int32Array ? Int32Array : Float32Array;
          new View(buffers[operand.segment as Held], operand.offset, data.length).set(data);
        }
      }
      const { state, inputs, outputs } = mapValues(memory, (buffer) =>
        memoryWith(executor, new Uint8Array(buffer)),
      );
      await executor.load(program).run({ state, inputs, outputs });
      await executor.read(state, 0, new Uint8Array(memory.state));
      await executor.read(outputs, 0, new Uint8Array(memory.outputs));
      const view = (buffers: typeof memory, { segment, offset, shape }: Operand) =>
        new Float32Array(
          buffers[segment as Held],
          offset,
          shape.reduce((n, extent) => n * extent, 1),
        );
      const values = results.map((result) => view(memory, result));
      results.forEach((result, i) => view(expected, result).set(values[i]));
      for (const name of ["outputs", "state"] as const) {
        expect(
          sameBits(new Int32Array(memory[name]), new Int32Array(expected[name])),
          `stray writes to ${name}`,
        ).toBe(true);
      }
      runs.push(values);
    }
    runs.forEach((values, i) =>
      values.forEach((value, k) => {
        const { instructionSet, threads } = executors[i];
        expect(sameBits(value, runs[0][k]), `bits with ${instructionSet} and ${threads} threads`).toBe(true);
      }),
    );
    return runs[0];
  }
}

function mapValues<Key extends string, T, U>(
  record: Readonly<Record<Key, T>>,
  change: (value: T) => U,
): Record<Key, U> {
  return Object.fromEntries(Object.entries<T>(record).map(([key, value]) => [key, change(value)])) as Record<
    Key,
    U
  >;
}

export function sameBits(a: Float32Array | Int32Array, b: Float32Array | Int32Array): boolean {
  return Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | Int32Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);
