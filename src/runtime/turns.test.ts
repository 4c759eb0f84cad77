/** The order in which executors run programs, and read and copy the memory of these and other memory. */
import { expect, test } from "vitest";
import { chooseExecutor } from "./choose.js";
import type { Executor } from "./executor.js";
import { turns } from "./executor.js";
import { addition, buffersFor, floatsIn, memoryWith } from "./native.test.fixture.js";
import { nativeProblem } from "./native.js";

const names = (["native", "wasm", "reference"] as const).filter(
  (name) => name !== "native" || nativeProblem() === undefined,
);

test.each(names)("memory that no run under way uses is read at once on the %s executor", async (name) => {
  const { executor } = chooseExecutor({ executor: name });
  const program = executor.load(addition(1000, 3));
  const buffers = buffersFor(executor, 1000);
  const aside = memoryWith(executor, Float32Array.of(7, 8));
  const run = program.run(buffers);
  /** What a read has filled in before any other task of this thread. */
  const atOnce = (memory: ReturnType<Executor["allocate"]>) => {
    const into = new Float32Array(2);
    const reading = executor.read(memory, 0, into);
    return { seen: [...into], into, reading };
  };
  const [free, used] = [atOnce(aside), atOnce(buffers.outputs)];
  expect([free.seen, used.seen]).toEqual([
    [7, 8],
    [0, 0],
  ]);
  await Promise.all([run, free.reading, used.reading]);
  expect([...used.into]).toEqual([0.5, 1.5]);
});

test.each(names)("a copy may take the memory of an earlier one on the %s executor", async (name) => {
  const { executor } = chooseExecutor({ executor: name });
  const program = executor.load(addition(1000, 3));
  const buffers = buffersFor(executor, 1000);
  const earlier = memoryWith(executor, new Float32Array(1000).fill(3));
  const run = program.run(buffers);
  const copy = executor.copy(buffers.outputs, earlier);
  const copied = floatsIn(executor, copy);
  await run;
  expect(copy).toBe(earlier);
  expect(Array.from(await copied).slice(0, 3)).toEqual([0.5, 1.5, 2.5]);
});

test("tasks end in the order in which they were given, also after one that failed", async () => {
  const { inTurn, whenFree } = turns();
  const [a, b] = [{ bytes: 1 }, { bytes: 1 }];
  const order: string[] = [];
  const task = (name: string) => async () => {
    await Promise.resolve();
    order.push(name);
  };
  const failing = inTurn([a], () => Promise.reject(new Error("failed")));
  const rest = [inTurn([b], task("run")), whenFree(a, task("read a")), whenFree(b, task("read b"))];
  await expect(failing).rejects.toThrow("failed");
  await Promise.all(rest);
  expect(order).toEqual(["run", "read a", "read b"]);
  await expect(whenFree(a, () => order.length)).resolves.toBe(3);
});
