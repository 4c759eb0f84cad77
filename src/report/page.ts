/** The report as one HTML page that needs nothing else: style and plots are in it, scripts are not. */
import { curvePlots } from "./curves.js";
import { createPen, plotsCss } from "./drawing.js";
import { accuracy, bits, operations, points, size } from "./format.js";
import { Html, html } from "./markup.js";
import { bitWidthPlot, costPlot } from "./plots.js";
import { accuracyText, summaryText } from "./prose.js";
import type { Report, ReportedRun } from "./report.js";
import { isFinished, runDifference } from "./statistics.js";
import { legend, methodTable, tableHtml, tablesCss } from "./tables-html.js";

/** The number of runs up to which their list is open at first. */
const mostOpen = 30;

export async function page(report: Report): Promise<string> {
  const { title, tables, runs, warnings } = report;
  const pen = await createPen();
  const datasets = [...new Set(tables.map(({ dataset }) => dataset))];
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>
${styles}</style>
</head>
<body class="fb-report">
<header><h1>${title}</h1>
<p>${summaryText(report)}</p>
<p class="fb-note">${accuracyText(runs)}</p>
${
  datasets.length > 1 &&
  html`<nav aria-label="Data sets">
    <ul>
      ${datasets.map((name, i) => html`<li><a href="#data-${i}">${name}</a></li>`)}
    </ul>
  </nav>`
}
</header>
<main>
${methodTable(report)}
${datasets.map((dataset, i) => {
  const ofDataset = tables.filter((table) => table.dataset === dataset);
  return html`<section id="data-${i}">
    <h2>${dataset}</h2>
    ${ofDataset.map(tableHtml)} ${legend()}
    <h3>Accuracy against bits and cost</h3>
    ${ofDataset.map((table) => bitWidthPlot(pen, table, report.points))}
    <div class="fb-costs">
      ${costPlot(pen, dataset, report.points, "bytes")}
      ${costPlot(pen, dataset, report.points, "bitOperations")}
    </div>
    ${ofDataset.map(
      (table) =>
        html`<h3>Training curves: ${table.modelTitle}</h3>
          ${curvePlots(pen, table, runs)}`,
    )}
  </section> `;
})}
<section><h2>Runs</h2>
<details${runs.length <= mostOpen && html` open`}><summary>All runs with their settings</summary>
${runTable(runs)}</details></section>
${
  warnings.length > 0 &&
  html`<section>
    <h2>Left out</h2>
    <ul>
      ${warnings.map((line) => html`<li>${line}</li>`)}
    </ul>
  </section>`
}
</main>
</body>
</html>
`.text;
}

function runTable(runs: readonly ReportedRun[]): Html {
  const heads = [
    "run",
    "network",
    "data",
    "method",
    "bits",
    "seed",
    "epochs",
    "best",
    "last",
    "published",
    "memory",
    "bit operations",
    "settings",
  ];
  return html`<div class="fb-scroll" role="region" aria-label="Runs" tabindex="0">
    <table class="fb-runs">
      <caption>
        Bits are those of weights/activations; memory is that of the weights packed at their bits; bit
        operations are those of one image.
      </caption>
      <thead>
        <tr>
          ${heads.map((head) => html`<th scope="col">${head}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${runs.map(
          (run) =>
            html`<tr>
              <th scope="row">${run.name}</th>
              ${cellsOf(run).map((cell) => html`<td>${cell}</td>`)}
            </tr> `,
        )}
      </tbody>
    </table>
  </div>`;
}

function cellsOf(run: ReportedRun): (string | Html)[] {
  const { best, last, published, cost, costMissing } = run;
  const difference = runDifference(run);
  return [
    ...[run.model, run.dataset, run.methodTitle, bits(run), String(run.seed)],
    isFinished(run) ? String(run.epochs) : `${run.epochs} of ${run.epochsPlanned}`,
    best === null ? "" : `${accuracy(best.top1)} (epoch ${best.epoch})`,
    last === null ? "" : accuracy(last.top1),
    published === null
      ? ""
      : `${accuracy(published)}${difference === null ? "" : ` (${points(difference)})`}`,
    ...(cost === null
      ? [html`<span class="fb-detail">${costMissing}</span>`, ""]
      : [size(cost.bytes), operations(cost.bitOperations)]),
    run.settings,
  ];
}

const styles = new Html(`:root { color-scheme: light dark; }
body { margin: 0 auto; padding: 1.5rem clamp(0.75rem, 3vw, 2rem) 4rem; max-width: 80rem; background: #fbfcfd;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif; }
@media (prefers-color-scheme: dark) { body { background: #0f1318; } }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 0.75rem; }
h2 { font-size: 1.35rem; margin: 2.5rem 0 0.5rem; border-bottom: 1px solid var(--fb-line); padding-bottom: 0.25rem; }
h3 { font-size: 1.05rem; margin: 1.75rem 0 0.5rem; }
h4 { font-size: 0.9rem; margin: 0 0 0.25rem; }
.fb-note { color: var(--fb-muted); font-size: 0.9rem; max-width: 50rem; }
nav ul { display: flex; flex-wrap: wrap; gap: 0.5rem 1.25rem; list-style: none; padding: 0; }
a { color: inherit; }
summary { cursor: pointer; }
.fb-runs { white-space: nowrap; font-size: 0.8125rem !important; }
.fb-runs caption { white-space: normal; }
@page { size: A4 landscape; margin: 12mm; }
@media print { body { max-width: none; padding: 0; background: none; } .fb-runs { white-space: normal; font-size: 0.55rem !important; } }
${tablesCss}${plotsCss}`);
