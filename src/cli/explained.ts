/** Errors of a training that read better with what only the command line knows: its flags, and how the data was named. */
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
  // Such data decides its network's classes.
  const decided =
    dataSetOf(options.data).isFitted === true ? ["data", "preparation", "model"] : ["data", "preparation"];
  return decided.includes(error.field ?? "") ? otherData(directory, options) : error;
}

/** What mends that a run's data is not what it was, where no folder names it. */
const remedies: Readonly<Record<DataSetEntry["files"], string>> = {
  shipped: "resume it with the fewbit that it was begun with",
  downloaded: "name the folder of its own with --data-dir",
  folder: "resume it with the same",
  code: "let it load the same",
};

/** Data that is not a run's, by the setting that named it. */
function otherData(directory: string, { data, dataDir }: RunOptions): UserError {
  const [what, field, remedy] =
    dataDir === undefined
      ? [`data ${data}`, "data", remedies[dataSetOf(data).files]]
      : [dataDir, "dataDir", remedies.folder];
  return new UserError(
    `${what} is not the data that ${directory} was begun with; ${remedy}, or begin another run`,
    field,
  );
}
