/** The plots of a report: accuracy against bits and against cost, and training curves. */
import type { Drawing, Pen } from "./drawing.js";
import { accuracy, bits, count, counted, operations, size } from "./format.js";
import type { Html } from "./markup.js";
import { html } from "./markup.js";
import type { BitPair, Cell, CostName, Point, ReportedRun, Row, Table } from "./report.js";

const colours = [
  "var(--fb-s1)",
  "var(--fb-s2)",
  "var(--fb-s3)",
  "var(--fb-s4)",
  "var(--fb-s5)",
  "var(--fb-s6)",
];
const symbols = [
  "circle",
  "square",
  "triangle",
  "diamond",
  "star",
  "wye",
  "cross",
  "asterisk",
  "times",
  "plus",
];

/** As many as there are names; where they run out they begin again. */
const cycle = (values: readonly string[], names: readonly string[]): string[] =>
  names.map((_, i) => values[i % values.length]);

const distinct = <T>(values: readonly T[]): T[] => [...new Set(values)];

function figure({ svg, legend }: Drawing, caption: string): Html {
  return html`<figure class="fb-figure fb-wide">
    ${legend}${svg}
    <figcaption>${caption}</figcaption>
  </figure> `;
}

/** Room above and below the accuracies. */
function accuracyDomain(values: readonly number[]): [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = Math.max(0.08 * (high - low), 0.05);
  return [low - room, Math.min(100, high + room)];
}

/** A table's accuracies against the bits of weights, a panel a method; the mark tells the bits of activations. */
export function bitWidthPlot({ marks, draw }: Pen, table: Table, all: readonly Point[]): Html {
  const points = all.filter(({ dataset, model }) => dataset === table.dataset && model === table.model);
  const told = points.filter(
    ({ weightBits, activationBits }) => weightBits !== null && activationBits !== null,
  );
  if (told.length === 0) return html``;
  const descending = (a: number, b: number) => b - a;
  const activations = distinct(told.map((point) => point.activationBits!))
    .sort(descending)
    .map(String);
  const methods = distinct(told.map(({ methodTitle }) => methodTitle));
  const data = told.map((point) => ({
    ...point,
    weights: String(point.weightBits),
    activations: String(point.activationBits),
    text: describe(point),
  }));
  const at = (name: string, dx: number) => ({
    fx: "methodTitle",
    x: "weights",
    y: name,
    symbol: "activations",
    dx,
  });
  const name = `${table.modelTitle} on ${table.dataset}`;
  const known = told.some(({ published }) => published !== null);
  const drawing = draw(
    `Accuracy against bit width: ${name}`,
    `Best test accuracy of each cell by bits of its weights, a panel a method; the symbol tells the bits of activations. ${told.map(describe).join("; ")}.`,
    {
      ...{ width: Math.max(480, 70 + 125 * methods.length), height: 300, marginLeft: 50, marginTop: 30 },
      fx: { domain: methods, label: null },
      x: {
        ...{ type: "point", label: "bits of weights", padding: 0.6 },
        domain: distinct(told.map((point) => point.weightBits!))
          .sort((a, b) => a - b)
          .map(String),
      },
      y: {
        ...{ label: "test top-1, %", grid: true, nice: true },
        domain: accuracyDomain(
          told.flatMap(({ top1, published }) => (published === null ? [top1] : [top1, published])),
        ),
      },
      symbol: { domain: activations, range: cycle(symbols, activations), legend: true },
      color: { domain: activations, range: cycle(colours, activations) },
      marks: [
        marks.frame({ stroke: "currentColor", strokeOpacity: 0.25 }),
        ...activations.flatMap((value, i) => {
          const dx = 5 * (i - (activations.length - 1) / 2);
          const some = data.filter((point) => point.activations === value);
          const theirs = some.filter(({ published }) => published !== null);
          return [
            marks.dot(theirs, {
              ...at("published", dx),
              r: 4,
              stroke: "currentColor",
              strokeOpacity: 0.45,
              fill: "none",
            }),
            marks.dot(some, { ...at("top1", dx), r: 4, fill: "activations", stroke: "none", title: "text" }),
          ];
        }),
      ],
    },
  );
  const caption = `${name}: accuracy against bits of weights. Symbol: bits of activations.${known ? " Outlined: the published accuracy." : ""}`;
  return figure(drawing, caption);
}

