import { expect, test } from "vitest";
import { compile } from "../compiler/compile.js";
import { createState } from "../compiler/state.js";
import { UserError } from "../errors.js";
import type { Tensor } from "../graph/index.js";
import { convolution } from "../graph/index.js";
import { chooseExecutor } from "./choose.js";
import { addition, buffersFor, floatsIn, wasmExecutor } from "./native.test.fixture.js";
import { createWasmExecutor } from "./wasm.js";
import { loadWasm } from "./wasm-file.js";

test("is chosen when asked for, with the reason", () => {
  const { executor, reason } = chooseExecutor({ executor: "wasm", threads: 2 });
  expect(executor).toMatchObject({ name: "wasm", instructionSet: "simd128", threads: 1 });
  expect(reason).toBe("the WebAssembly executor on one thread, as asked");
});

test("allocates zeroed memory, and refuses more than exists", async () => {
  const executor = wasmExecutor();
  for (const bytes of [0, 4, 1000, 5_000_000]) {
    const memory = executor.allocate(bytes);
    expect(memory.bytes).toBe(bytes);
    expect((await floatsIn(executor, memory)).every((value) => value === 0)).toBe(true);
  }
  expect(() => executor.allocate(2 ** 46)).toThrow(
    new UserError(
      "one block of 65536.0 GiB of memory cannot be allocated here; use a smaller batch, image or network",
    ),
  );
});

test("runs in order, and lets timers in between instructions", async () => {
  const executor = wasmExecutor();
  const program = executor.load(addition(400_000, 200));
  const buffers = buffersFor(executor, 400_000);
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  const order: number[] = [];
  await Promise.all([1, 2, 3].map((run) => program.run(buffers).then(() => order.push(run))));
  clearInterval(timer);
  expect(order).toEqual([1, 2, 3]);
  expect(turns).toBeGreaterThan(0);
  expect((await floatsIn(executor, buffers.outputs))[123_456]).toBe(123_456.5);
});

test("adds each instruction's time", async () => {
  const executor = wasmExecutor();
  const nanoseconds = new Float64Array(3).fill(1);
  await executor.load(addition(100_000, 3)).run(buffersFor(executor, 100_000), nanoseconds);
  expect(nanoseconds.every((time) => time > 1)).toBe(true);
});

test("refuses memory that is smaller than the program's, and a program that writes outside its segment", async () => {
  const executor = wasmExecutor();
  const program = executor.load(addition(1000));
  await expect(program.run(buffersFor(executor, 999))).rejects.toThrow(RangeError);
  await program.run(buffersFor(executor, 1000));
  const outside = addition(1000);
  expect(() => executor.load({ ...outside, bytes: { ...outside.bytes, outputs: 3996 } })).toThrow("outputs");
});

test("programs take turns in one memory, which grows", async () => {
  const executor = wasmExecutor();
  const [small, large] = [addition(10), addition(2_000_000)].map((program) => executor.load(program));
  const buffers = buffersFor(executor, 2_000_000);
  await Promise.all([small.run(buffers), large.run(buffers), small.run(buffers), large.run(buffers)]);
  expect((await floatsIn(executor, buffers.outputs))[1_999_999]).toBe(1_999_999.5);
});

test("refuses in one line what 32-bit addresses do not reach", async () => {
  const executor = createWasmExecutor(loadWasm().module!);
  expect(executor.memoryLimit).toBeLessThan(2 ** 32);
  const { bytes, ...rest } = addition(10);
  const program = executor.load({ ...rest, bytes: { ...bytes, scratch: 2 ** 32 } });
  await expect(program.run(buffersFor(executor, 10))).rejects.toThrow(
    new UserError(
      "one block of 4.0 GiB of memory cannot be allocated here; use a smaller batch, image or network",
    ),
  );
  const twice = { ...bytes, scratch: 3 * 2 ** 30, constants: 2 * 2 ** 30 };
  await expect(executor.load({ ...rest, bytes: twice }).run(buffersFor(executor, 10))).rejects.toThrow(
    UserError,
  );
  await executor.load(addition(10)).run(buffersFor(executor, 10));
});

test("padding is zeros however wide it is, and refused where its work memory cannot be allocated", async () => {
  const executor = wasmExecutor();
  const convolve = async (height: number, width: number) => {
    const step = compile(
      (_: Record<string, never>, { x, w }: { x: Tensor; w: Tensor }) => ({
        y: convolution(x, w, { padding: [height, width], stride: [height, width] }),
      }),
      { executor },
    );
    const batch = {
      x: { data: Float32Array.of(2), shape: [1, 1, 1, 1] },
      w: { data: Float32Array.of(4), shape: [1, 1, 1, 1] },
    };
    return step(createState<Record<string, never>>({}, { executor }), batch);
  };
  const { y } = await convolve(3000, 3000);
  expect([...y.data]).toEqual([0, 0, 0, 0, 8, 0, 0, 0, 0]);
  await expect(convolve(1, 2 ** 30)).rejects.toThrow(
    "one block of 8.0 GiB of memory cannot be allocated here",
  );
});
