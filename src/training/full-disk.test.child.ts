/** The process whose disk `full-disk.test.ts` fills: trains in a directory, or goes on there, as the command line would, and says when an epoch is kept. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../errors.js";
import { RunDirectory } from "../run-folder/index.js";
import { base } from "./tiny.test.fixture.js";
import { train } from "./train.js";

const { commit } = RunDirectory.prototype;
RunDirectory.prototype.commit = function (...all) {
  console.log("commits");
  return commit.apply(this, all);
};

const [directory, epochs, log, checkpointEvery] = process.argv.slice(2);
try {
  await train({
    ...base,
    epochs: Number(epochs),
    directory,
    resume: existsSync(join(directory, "config.json")),
    log: log === "tensorboard" ? [log] : undefined,
    ...(checkpointEvery === undefined ? {} : { batchSize: 1, checkpointEvery: Number(checkpointEvery) }),
  });
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
