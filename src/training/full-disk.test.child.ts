/** The process whose disk `full-disk.test.ts` fills: trains in a directory, or goes on there, as the command line would. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../errors.js";
import { base } from "./tiny.test.fixture.js";
import { train } from "./train.js";

const [directory, epochs, log] = process.argv.slice(2);
try {
  await train({
    ...base,
    epochs: Number(epochs),
    directory,
    resume: existsSync(join(directory, "config.json")),
    log: log === undefined ? undefined : ["tensorboard"],
  });
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
