/** `fewbit eval`. */
import type { Command } from "commander";
import { resolveData } from "../training/config.js";
import { evaluateRun } from "../training/index.js";
import { withSourceAsync } from "./flags.js";
import { showLoading } from "./loading.js";
import { storedRun } from "./stored.js";
import { chosenText, percent } from "./text.js";

interface Flags {
  readonly last?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

export async function evalCommand(folder: string, command: Command): Promise<void> {
  const { last, quiet = false, json = false } = command.opts<Flags>();
  const run = await storedRun(folder, command, "evaluate it there, with evaluateRun()");
  const { from, options, model, method, config, summary } = run;
  const loading = showLoading(quiet || json);
  const data = await withSourceAsync(from, () =>
    resolveData(options, model, { preparation: config.preparation, ...loading }),
  ).finally(loading.stop);
  const { executor, threads } = options;
  const which = last === true ? "last" : "best";
  const scores = await withSourceAsync(from, () =>
    evaluateRun(folder, { model, method, data, which, executor, threads }),
  );
  if (json) {
    console.log(JSON.stringify({ ...scores, data: data.name, images: data.test.count, directory: folder }));
    return;
  }
  const images = data.test.count.toLocaleString("en-US");
  const name = options.data === "images" ? options.dataDir : data.name;
  console.log(
    `${percent(scores.top1)} of ${images} test images of ${name} right, ${percent(scores.top5)} among the first five, loss ${scores.loss.toFixed(4)}`,
  );
  const chosen = summary === undefined ? "" : `; ${chosenText(summary.chosenOn, config.validation)}`;
  console.log(
    which === "best"
      ? `weights of epoch ${scores.epoch}, the best${chosen}`
      : `weights of epoch ${scores.epoch}, the last`,
  );
}
