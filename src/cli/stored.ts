/** A stored run as `eval` and `predict` take it: its settings with flags over them, and its network. */
import type { Command } from "commander";
import { UserError } from "../errors.js";
import type { Network } from "../nn/index.js";
import { fitted } from "../nn/index.js";
import type { RunOptions } from "../training/config.js";
import { resolveNetwork } from "../training/config.js";
import type { StoredRun, TrainOptions } from "../training/index.js";
import { loadRun } from "../training/index.js";
import { isCodeFile } from "../training/setting.js";
import type { SettingKey } from "../training/settings.js";
import type { Given } from "./flags.js";
import { given, overStored, parse, withSource } from "./flags.js";

export interface Stored extends StoredRun {
  readonly from: Given;
  readonly options: RunOptions;
  readonly model: Network;
  readonly method: TrainOptions["method"];
}

/**
 * @param there what does it in code.
 * @param uses of the settings that may name code, those that the command makes use of.
 * @throws UserError for a folder without a run of the command line.
 */
export async function storedRun(
  folder: string,
  command: Command,
  there: string,
  uses: readonly SettingKey[],
): Promise<Stored> {
  const run = loadRun(folder);
  const { config } = run;
  if (config.options === undefined) throw new UserError(`${folder} was trained from code; ${there}`);
  const flags = given(command);
  // Another data set than the run's has another folder, or none. A file for a file is compared with the run's.
  const { data, dataDir: _, ...rest } = config.options;
  const isOther = "data" in flags.values && !(isCodeFile(flags.values.data) && isCodeFile(data));
  const settings = isOther ? rest : config.options;
  const from = overStored({ ...config, options: settings }, folder, flags, uses);
  const options = await parse(from);
  const { model, method } = withSource(from, () => resolveNetwork(options));
  return { ...run, from, options, method, model: fitted(model, config.model) };
}
