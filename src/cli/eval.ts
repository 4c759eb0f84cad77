/** `fewbit eval`. */
import type { Command } from "commander";
import { dataSetNamed, dataSetOf } from "../data/index.js";
import { resolveData } from "../training/config.js";
import type { RunConfig } from "../training/index.js";
import { evaluateRun } from "../training/index.js";
import { counted } from "../errors.js";
import { tieRuleOf } from "../run-folder/index.js";
import { checkAnswerable } from "../training/predict.js";
import { given, withSource, withSourceAsync } from "./flags.js";
import { showLoading } from "./loading.js";
import { storedRun } from "./stored.js";
import { chosenText, percent, print, warn } from "./text.js";

interface Flags {
  readonly last?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

export async function evalCommand(folder: string, command: Command): Promise<void> {
  const { last, quiet = false, json = false } = command.opts<Flags>();
  const run = await storedRun(folder, command, "evaluate it there, with evaluateRun()", [
    "model",
    "method",
    "data",
  ]);
  const { from, options, model, method, config, summary } = run;
  const which = last === true ? "last" : "best";
  const { executor, threads } = options;
  withSource(from, () =>
    checkAnswerable(folder, { model, method, which, executor, threads, onWarning: warn }),
  );
  const loading = showLoading(quiet || json);
  const { preparation } = config;
  const trainedOn = { directory: ownFolder(config), checksum: config.data.checksum };
  const data = await withSourceAsync(from, () =>
    resolveData(options, model, { preparation, trainedOn, ...loading }),
  ).finally(loading.stop);
  const scores = await withSourceAsync(from, () =>
    evaluateRun(folder, { model, method, data, which, executor, threads, onWarning: warn }),
  );
  const { damaged = 0 } = scores;
  const flags = given(command).values;
  const isOwnData = data.checksum === config.data.checksum || !("data" in flags || "dataDir" in flags);
  const line = run.metrics.find(({ epoch }) => epoch === scores.epoch)?.test;
  // The scores that the run kept under an older rule of counting, where they differ.
  const other =
    tieRuleOf(config.revision) === "wrong" &&
    isOwnData &&
    line !== undefined &&
    (line.top1 !== scores.top1 || line.top5 !== scores.top5);
  const kept = other ? { top1: line.top1, top5: line.top5 } : undefined;
  if (json) {
    print(
      JSON.stringify({
        ...scores,
        kept,
        data: data.name,
        images: data.test.count - damaged,
        directory: folder,
      }),
    );
    return;
  }
  const images = (data.test.count - damaged).toLocaleString("en-US");
  const name = dataSetOf(options.data).files === "folder" ? options.dataDir : data.name;
  const firstFive = data.classes > 5 ? `, ${percent(scores.top5)} among the first five` : "";
  print(
    `${percent(scores.top1)} of ${images} ${data.testIsAll === true ? "" : "test "}images of ${name} right${firstFive}, loss ${scores.loss.toFixed(4)}`,
  );
  if (damaged > 0) print(`${counted(damaged, "damaged image")} left out`);
  if (kept !== undefined) {
    print(
      `the run kept ${percent(kept.top1)}${data.classes > 5 ? ` and ${percent(kept.top5)}` : ""}: it was started by an older version of fewbit, which counted an image as wrong where another class had an equal logit`,
    );
  }
  const chosen = summary === undefined ? "" : `; ${chosenText(summary.chosenOn, config.validation)}`;
  print(
    which === "best"
      ? `weights of epoch ${scores.epoch}, the best${chosen}`
      : `weights of epoch ${scores.epoch}, the last`,
  );
}

/** The folder of images that a run was trained on; undefined if it was other data. */
function ownFolder({ options = {} }: RunConfig): string | undefined {
  const { data, dataDir } = options;
  const isFolder = dataSetNamed(data)?.files === "folder";
  return isFolder && typeof dataDir === "string" ? dataDir : undefined;
}
