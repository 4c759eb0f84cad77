/** Sentences that several writers share. */
import { counted } from "../errors.js";
import { verdict } from "./format.js";
import type { Report, ReportedRun } from "./report.js";
import { isFinished, totalOf } from "./statistics.js";

/** A summary of the report in one or two sentences. */
export function summaryText({ runs, tables, methods }: Report): string {
  const open = runs.filter((run) => !isFinished(run)).length;
  const unfinished = open === 0 ? "" : `, ${open} of them unfinished`;
  const total = totalOf(methods);
  const compared = total.published === 0 ? "" : ` ${verdict(total, " of the published accuracy")}.`;
  return `${counted(runs.length, "run")} in ${counted(tables.length, "table")}${unfinished}.${compared}`;
}

/** What the accuracies are: what the best epochs were chosen on, and which runs counted right answers by an older rule. */
export function accuracyText(runs: readonly ReportedRun[]): string {
  const old = runs.filter(({ scoring }) => scoring === 1).length;
  const ties =
    old === 0
      ? ""
      : ` Of ${counted(runs.length, "run")}, ${old} ${old === 1 ? "was" : "were"} started by an older version of fewbit, which counted an image as wrong where another class had an equal logit ("equal logits wrong" in their settings); fewbit eval scores them by the rule of today, the first of equal logits.`;
  return chosenText(runs) + ties;
}

function chosenText(runs: readonly ReportedRun[]): string {
  const heldOut = runs.filter(({ chosenOn }) => chosenOn === "validation").length;
  const onTest =
    "Best is the highest test accuracy over all epochs, as in the published study, so an optimistic figure; the last epoch's stands beside it.";
  if (heldOut === 0) return onTest;
  const those = `${counted(heldOut, "run")} held training images out: their best is the test accuracy at the epoch that was best on these.`;
  return heldOut === runs.length
    ? `Best is the test accuracy at the epoch that was best on held-out training images.`
    : `${onTest} ${those}`;
}
