/** `fewbit predict`. */
import type { Command } from "commander";
import { predictRun } from "../training/index.js";
import { withSourceAsync } from "./flags.js";
import { storedRun } from "./stored.js";
import { percent, print, table, warn } from "./text.js";

interface Flags {
  readonly last?: boolean;
  readonly invert?: boolean;
  readonly json?: boolean;
}

/** The number of classes shown after the best. */
const others = 2;

export async function predictCommand(
  folder: string,
  files: readonly string[],
  command: Command,
): Promise<void> {
  const { last, invert, json = false } = command.opts<Flags>();
  const { from, model, method, options } = await storedRun(
    folder,
    command,
    "classify there, with predictRun()",
    ["model", "method"],
  );
  const { executor, threads } = options;
  const which = last === true ? "last" : "best";
  const { classNames, epoch, predictions } = await withSourceAsync(from, () =>
    predictRun(folder, files, { model, method, which, invert, executor, threads, onWarning: warn }),
  );
  if (json) {
    const answers = predictions.map(({ file, answer, probabilities }) => ({
      file,
      class: classNames[answer],
      probability: probabilities[answer],
      probabilities: Array.from(probabilities),
    }));
    print(
      JSON.stringify({ directory: folder, weights: which, epoch, classes: classNames, predictions: answers }),
    );
    return;
  }
  const rows = predictions.map(({ file, answer, probabilities }) => {
    // The answer comes first among equally probable classes: logits may differ where probabilities round to the same.
    const ranked = Array.from(probabilities.keys()).sort(
      (a, b) => probabilities[b] - probabilities[a] || Number(b === answer) - Number(a === answer),
    );
    const [best, ...rest] = ranked.map((k) => [classNames[k], percent(100 * probabilities[k])]);
    return [
      file,
      ...best,
      rest
        .slice(0, others)
        .map((pair) => pair.join(" "))
        .join(", "),
    ];
  });
  print(table(rows).join("\n"));
}
