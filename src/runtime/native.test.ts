import { pbkdf2 } from "node:crypto";
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { UserError } from "../errors.js";
import { createNativeExecutor, instructionSets, measurePeak, nativeProblem } from "./native.js";
import { addition, buffersFor, floatsIn, memoryWith } from "./native.test.fixture.js";

describe.skipIf(nativeProblem() !== undefined)("the native executor", () => {
  const create = () => createNativeExecutor({ threads: Math.min(4, availableParallelism() + 1) });

  test("allocates zeroed memory of any size", async () => {
    const executor = create();
    for (const bytes of [0, 4, 1000, 1 << 20, 5_000_000]) {
      const memory = executor.allocate(bytes);
      expect(memory.bytes).toBe(bytes);
      const content = new Uint8Array(bytes).fill(1);
      await executor.read(memory, 0, content);
      expect(content.every((byte) => byte === 0)).toBe(true);
    }
  });

  test("refuses more memory than exists", () => {
    expect(() => create().allocate(2 ** 46)).toThrow(UserError);
    expect(() => create().allocate(2 ** 46)).toThrow(
      "one block of 65536.0 GiB of memory cannot be allocated here",
    );
  });

  test("runs in order, without holding up the event loop", async () => {
    const executor = create();
    const program = executor.load(addition(200_000, 50));
    const buffers = buffersFor(executor, 200_000);
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const order: number[] = [];
    await Promise.all([1, 2, 3].map((run) => program.run(buffers).then(() => order.push(run))));
    await new Promise((resolve) => setTimeout(resolve, 5));
    clearInterval(timer);
    expect(order).toEqual([1, 2, 3]);
    expect(turns).toBeGreaterThan(0);
    expect((await floatsIn(executor, buffers.outputs))[123_456]).toBe(123_456.5);
  });

  test("does not wait behind what Node's own threads do", async () => {
    const executor = create();
    const program = executor.load(addition(1000));
    const order: string[] = [];
    // More than Node has threads, each of a tenth of a second and more.
    const others = Array.from({ length: 12 }, async () => {
      await promisify(pbkdf2)("word", "salt", 200_000, 64, "sha512");
      order.push("other");
    });
    await program.run(buffersFor(executor, 1000));
    order.push("run");
    await Promise.all(others);
    expect(order.indexOf("run")).toBeLessThan(4);
    expect(order).toHaveLength(13);
  });

  test("adds each instruction's time", async () => {
    const executor = create();
    const program = executor.load(addition(100_000, 3));
    const nanoseconds = new Float64Array(3).fill(1);
    await program.run(buffersFor(executor, 100_000), nanoseconds);
    expect(nanoseconds.every((time) => time > 1)).toBe(true);
    for (const wrong of [new Float64Array(2), new Float32Array(8) as never, 3 as never]) {
      await expect(program.run(buffersFor(executor, 100_000), wrong)).rejects.toThrow(
        "nanoseconds must be a Float64Array of one number per instruction",
      );
    }
  });

  test("refuses memory that is smaller than the program's", async () => {
    const executor = create();
    const program = executor.load(addition(1000));
    await expect(program.run(buffersFor(executor, 999))).rejects.toThrow(RangeError);
    const buffers = buffersFor(executor, 1000);
    for (const wrong of [undefined, new ArrayBuffer(4000), { bytes: 4000 }, program]) {
      await expect(program.run({ ...buffers, inputs: wrong as never })).rejects.toThrow(
        "inputs must be memory that this executor allocated",
      );
    }
    await program.run(buffers);
  });

  test("copies in and out at any place, and nowhere outside", async () => {
    const executor = create();
    const memory = memoryWith(executor, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    const part = Uint8Array.of(40, 50, 60).subarray(1);
    executor.write(memory, 3, part);
    part.fill(0); // which was copied at once
    const read = async (offset: number, bytes: number) => {
      const into = new Uint8Array(bytes);
      await executor.read(memory, offset, into);
      return [...into];
    };
    expect(await read(0, 8)).toEqual([1, 2, 3, 50, 60, 6, 7, 8]);
    expect(await read(6, 2)).toEqual([7, 8]);
    expect(await read(8, 0)).toEqual([]);
    const copy = executor.copy(memory);
    executor.write(memory, 0, new Uint8Array(8));
    await executor.read(copy, 0, part);
    expect(copy.bytes).toBe(8);
    for (const [offset, bytes] of [
      [7, 2],
      [9, 0],
      [-1, 1],
      [0.5, 1],
      [2 ** 53, 1],
      [NaN, 1],
    ]) {
      expect(() => executor.write(memory, offset, new Uint8Array(bytes))).toThrow(
        /bytes from|offset must be/,
      );
      await expect(read(offset, bytes)).rejects.toThrow(/bytes from|offset must be/);
    }
    expect(() => executor.write({ bytes: 8 }, 0, new Uint8Array(1))).toThrow(
      "memory must be memory that this executor",
    );
  });

  test("reads and copies come after the runs that were started before", async () => {
    const executor = create();
    const program = executor.load(addition(200_000, 50));
    const buffers = buffersFor(executor, 200_000);
    const run = program.run(buffers);
    const copy = executor.copy(buffers.outputs);
    const [outputs, copied] = [floatsIn(executor, buffers.outputs), floatsIn(executor, copy)];
    await run;
    expect((await outputs)[199_999]).toBe(199_999.5);
    expect((await copied)[199_999]).toBe(199_999.5);
  });

  test("refuses a program that would write outside its segment", () => {
    const program = addition(1000);
    expect(() => create().load({ ...program, bytes: { ...program.bytes, outputs: 3996 } })).toThrow(
      "outputs",
    );
  });

  test("programs of one executor may run in turn though their scratch differs", async () => {
    const executor = create();
    const [small, large] = [addition(10), addition(100_000)].map((program) => executor.load(program));
    const buffers = buffersFor(executor, 100_000);
    await Promise.all([large.run(buffers), small.run(buffers), large.run(buffers)]);
    expect((await floatsIn(executor, buffers.outputs))[99_999]).toBe(99_999.5);
  });

  test.skipIf(process.platform !== "linux")("dropped executors leave no threads", async () => {
    const threads = () => readdirSync("/proc/self/task").length;
    const use = async () => {
      const executor = createNativeExecutor({ threads: 24 });
      expect(executor.threads).toBe(24);
      await executor.load(addition(10)).run(buffersFor(executor, 10));
    };
    await use();
    const before = threads();
    for (let i = 0; i < 200; i++) await use();
    await Promise.all(Array.from({ length: 3 }, use));
    // Three runs at a time have three pools, and a thread each that runs them.
    expect(threads()).toBeLessThanOrEqual(before + 2 * (23 + 1));
  });

  test("takes the instruction set from the environment, and refuses one that the CPU has not", () => {
    const before = process.env.FEWBIT_INSTRUCTION_SET;
    try {
      for (const name of instructionSets()) {
        process.env.FEWBIT_INSTRUCTION_SET = name;
        expect(create().instructionSet).toBe(name);
      }
      process.env.FEWBIT_INSTRUCTION_SET = "sse9";
      expect(create).toThrow(UserError);
      expect(create).toThrow("got sse9 (from FEWBIT_INSTRUCTION_SET)");
    } finally {
      if (before === undefined) delete process.env.FEWBIT_INSTRUCTION_SET;
      else process.env.FEWBIT_INSTRUCTION_SET = before;
    }
  });

  test("measures a peak", () => {
    const { operations, bytes } = measurePeak(1);
    expect(operations).toBeGreaterThan(1e9);
    expect(bytes).toBeGreaterThan(1e8);
  });
});
