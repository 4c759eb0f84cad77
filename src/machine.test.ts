import { constants } from "node:buffer";
import type * as os from "node:os";
import { totalmem } from "node:os";
import { afterEach, expect, test, vi } from "vitest";
import { chooseExecutor } from "./runtime/choose.js";
import { arrayProblem, defaultThreads, mostThreads, threadsEach, usableMemory } from "./machine.js";

const machine = vi.hoisted(() => ({ cpus: 0, bytes: 0 }));
vi.mock("node:os", async (load) => ({
  ...(await load<typeof os>()),
  availableParallelism: () => machine.cpus,
  totalmem: () => machine.bytes,
}));

afterEach(() => vi.restoreAllMocks());

test.each([
  [1, 1],
  [8, 8],
  [64, 64],
  [96, 64],
  [384, 64],
])("of %i CPUs a program takes %i by default", (cpus, threads) => {
  machine.cpus = cpus;
  expect(defaultThreads()).toBe(threads);
  expect(chooseExecutor({ executor: "wasm" }).executor.threads).toBe(1);
});

test("programs side by side share the CPUs, each with at most as many threads as there are chunks", () => {
  expect([threadsEach(96, 1), threadsEach(96, 2), threadsEach(96, 5), threadsEach(3, 8)]).toEqual([
    64, 48, 19, 1,
  ]);
  expect(mostThreads).toBe(64);
});

const gibibyte = 2 ** 30;

test.each([
  ["no limit as older systems say it", 2 ** 63, 16],
  ["no limit", 0, 16],
  ["a limit below what there is", 2 * gibibyte, 2],
  ["a limit above what there is", 64 * gibibyte, 16],
])("usable memory: %s", (_, limit, expected) => {
  machine.bytes = 16 * gibibyte;
  vi.spyOn(process, "constrainedMemory").mockReturnValue(limit);
  expect(usableMemory() / gibibyte).toBe(expected);
  expect(totalmem() / gibibyte).toBe(16);
});

test("an array that cannot be allocated is refused with the reason that is true", () => {
  machine.bytes = 2 * constants.MAX_LENGTH;
  const limit = vi.spyOn(process, "constrainedMemory").mockReturnValue(0);
  const most = (constants.MAX_LENGTH / gibibyte).toFixed(1);
  expect(arrayProblem(1.5 * constants.MAX_LENGTH)).toBe(
    `more than one array of Node ${process.versions.node} can hold (${most} GiB; newer ones hold more)`,
  );
  expect(arrayProblem(3 * constants.MAX_LENGTH)).toMatch(/^more than there is \(\d+\.0 GiB\)$/);
  limit.mockReturnValue(gibibyte);
  expect(arrayProblem(1.5 * constants.MAX_LENGTH)).toBe(
    "more than this process may use (1.0 GiB, a limit of its container)",
  );
});
