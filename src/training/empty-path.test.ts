/** An empty path, which joined to a file's name is one of the working folder. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { datasets } from "../data/index.js";
import { UserError } from "../errors.js";
import { evaluateRun } from "./evaluate.js";
import { predictRun } from "./predict.js";
import { loadRun, loadWeights } from "../run-folder/index.js";
import { base } from "./tiny.test.fixture.js";
import { train } from "./train.js";

test("is refused wherever a path is taken, though the working folder holds a run", async () => {
  const folder = mkdtempSync(join(tmpdir(), "fewbit-empty-path-"));
  const before = process.cwd();
  try {
    await train({ ...base, epochs: 1, directory: folder });
    process.chdir(folder);
    const files = readdirSync(folder);
    const { model, method, data } = base;
    const refused = new UserError('directory must be a text that is not empty, got ""', "directory");
    for (const manner of [{}, { overwrite: true }, { resume: true }]) {
      await expect(train({ ...base, ...manner, epochs: 2, directory: "" })).rejects.toThrow(refused);
    }
    await expect(evaluateRun("", { model, method, data })).rejects.toThrow(refused);
    await expect(predictRun("", [], { model, method })).rejects.toThrow(refused);
    expect(() => loadRun("")).toThrow(refused);
    expect(() => loadWeights("", "best", model, method)).toThrow(refused);
    await expect(datasets.mnist({ cache: "" })).rejects.toThrow(/^cache must be a text that is not empty/);
    expect(readdirSync(folder)).toEqual(files);
    expect(loadRun(folder).metrics).toHaveLength(1);
  } finally {
    process.chdir(before);
    rmSync(folder, { recursive: true });
  }
});
