/** Accuracy against bits and against cost. */
import type { Drawing, Pen } from "./drawing.js";
import { accuracy, bits, count, operations, size } from "./format.js";
import type { Html } from "./markup.js";
import { html } from "./markup.js";
import type { CostName, Point, Table } from "./report.js";

export const colours = [
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
  "cross",
  "wye",
  "asterisk",
  "times",
  "plus",
];

/** One value per name; when the values run out they repeat. */
const cycle = (values: readonly string[], names: readonly string[]): string[] =>
  names.map((_, i) => values[i % values.length]);

/** A legend of the symbols in their colours. */
const keyed = { legend: true, fill: "color", stroke: "none" };

export const distinct = <T>(values: readonly T[]): T[] => [...new Set(values)];

function figure({ svg, legend }: Drawing, legendLabel: string, caption: string): Html {
  return html`<figure class="fb-figure">
    <div class="fb-key">${legendLabel} ${legend}</div>
    ${svg}
    <figcaption>${caption}</figcaption>
  </figure>`;
}

/** Room above and below the accuracies. */
function accuracyDomain(values: readonly number[]): [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = Math.max(0.08 * (high - low), 0.05);
  return [low - room, Math.min(100, high + room)];
}

/** A table's accuracies against the bits of weights, one panel per method; the mark shows the bits of activations. */
export function bitWidthPlot({ marks, draw }: Pen, table: Table, all: readonly Point[]): Html {
  const points = all.filter(({ dataset, model }) => dataset === table.dataset && model === table.model);
  const complete = points.filter(
    ({ weightBits, activationBits }) => weightBits !== null && activationBits !== null,
  );
  if (complete.length === 0) return html``;
  const descending = (a: number, b: number) => b - a;
  const activations = distinct(complete.map((point) => point.activationBits!))
    .sort(descending)
    .map(String);
  const methods = distinct(complete.map(({ methodTitle }) => methodTitle));
  const data = complete.map((point) => ({
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
  const known = complete.some(({ published }) => published !== null);
  const drawing = draw(
    `Accuracy against bit width: ${name}`,
    `Best test accuracy of each cell by bits of its weights, one panel per method; the symbol tells the bits of activations. ${complete.map(describe).join("; ")}.`,
    {
      width: Math.max(480, 70 + 170 * methods.length),
      height: 300,
      marginLeft: 50,
      marginTop: 30,
      fx: { domain: methods, label: null },
      x: {
        type: "point",
        label: "bits of weights",
        padding: 0.8,
        domain: distinct(complete.map((point) => point.weightBits!))
          .sort((a, b) => a - b)
          .map(String),
      },
      y: {
        label: "test top-1, %",
        grid: true,
        nice: true,
        domain: accuracyDomain(
          complete.flatMap(({ top1, published }) => (published === null ? [top1] : [top1, published])),
        ),
      },
      symbol: { domain: activations, range: cycle(symbols, activations), ...keyed },
      color: { domain: activations, range: cycle(colours, activations) },
      marks: [
        marks.frame({ stroke: "currentColor", strokeOpacity: 0.25 }),
        ...activations.flatMap((value, i) => {
          const dx = 4.5 * (i - (activations.length - 1) / 2);
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
  return figure(drawing, "Bits of activations:", caption);
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
      width: 600,
      height: 360,
      marginLeft: 46,
      marginTop: 30,
      marginRight: 24,
      x: {
        type: "log",
        label,
        grid: true,
        ticks: 6,
        tickFormat: (value: number) => count(value),
        domain: [Math.min(...values) / 2.2, Math.max(...values) * 1.4],
      },
      y: {
        label: "test top-1, %",
        grid: true,
        nice: true,
        domain: accuracyDomain(data.map(({ top1 }) => top1)),
      },
      symbol: { domain: methods, range: cycle(symbols, methods), ...keyed },
      color: { domain: methods, range: cycle(colours, methods) },
      marks: [
        marks.line(front, {
          x: "x",
          y: "top1",
          curve: "step-after",
          stroke: "currentColor",
          strokeOpacity: 0.5,
          strokeDasharray: "4 3",
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
          x: "x",
          y: "top1",
          text: "name",
          textAnchor: "end",
          dx: -7,
          dy: -7,
          fontSize: 10,
          stroke: "var(--fb-surface)",
          strokeWidth: 3,
          fill: "currentColor",
        }),
      ],
    },
  );
  return figure(
    drawing,
    "",
    `${dataset}: accuracy against ${title}. Dashed: the Pareto front, whose cells are named; none is as accurate for less.`,
  );
}

const describe = (point: Point): string =>
  `${point.modelTitle} ${point.methodTitle} ${bits(point)}: ${accuracy(point.top1)}%${
    point.published === null ? "" : ` (published ${accuracy(point.published)}%)`
  }`;
