/** A stored run for `eval` and `predict`: its settings, overridden by flags, and its network. */
import type { Command } from "commander";
import { listed, UserError } from "../errors.js";
import type { Network } from "../nn/index.js";
import type { RunOptions } from "../training/config.js";
import { resolveNetwork } from "../training/config.js";
import type { StoredRun, TrainOptions } from "../training/index.js";
import { loadRun } from "../training/index.js";
import { titleOf } from "../training/code.js";
import { asTrained, configurationOf } from "../training/recreate.js";
import { isCodeFile } from "../training/setting.js";
import type { SettingKey } from "../training/settings.js";
import type { Given } from "./given.js";
import { given, overStored, parse, withSource } from "./flags.js";

export interface Stored extends StoredRun {
  readonly from: Given;
  readonly options: RunOptions;
  readonly model: Network;
  readonly method: TrainOptions["method"];
}

/**
 * @param there how to do it in code.
 * @param uses the settings that may name code and that the command uses.
 * @throws UserError for a folder without a run, and for a run from code with parts that are neither fewbit's nor named
 * by flags.
 */
export async function storedRun(
  folder: string,
  command: Command,
  there: string,
  uses: readonly SettingKey[],
): Promise<Stored> {
  const run = loadRun(folder);
  const { config } = run;
  const flags = given(command);
  const recorded = config.options ?? configurationOf(config);
  // The run's folder of data does not apply to another data set. A file in place of a file is compared with the run's.
  const { data, dataDir: _, ...rest } = recorded;
  const isOther = "data" in flags.values && !(isCodeFile(flags.values.data) && isCodeFile(data));
  const settings = isOther ? rest : recorded;
  const lacking = uses.filter((key) => !(key in settings || key in flags.values));
  if (config.options === undefined && lacking.length > 0) {
    const parts = listed(lacking.map((key) => `a ${titleOf(key)}`));
    const words = listed(lacking.map((key) => `--${key} FILE`));
    throw new UserError(
      `${folder} was trained from code, with ${parts} of its own; add ${words}, or ${there}`,
    );
  }
  const from = overStored({ ...config, options: settings }, folder, flags, uses);
  const options = await parse(from);
  const { model, method } = withSource(from, () => resolveNetwork(options));
  return { ...run, from, options, method, model: asTrained(model, config) };
}
