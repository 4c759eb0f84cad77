import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type * as machine from "../machine.js";
import { estimateRuns, reproduction, runsOf, runStudy } from "./index.js";
import type { Standing } from "./index.js";

const memory = vi.hoisted(() => ({ available: Infinity }));
vi.mock("../machine.js", async (load) => ({
  ...(await load<typeof machine>()),
  availableMemory: () => memory.available,
}));

const cache = mkdtempSync(join(tmpdir(), "fewbit-estimate-"));
beforeAll(() => {
  vi.stubEnv("FEWBIT_CACHE", cache);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true });
});

const rows = (options: object) =>
  reproduction({ table: "mnist", method: "dorefa", epochs: 10, seeds: 3, ...options });
const standing = (
  run: Standing["run"],
  state: Standing["state"] = "open",
  seconds: number[] = [],
): Standing => ({
  run,
  directory: "",
  state,
  metrics: seconds.map((s) => ({ seconds: s })) as unknown as Standing["metrics"],
});

test("an epoch takes as long as those of runs that differ in the seed have taken, else what is estimated", async () => {
  const [alike, [other]] = [rows({ bits: "1/2" }), rows({ bits: "2/2" })];
  const standings = [
    standing(alike[0], "done", Array<number>(10).fill(2000)),
    standing(alike[1], "begun", [2000, 9000]),
    standing(alike[2]),
    standing(other),
  ];
  const { of, measured, isCounted } = await estimateRuns(standings, 1);
  const seconds = standings.map(({ run }) => of.get(run)?.epochSeconds);
  expect(seconds.slice(0, 3)).toEqual([undefined, 2000, 2000]);
  expect(seconds[3]).toBeGreaterThan(0);
  expect(seconds[3]).toBeLessThan(2000);
  expect([measured, isCounted]).toEqual([
    [{ network: "lenet5", images: expect.any(Number) as number }],
    false,
  ]);
});

test("a run that does not fit in memory is found, with the smallest division that does", async () => {
  const [run] = rows({ bits: "1/2" });
  const estimate = async () => (await estimateRuns([standing(run)], 1)).of.get(run)!;
  const { memoryBytes, accumulate } = await estimate();
  expect(accumulate).toBeUndefined();
  memory.available = memoryBytes - 1;
  const needed = (await estimate()).accumulate as number;
  expect(needed).toBeGreaterThan(1);
  const [divided] = rows({ bits: "1/2", given: { accumulate: needed } });
  const fitting = (await estimateRuns([standing(divided)], 1)).of.get(divided)!;
  expect(fitting.memoryBytes).toBeLessThanOrEqual(memory.available);
  expect(fitting.accumulate).toBeUndefined();
  memory.available = 0;
  expect((await estimate()).accumulate).toBe("none");
});

test("a study reports such a run before anything begins, and writes nothing for it", async () => {
  const { runs } = runsOf({ runs: [{ model: "lenet5", epochs: 1 }] }, "study.json");
  memory.available = 1;
  const folder = join(cache, "runs");
  const begun: string[] = [];
  const outcomes = await runStudy(runs, {
    folder,
    threads: 1,
    onBegin: ({ run }) => begun.push(run.name),
  });
  expect(outcomes).toMatchObject([
    {
      state: "open",
      failure: expect.stringMatching(/^lenet5 takes .* but 0.0 KiB is available now; with one/) as string,
    },
  ]);
  expect([begun, existsSync(folder)]).toEqual([[], false]);
});
