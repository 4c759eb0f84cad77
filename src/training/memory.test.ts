import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import type * as machine from "../machine.js";
import { base } from "./tiny.test.fixture.js";
import { train } from "./train.js";

const memory = vi.hoisted(() => ({ available: Infinity }));
vi.mock("../machine.js", async (load) => ({
  ...(await load<typeof machine>()),
  availableMemory: () => memory.available,
}));
afterEach(() => {
  memory.available = Infinity;
});

const folder = mkdtempSync(join(tmpdir(), "fewbit-memory-"));
afterAll(() => rmSync(folder, { recursive: true }));
const run = (options: object = {}) =>
  train({ ...base, epochs: 1, directory: join(folder, "run"), ...options });
const refusal = (options: object = {}) =>
  run(options).then(
    () => "trained",
    (error: Error) => error.message,
  );

test("a training that does not fit in memory is refused with the division that does", async () => {
  memory.available = 20_000;
  const message = await refusal();
  expect(message).toMatch(
    /^tiny takes [\d.]+ KiB of memory for 16 images at a time, but 19.5 KiB is available now; accumulate \d+ takes [\d.]+ KiB$/,
  );
  expect(readdirSync(folder)).toEqual([]);
  const accumulate = Number(/accumulate (\d+)/.exec(message)?.[1]);
  expect(await refusal({ accumulate: accumulate / 2 })).toContain(`; accumulate ${accumulate} takes `);
  expect(await refusal({ accumulate })).toBe("trained");
  expect(existsSync(join(folder, "run", "summary.json"))).toBe(true);
});

test("where no division fits, other images or another network are asked for", async () => {
  memory.available = 5000;
  expect(await refusal({ directory: join(folder, "none") })).toMatch(
    /but 4.9 KiB is available now; with one image at a time it takes [\d.]+ KiB, so use smaller images or a smaller network, or free memory$/,
  );
  expect(existsSync(join(folder, "none"))).toBe(false);
});
