/** Rewords errors of a training with what only the command line knows: its flags, and how the data was named. */
import type { DataSetEntry } from "../data/index.js";
import { dataSetOf } from "../data/index.js";
import { quoted, UserError } from "../errors.js";
import type { RunOptions } from "../training/config.js";

/** An error of the training in a folder, in the words of the command line. */
export function explained(error: unknown, directory: string, options: RunOptions): unknown {
  if (!(error instanceof UserError)) return error;
  if (error.code === "holdsRun") {
    return new UserError(
      `${directory} holds a run already; go on with --resume ${quoted(directory)}, replace it with --overwrite, or choose another --out`,
      undefined,
      error.code,
    );
  }
  if (error.code === "unwritten") {
    return new UserError(
      error.message.replace(/resume the run$/, `go on with --resume ${quoted(directory)}`),
    );
  }
  // Such data determines its network's classes.
  const decided =
    dataSetOf(options.data).isFitted === true ? ["data", "preparation", "model"] : ["data", "preparation"];
  return decided.includes(error.field ?? "") ? otherData(directory, options) : error;
}

/** What to do when a run's data has changed, where no folder names it. */
const remedies: Readonly<Record<DataSetEntry["files"], string>> = {
  shipped: "resume it with the fewbit that it was started with",
  downloaded: "name the folder of its own with --data-dir",
  folder: "resume it with the same",
  code: "let it load the same",
};

/** The error for data that is not the run's, by the setting that named the data. */
function otherData(directory: string, { data, dataDir }: RunOptions): UserError {
  const [what, field, remedy] =
    dataDir === undefined
      ? [`data ${data}`, "data", remedies[dataSetOf(data).files]]
      : [dataDir, "dataDir", remedies.folder];
  return new UserError(
    `${what} is not the data that ${directory} was started with; ${remedy}, or start another run`,
    field,
  );
}
