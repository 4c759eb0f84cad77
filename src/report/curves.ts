/** Training curves: one panel per method. */
import type { Pen } from "./drawing.js";
import { counted } from "../errors.js";
import { bits } from "./format.js";
import type { Html } from "./markup.js";
import { html } from "./markup.js";
import { colours, distinct } from "./plots.js";
import type { BitPair, ReportedRun, Row, Table } from "./report.js";

/** Lines in a panel, and points in a line, at most. */
const mostLines = 12;
const mostPoints = 200;

/** A table's training curves: one panel per method, one line per cell, that of its first run. */
export function curvePlots(pen: Pen, table: Table, runs: readonly ReportedRun[]): Html {
  const panels = table.rows.flatMap((row) => {
    const lines = linesOf(row, runs);
    return lines.length === 0 ? [] : [{ title: row.title, lines }];
  });
  if (panels.length === 0) return html``;
  const shown = panels.flatMap(({ lines }) => lines.slice(0, mostLines));
  const points = shown.flatMap(({ points: ofLine }) => ofLine);
  const name = `${table.modelTitle} on ${table.dataset}`;
  const scales = {
    epochs: [1, Math.max(2, ...points.map(({ epoch }) => epoch))],
    // The first epochs of a slow method would make all others one line.
    top1: [
      quantile(
        points.map(({ top1 }) => top1),
        0.05,
      ),
      Math.max(...points.map(({ top1 }) => top1)),
    ],
    trainLoss: [
      0,
      quantile(
        points.map(({ trainLoss }) => trainLoss),
        0.98,
      ),
    ],
  };
  const outside = points.some(
    ({ top1, trainLoss }) => top1 < scales.top1[0] || trainLoss > scales.trainLoss[1],
  );
  const hidden = panels.reduce((sum, { lines }) => sum + Math.max(0, lines.length - mostLines), 0);
  const panel = (
    title: string,
    lines: readonly Line[],
    quantity: "top1" | "trainLoss",
    label: string,
  ): Html =>
    pen.draw(
      `${title}, ${name}: ${label} by epoch`,
      `A line for each of ${lines.map(({ pair }) => pair).join(", ")} bits of weights/activations. ${lines
        .map(({ pair, points: ofLine }) => `${pair} ends at ${ofLine.at(-1)![quantity].toFixed(2)}`)
        .join("; ")}.`,
      {
        width: 340,
        height: 190,
        marginLeft: 44,
        marginRight: 10,
        marginBottom: 32,
        x: {
          label: "epoch",
          domain: scales.epochs,
          ticks: Math.min(5, scales.epochs[1] - 1),
          tickFormat: String,
        },
        y: { label, domain: scales[quantity], nice: true, grid: true, ticks: 5 },
        marks: lines.map(({ pair, colour, dash, points: ofLine }) =>
          pen.marks.line(ofLine, {
            x: "epoch",
            y: quantity,
            clip: true,
            title: () => pair,
            stroke: colour,
            strokeDasharray: dash,
            strokeWidth: 1.6,
          }),
        ),
      },
    ).svg;
  const pairs = distinct(shown.map(({ pair }) => pair)).map((pair) =>
    shown.find((line) => line.pair === pair)!,
  );
  return html`<figure class="fb-figure">
    <ul class="fb-pairs">
      ${pairs.map(
        ({ pair, colour, dash }) =>
          html`<li>
            <svg width="30" height="8" aria-hidden="true">
              <line
                x1="0"
                x2="30"
                y1="4"
                y2="4"
                stroke="${colour}"
                stroke-width="2"
                stroke-dasharray="${dash}"
              /></svg
            >${pair}
          </li>`,
      )}
    </ul>
    <div class="fb-curves">
      ${panels.map(({ title, lines }) => {
        const some = lines.slice(0, mostLines);
        return html`<div>
          <h4>${title}</h4>
          ${panel(title, some, "top1", "test top-1, %")}${panel(title, some, "trainLoss", "training loss")}
        </div> `;
      })}
    </div>
    <figcaption>
      ${name}: training curves by bits of weights/activations. Colour: weights; dashes: activations. Of
      several seeds the first is
      drawn.${
        outside &&
        " The axes leave out what is below the 5th percentile of accuracies or above the 98th of losses, such as a first epoch."
      }${hidden > 0 && ` ${counted(hidden, "more line")} would not be legible here; report.json has all.`}
    </figcaption>
  </figure> `;
}

interface Line {
  readonly pair: string;
  readonly colour: string;
  readonly dash: string;
  readonly points: ReportedRun["curve"];
}

function linesOf({ cells }: Row, runs: readonly ReportedRun[]): Line[] {
  return cells.flatMap((cell) => {
    const points = cell.group === null ? [] : runs[cell.group.runs[0]].curve;
    if (points.length === 0) return [];
    return [{ pair: bits(cell), ...strokeOf(cell), points: thinned(points) }];
  });
}

/** Colour by the bits of weights, dashes by those of activations. */
function strokeOf({ weightBits, activationBits }: BitPair): Pick<Line, "colour" | "dash"> {
  const known = [32, 1, 2, 4, 8].indexOf(weightBits ?? 0);
  const dashes = [
    [1, "1.5 2.5"],
    [3, "4 2.5"],
    [8, "8 3"],
  ] as const;
  const dash = dashes.find(([most]) => (activationBits ?? 32) <= most)?.[1] ?? "none";
  return { colour: colours[known === -1 ? 5 : known], dash };
}

/** At most `mostPoints` of a curve, among them the first and the last. */
function thinned(points: ReportedRun["curve"]): ReportedRun["curve"] {
  const step = Math.max(1, Math.ceil((points.length - 1) / (mostPoints - 1)));
  return points.filter((_, i) => i % step === 0 || i === points.length - 1);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.round(share * (sorted.length - 1))];
}
