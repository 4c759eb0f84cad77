/** The tables as HTML, for the page and for the dashboard. All classes begin with "fb-". */
import { counted } from "../errors.js";
import { accuracy, bits, extent, missing, points, reference, spread, tableText, top5Text } from "./format.js";
import type { Html } from "./markup.js";
import { html } from "./markup.js";
import type { Cell, Counts, Group, Report, Spread, Table } from "./report.js";
import { tolerance, totalOf } from "./statistics.js";

/** All tables of a report: by method, then one per data set and network. Its style is `tablesCss`. */
export function tablesHtml(report: Report): string {
  return html`<div class="fb-report">
    ${methodTable(report)} ${report.tables.map(tableHtml)} ${report.tables.length > 0 && legend()}
  </div>`.text;
}

/** The counts of cells ahead, within the tolerance and behind, by method. */
export function methodTable({ methods }: Report): Html {
  if (methods.length === 0) return html``;
  const total = totalOf(methods);
  const counts = ({ published, compared, within, ahead, behind }: Counts) =>
    [published, compared, within, ahead, behind].map((value) => html`<td>${value}</td>`);
  return html`<div class="fb-scroll" role="region" aria-label="Cells by method" tabindex="0">
    <table class="fb-methods">
      <caption>
        Cells by method: our best accuracy against the published one
      </caption>
      <thead>
        <tr>
          <th scope="col">method</th>
          <th scope="col">published</th>
          <th scope="col">trained</th>
          <th scope="col">within ${tolerance} points</th>
          <th scope="col">ahead</th>
          <th scope="col">behind</th>
        </tr>
      </thead>
      <tbody>
        ${methods.map(
          (method) =>
            html`<tr>
              <th scope="row">${method.title}</th>
              ${counts(method)}
            </tr> `,
        )}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row">all</th>
          ${counts(total)}
        </tr>
      </tfoot>
    </table>
  </div>`;
}