const costs: Readonly<
  Record<CostName, { label: string; unit: number; text: (value: number) => string; title: string }>
> = {
  bytes: { label: "weights in memory, KiB", unit: 1024, text: size, title: "model size" },
  bitOperations: {
    label: "bit operations of one image, millions",
    unit: 1e6,
    text: operations,
    title: "bit operations",
  },
};

/** A data set's accuracies against what they cost, with the front. */
export function costPlot({ marks, draw }: Pen, dataset: string, all: readonly Point[], cost: CostName): Html {
  const points = all.filter((point) => point.dataset === dataset && point.cost !== null);
  if (points.length === 0) return html``;
  const { label, unit, text, title } = costs[cost];
  const several = distinct(points.map(({ model }) => model)).length > 1;
  const methods = distinct(points.map(({ methodTitle }) => methodTitle));
  const data = points.map((point) => ({
    ...point,
    x: point.cost![cost] / unit,
    name: `${several ? `${point.modelTitle} ` : ""}${point.methodTitle} ${bits(point)}`,
    text: `${describe(point)}, ${text(point.cost![cost])}`,
  }));
  const front = data.filter(({ onFront }) => onFront[cost]).sort((a, b) => a.x - b.x);
  const values = data.map(({ x }) => x);
  const drawing = draw(
    `Accuracy against ${title}: ${dataset}`,
    `Best test accuracy of each cell by ${label}, logarithmic. On the Pareto front: ${front.map((point) => point.text).join("; ")}.`,
    {
      ...{ width: 760, height: 380, marginLeft: 50, marginTop: 30, marginRight: 30 },
      x: {
        ...{ type: "log", label, grid: true, ticks: 6, tickFormat: (value: number) => count(value) },
        domain: [Math.min(...values) / 2.2, Math.max(...values) * 1.4],
      },
      y: {
        label: "test top-1, %",
        grid: true,
        nice: true,
        domain: accuracyDomain(data.map(({ top1 }) => top1)),
      },
      symbol: { domain: methods, range: cycle(symbols, methods), legend: true },
      color: { domain: methods, range: cycle(colours, methods) },
      marks: [
        marks.line(front, {
          ...{ x: "x", y: "top1", curve: "step-after" },
          ...{ stroke: "currentColor", strokeOpacity: 0.5, strokeDasharray: "4 3" },
        }),
        marks.dot(data, {
          x: "x",
          y: "top1",
          symbol: "methodTitle",
          fill: "methodTitle",
          r: 4.5,
          title: "text",
        }),
        marks.text(front, {
          ...{ x: "x", y: "top1", text: "name", textAnchor: "end", dx: -7, dy: -7, fontSize: 10 },
          ...{ stroke: "var(--fb-surface)", strokeWidth: 3, fill: "currentColor" },
        }),
      ],
    },
  );
  return figure(
    drawing,
    `${dataset}: accuracy against ${title}. Dashed: the Pareto front, whose cells are named; none is as accurate for less.`,
  );
}

const describe = (point: Point): string =>
  `${point.modelTitle} ${point.methodTitle} ${bits(point)}: ${accuracy(point.top1)}%${
    point.published === null ? "" : ` (published ${accuracy(point.published)}%)`
  }`;

/** Lines in a panel, and points in a line, at most. */
const mostLines = 12;
const mostPoints = 200;

/** A table's training curves: a panel a method, a line a cell, which its first run stands for. */
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
        ...{ width: 340, height: 190, marginLeft: 44, marginRight: 10, marginBottom: 32 },
        x: {
          label: "epoch",
          domain: scales.epochs,
          ticks: 5,
          tickFormat: (value: number) => (Number.isInteger(value) ? String(value) : ""),
        },
        y: { label, domain: scales[quantity], nice: true, grid: true, ticks: 5 },
        marks: lines.map(({ pair, colour, dash, points: ofLine }) =>
          pen.marks.line(ofLine, {
            ...{ x: "epoch", y: quantity, clip: true, title: () => pair },
            ...{ stroke: colour, strokeDasharray: dash, strokeWidth: 1.6 },
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
        hidden > 0 && ` ${counted(hidden, "more line")} would not be legible here; report.json has all.`
      }
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
  return cells.flatMap((cell: Cell) => {
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
