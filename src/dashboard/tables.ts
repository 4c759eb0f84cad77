/** The tables of the report as HTML: what the runs that are there reach, beside what was published. */
import type { Collection, FoundRun } from "../experiments/index.js";
import { bestEpoch } from "../training/metrics.js";

/** Goes with `tablesHtml`. */
export const tablesCss = ".tables td { text-align: right; font-variant-numeric: tabular-nums; }\n";

export function tablesHtml({ runs }: Collection): string {
  if (runs.length === 0) return "<p>No run has begun yet.</p>\n";
  const tables = [...groups(runs, ({ dataset, model }) => `${model} on ${dataset}`)]
    .map(([title, ofTable]) => table(title, ofTable))
    .join("");
  return `<div class="tables">${tables}</div>\n`;
}

const heads = ["method", "bits w/a", "runs", "epochs", "best top-1", "last top-1", "published", "difference"];

function table(title: string, runs: readonly FoundRun[]): string {
  const rows = [...groups(runs, cellText)].map(([cell, ofCell]) => row(cell, ofCell));
  const head = heads.map((text) => `<th scope="col">${text}</th>`).join("");
  return `<table><caption>${escape(title)}</caption><thead><tr>${head}</tr></thead><tbody>${rows.join("")}</tbody></table>\n`;
}

const cellText = ({ method, weightBits, activationBits }: FoundRun): string =>
  JSON.stringify([method, `${weightBits ?? "?"}/${activationBits ?? "?"}`]);

/** A cell of the table: the mean over its runs that have an epoch. */
function row(cell: string, runs: readonly FoundRun[]): string {
  const [method, bits] = JSON.parse(cell) as [string, string];
  const begun = runs.filter(({ metrics }) => metrics.length > 0);
  const best = mean(begun.map(({ metrics }) => bestEpoch(metrics)!.test.top1));
  const last = mean(begun.map(({ metrics }) => metrics[metrics.length - 1].test.top1));
  const published = runs[0].published?.top1 ?? undefined;
  const ended = runs.reduce((sum, { metrics }) => sum + metrics.length, 0);
  const planned = runs.reduce((sum, { config }) => sum + config.epochs, 0);
  const difference = best === undefined || published === undefined ? undefined : best - published;
  const sign = difference !== undefined && difference > 0 ? "+" : "";
  const cells = [bits, `${runs.length}`, `${ended}/${planned}`, text(best), text(last), text(published)]
    .map((value) => `<td>${escape(value)}</td>`)
    .join("");
  return `<tr><th scope="row">${escape(method)}</th>${cells}<td>${sign}${text(difference)}</td></tr>`;
}

function groups(
  runs: readonly FoundRun[],
  keyOf: (run: FoundRun) => string,
): ReadonlyMap<string, readonly FoundRun[]> {
  const groups = new Map<string, FoundRun[]>();
  for (const run of runs) groups.set(keyOf(run), [...(groups.get(keyOf(run)) ?? []), run]);
  return groups;
}

const mean = (values: readonly number[]): number | undefined =>
  values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;

const text = (value: number | undefined): string => (value === undefined ? "–" : value.toFixed(2));

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escape = (value: string): string => value.replace(/[&<>"]/g, (c) => escapes[c]);