/** A table in the published layout: methods by bits. */
export function tableHtml(table: Table): Html {
  const { dataset, modelTitle, columns, rows, protocol } = table;
  const name = `${modelTitle} on ${dataset}`;
  const published =
    protocol !== null &&
    ` Published: ${protocol.epochs} epochs, the rate falling to a tenth every ${protocol.decayEvery}.`;
  return html`<p class="fb-about"><strong>${name}.</strong> ${tableText(table)}${published}</p>
    <div class="fb-scroll" role="region" aria-label="${name}" tabindex="0">
      <table class="fb-grid">
        <caption>
          ${name}: methods by bits of weights/activations
        </caption>
        <thead>
          <tr>
            <th scope="col">method</th>
            ${columns.map((pair) => html`<th scope="col">${bits(pair)}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            ({ title, cells }) =>
              html`<tr>
                <th scope="row">${title}</th>
                ${cells.map((cell) => cellHtml(cell, table))}
              </tr> `,
          )}
        </tbody>
      </table>
    </div>
    ${othersHtml(table)}`;
}

function cellHtml(cell: Cell, table: Table): Html {
  const { group, published, difference } = cell;
  const theirs = reference(cell);
  const top5 = published?.top5 == null ? undefined : accuracy(published.top5);
  const text = missing(cell);
  if (text !== undefined) {
    const reported =
      theirs !== undefined &&
      html`<span class="fb-against">published ${theirs}${top5 && ` (top-5 ${top5})`}</span>`;
    return html`<td class="fb-${cell.state}"><span class="fb-missing">${text}</span>${reported}</td>`;
  }
  if (group?.best == null || group.last === null) return html`<td></td>`;
  const against =
    theirs === undefined
      ? html`<span class="fb-against">not in the published table</span>`
      : html`<span class="fb-against"
          >${published?.top1 == null ? "published: " : ""}${theirs}${
            difference !== null && html` <b class="fb-difference">${points(difference)}</b>`
          }</span
        >`;
  const fives = top5Text(cell, table);
  const five = fives !== undefined && html`<span class="fb-detail">top-5 ${fives}</span>`;
  return html`<td class="${levelOf(difference)}">
    <span class="fb-ours">${accuracy(group.best.mean)}${deviationHtml(group.best)}</span
    >${against}${five}<span class="fb-detail">last ${spread(group.last)}</span
    ><span class="fb-detail">${unbroken(extent(group))}</span>
  </td>`;
}

/** Lines end after commas, not between a number and its word. */
const unbroken = (text: string): string => text.replace(/(\d) (?=epoch|seed)/g, "$1\u00a0");

/** " ± 0.03" in small; nothing for one seed. */
const deviationHtml = ({ deviation }: Spread): Html | undefined =>
  deviation === null ? undefined : html` <small>± ${accuracy(deviation)}</small>`;

/** The class of a difference, by which a cell is coloured. */
function levelOf(difference: number | null): string {
  if (difference === null) return "fb-apart";
  if (Math.abs(difference) <= tolerance) return "fb-within";
  const degree = Math.abs(difference) <= 1 ? 1 : Math.abs(difference) <= 3 ? 2 : 3;
  return `fb-${difference > 0 ? "ahead" : "behind"}${degree}`;
}

/** Runs of a cell that it does not show. */
function othersHtml({ rows }: Table): Html {
  const others = rows.flatMap(({ title, cells }) =>
    cells.flatMap((cell) => cell.others.map((group) => ({ title, cell, group }))),
  );
  if (others.length === 0) return html``;
  return html`<details class="fb-others">
    <summary>${counted(others.length, "other setting")} of cells above</summary>
    <p>
      A cell shows the runs that have ended, of these the longest, then the latest revision of the method,
      then those nearest to the published settings (optimizer and rate, preset redbit, gradients in f32), then
      the most accurate.
    </p>
    <ul>
      ${others.map(
        ({ title, cell, group }) =>
          html`<li>
            ${title} ${bits(cell)}: ${groupText(group)} <span class="fb-detail">${group.settings}</span>
          </li> `,
      )}
    </ul>
  </details>`;
}

function groupText(group: Group): string {
  if (group.best === null || group.last === null) return extent(group);
  return `best ${spread(group.best)}, last ${spread(group.last)}, ${extent(group)}`;
}

/** The legend of the colours and numbers of a cell. */
export function legend(): Html {
  const entries: readonly (readonly [string, string])[] = [
    ["fb-ahead2", `ahead by more than ${tolerance} points, stronger from 1 and from 3`],
    ["fb-within", `within ${tolerance} points`],
    ["fb-behind2", `behind by more than ${tolerance} points, stronger from 1 and from 3`],
  ];
  return html`<div class="fb-legend">
    <p>
      A cell: <b>our best</b>, the published accuracy and the difference; our last epoch's; epochs and seeds.
      Several seeds are given as mean ± sample standard deviation. The best epoch is chosen on the test set,
      as in the published study, unless a run held validation images out; all accuracies are those on the test
      set.
    </p>
    <ul>
      ${entries.map(([name, text]) => html`<li><span class="fb-swatch ${name}"></span>${text}</li>`)}
    </ul>
  </div>`;
}

/** Style of the tables, in light and dark as `color-scheme` says. The colours are a blue and an orange that all kinds of colour vision tell apart. */
export const tablesCss = `.fb-report {
  --fb-text: light-dark(#1c2430, #e4e9f0); --fb-muted: light-dark(#5b6675, #a3aebd); --fb-line: light-dark(#d5dbe3, #39434f); --fb-surface: light-dark(#ffffff, #161b22); --fb-head: light-dark(#f1f4f8, #1f2630);
  --fb-within: light-dark(#eef1ec, #252d2f);
  --fb-ahead1: light-dark(#d6e8fa, #17324d); --fb-ahead2: light-dark(#a9cff4, #1a4a78); --fb-ahead3: light-dark(#7db6ec, #1b5c9b);
  --fb-behind1: light-dark(#fdebd3, #43301a); --fb-behind2: light-dark(#fad2a2, #66441a); --fb-behind3: light-dark(#f3b06c, #774a12);
  color: var(--fb-text); font-variant-numeric: tabular-nums;
}
.fb-report .fb-scroll { overflow-x: auto; margin: 0.75rem 0; position: relative; }
.fb-report .fb-about { margin: 1.25rem 0 0; font-size: 0.875rem; color: var(--fb-muted); }
.fb-report .fb-about strong { color: var(--fb-text); }
.fb-report table { border-collapse: collapse; background: var(--fb-surface); font-size: 0.875rem; line-height: 1.45; }
.fb-report .fb-grid { width: 100%; }
.fb-report caption { text-align: left; padding: 0 0 0.4em; color: var(--fb-muted); }
.fb-report .fb-grid caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.fb-report th, .fb-report td { border: 1px solid var(--fb-line); padding: 0.4em 0.5em; vertical-align: top; }
.fb-report thead th, .fb-report tfoot th, .fb-report tfoot td { background: var(--fb-head); font-weight: 600; }
.fb-report tbody th { background: var(--fb-head); font-weight: 600; }
.fb-report th:first-child { text-align: left; }
.fb-report .fb-methods td, .fb-report .fb-methods thead th:not(:first-child) { text-align: right; }
.fb-report .fb-grid th:first-child { position: sticky; left: 0; z-index: 1; }
.fb-report .fb-grid td { min-width: 6.6em; }
.fb-report td > span { display: block; }
.fb-report .fb-ours { font-size: 1.2em; font-weight: 650; white-space: nowrap; }
.fb-report .fb-ours small { font-size: 0.7em; font-weight: 400; }
.fb-report .fb-against, .fb-report .fb-difference { white-space: nowrap; }
.fb-report .fb-detail { font-size: 0.86em; color: var(--fb-muted); }
.fb-report td .fb-detail { color: inherit; opacity: 0.9; font-size: 0.78em; }
.fb-report .fb-missing { font-style: italic; color: var(--fb-muted); }
.fb-report .fb-untrained .fb-against, .fb-report .fb-unfinished .fb-against { color: var(--fb-muted); font-size: 0.86em; white-space: normal; }
.fb-report .fb-within { background: var(--fb-within); }
.fb-report .fb-ahead1 { background: var(--fb-ahead1); }
.fb-report .fb-ahead2 { background: var(--fb-ahead2); }
.fb-report .fb-ahead3 { background: var(--fb-ahead3); }
.fb-report .fb-behind1 { background: var(--fb-behind1); }
.fb-report .fb-behind2 { background: var(--fb-behind2); }
.fb-report .fb-behind3 { background: var(--fb-behind3); }
.fb-report .fb-legend { color: var(--fb-muted); font-size: 0.8125rem; }
.fb-report .fb-legend ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0.4rem 1.5rem; padding: 0; }
.fb-report .fb-swatch { display: inline-block; width: 1.1em; height: 1.1em; margin-right: 0.4em; vertical-align: -0.2em; border: 1px solid var(--fb-line); }
.fb-report .fb-others { font-size: 0.8125rem; color: var(--fb-muted); margin: 0.5rem 0 1rem; }
@media print {
  .fb-report .fb-scroll { overflow: visible; }
  .fb-report table { font-size: 0.62rem; }
  .fb-report .fb-grid td { min-width: 0; }
  .fb-report td, .fb-report th, .fb-report .fb-swatch { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .fb-report tr { break-inside: avoid; }
}
`;
