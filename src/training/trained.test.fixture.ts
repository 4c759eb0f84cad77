/** A run that the tests of a file share. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { base } from "./tiny.test.fixture.js";
import type { TrainOptions } from "./train.js";
import { train } from "./train.js";

/** The folder of a run of `base`, of one epoch, that is trained before the file's tests and removed after them. */
export function trainedRun(change: Partial<TrainOptions> = {}): string {
  const directory = mkdtempSync(join(tmpdir(), "fewbit-run-"));
  beforeAll(async () => {
    await train({ ...base, epochs: 1, ...change, directory });
  });
  afterAll(() => rmSync(directory, { recursive: true }));
  return directory;
}
