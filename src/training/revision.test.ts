/** A run says by which rules it was made, and is not read by others. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { evaluateRun } from "./evaluate.js";
import { predictRun } from "./predict.js";
import { loadRun } from "./run.js";
import { base } from "./tiny.test.fixture.js";
import { train } from "./train.js";

const folder = mkdtempSync(join(tmpdir(), "fewbit-revision-"));
const config = join(folder, "config.json");
let made: string;

beforeAll(async () => {
  await train({ ...base, epochs: 1, directory: folder });
  made = readFileSync(config, "utf8");
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Writes into config.json by which revision the run was made. */
const revise = (revision: object): void =>
  writeFileSync(config, JSON.stringify({ ...(JSON.parse(made) as object), revision }));

test("a run that no change affects does not mention a revision", () => {
  expect(JSON.parse(made)).not.toHaveProperty("revision");
});

test("a run of a revision that this fewbit does not know is neither scored nor asked nor resumed", async () => {
  revise({ method: 99 });
  const refusal =
    /^\S+ is of revision 99 of its method, and this fewbit knows those up to \d+; take a newer fewbit$/;
  const { model, method, data } = base;
  await expect(evaluateRun(folder, { model, method, data })).rejects.toThrow(refusal);
  await expect(predictRun(folder, [], { model, method })).rejects.toThrow(refusal);
  await expect(train({ ...base, directory: folder, resume: true })).rejects.toThrow(refusal);
});

test.each([{ method: 0 }, { method: "2" }, { scoring: 1.5 }, 2])("revision %j is damage", (revision) => {
  revise(revision as object);
  expect(() => loadRun(folder)).toThrow(/is damaged: "revision/);
});
