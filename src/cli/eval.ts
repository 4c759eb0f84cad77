/** `fewbit eval`. */
import type { Command } from "commander";
import { UserError } from "../errors.js";
import { resolveData, resolveNetwork } from "../training/config.js";
import { evaluateRun, loadRun } from "../training/index.js";
import { given, overStored, parse, withSource, withSourceAsync } from "./flags.js";
import { chosenText, percent } from "./text.js";

export async function evalCommand(folder: string, command: Command): Promise<void> {
  const { last, json } = command.opts<{ last?: boolean; json?: boolean }>();
  const { config, summary } = loadRun(folder);
  if (config.options === undefined) {
    throw new UserError(`${folder} was trained from code; evaluate it there, with evaluateRun()`);
  }
  const flags = given(command);
  // Another data set than the run's has another folder, or none.
  const { data: _data, dataDir: _dataDir, ...rest } = config.options;
  const stored = "data" in flags.values ? rest : config.options;
  const from = overStored(stored, folder, flags);
  const options = parse(from);
  const { model, method } = withSource(from, () => resolveNetwork(options));
  const data = await withSourceAsync(from, () => resolveData(options));
  const { executor, threads } = options;
  const which = last === true ? "last" : "best";
  const scores = await withSourceAsync(from, () =>
    evaluateRun(folder, { model, method, data, which, executor, threads }),
  );
  if (json === true) {
    console.log(JSON.stringify({ ...scores, data: data.name, images: data.test.count, directory: folder }));
    return;
  }
  const images = data.test.count.toLocaleString("en-US");
  console.log(
    `${percent(scores.top1)} of ${images} test images of ${data.name} right, ${percent(scores.top5)} among the first five, loss ${scores.loss.toFixed(4)}`,
  );
  const chosen = summary === undefined ? "" : `; ${chosenText(summary.chosenOn, config.validation)}`;
  console.log(
    which === "best"
      ? `weights of epoch ${scores.epoch}, the best${chosen}`
      : `weights of epoch ${scores.epoch}, the last`,
  );
}
