/** The report as Markdown, in tables that are also read as they are. */
import {
  accuracy,
  bits,
  extent,
  missing,
  operations,
  points,
  reference,
  size,
  spread,
  tableText,
} from "./format.js";
import { tolerance } from "./statistics.js";
import { accuracyText, summaryText } from "./prose.js";
import type { Cell, Point, Report, ReportedRun, Table } from "./report.js";

export function markdown(report: Report): string {
  const { title, methods, tables, runs, warnings } = report;
  const blocks = [
    `# ${text(title)}`,
    text(summaryText(report)),
    text(accuracyText(runs)),
    ...(methods.length === 0 ? [] : ["## Cells by method", methodTable(report)]),
    ...tables.flatMap(tableBlocks),
    ...costBlocks(report.points),
    "## Runs",
    runTable(runs),
    ...(warnings.length === 0 ? [] : ["## Left out", warnings.map((line) => `- ${text(line)}`).join("\n")]),
  ];
  return `${blocks.join("\n\n")}\n`;
}

/** A text as Markdown shows it: nothing in it is markup. */
export function text(plain: string): string {
  return plain
    .replace(/[\\`*_{}[\]|#~]/g, "\\$&")
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;");
}

/** Cells are Markdown already. The first column and settings are aligned left, the others right. */
function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, i) => Math.max(3, name.length, ...rows.map((row) => row[i].length)));
  const isText = (i: number) => i === 0 || head[i] === "settings";
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, i) => (isText(i) ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(" | ")} |`;
  const rule = widths.map((width, i) => (isText(i) ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [line(head), `| ${rule.join(" | ")} |`, ...rows.map(line)].join("\n");
}

function methodTable({ methods }: Report): string {
  return markdownTable(
    ["method", "published", "trained", `within ${tolerance} points`, "ahead", "behind"],
    methods.map(({ title, published, compared, within, ahead, behind }) => [
      text(title),
      ...[published, compared, within, ahead, behind].map(String),
    ]),
  );
}

function tableBlocks(table: Table): string[] {
  const { dataset, modelTitle, columns, rows, protocol } = table;
  const published =
    protocol === null
      ? ""
      : ` Published: ${protocol.epochs} epochs, the rate falling to a tenth every ${protocol.decayEvery}.`;
  const cells = rows.flatMap(({ title, cells: ofRow }) => ofRow.map((cell) => ({ title, cell })));
  const others = cells.flatMap(({ title, cell }) =>
    cell.others.map((group) => ({
      title,
      cell: { ...cell, group, difference: null, differenceTop5: null },
    })),
  );
  return [
    `## ${text(`${modelTitle} on ${dataset}`)}`,
    text(tableText(table) + published),
    `${table.hasTop5 ? "Top-1, ours" : "Ours"} / published / difference:`,
    markdownTable(
      ["method", ...columns.map(bits)],
      rows.map(({ title, cells: ofRow }) => [text(title), ...ofRow.map(shortCell)]),
    ),
    detailTable(
      cells.filter(({ cell }) => cell.group !== null),
      table,
    ),
    ...(others.length === 0 ? [] : ["Other settings of these cells:", detailTable(others, table)]),
  ];
}

function shortCell(cell: Cell): string {
  const theirs = reference(cell);
  const ours = missing(cell) ?? (cell.group?.best ? accuracy(cell.group.best.mean) : "");
  if (theirs === undefined) return text(ours);
  return text([ours, theirs, ...(cell.difference === null ? [] : [points(cell.difference)])].join(" / "));
}

function detailTable(
  cells: readonly { readonly title: string; readonly cell: Cell }[],
  { hasTop5 }: Table,
): string {
  const top5 = (value: string | undefined): string =>
    hasTop5 && value !== undefined ? ` (top-5 ${value})` : "";
  return markdownTable(
    ["method", "bits w/a", "best", "last", "published", "difference", "extent", "settings"],
    cells.map(({ title, cell }) => {
      const { group, difference, differenceTop5, published } = cell;
      const theirs = published?.top5;
      const apart = differenceTop5 === null ? undefined : points(differenceTop5);
      return [
        title,
        bits(cell),
        group?.best
          ? spread(group.best) + top5(group.bestTop5 === null ? undefined : accuracy(group.bestTop5))
          : "",
        group?.last ? spread(group.last) : "",
        (reference(cell) ?? "") + top5(theirs == null ? undefined : accuracy(theirs)),
        difference === null ? "" : points(difference) + top5(apart),
        group === null ? "" : extent(group),
        group?.settings ?? "",
      ].map(text);
    }),
  );
}

function costBlocks(all: readonly Point[]): string[] {
  const known = all.filter(({ cost }) => cost !== null);
  if (known.length === 0) return [];
  const mark = (on: boolean) => (on ? "front" : "");
  return [
    "## Accuracy and cost",
    text(
      "Memory of the weights packed at their bits, and bit operations of one image: multiply-accumulates × bits of weights × bits of activations. On the front of a data set: none is as accurate for less.",
    ),
    markdownTable(
      ["cell", "best", "memory", "by memory", "bit operations", "by bit operations"],
      known.map((point) => [
        text(`${point.modelTitle} on ${point.dataset}, ${point.methodTitle} ${bits(point)}`),
        accuracy(point.top1),
        size(point.cost!.bytes),
        mark(point.onFront.bytes),
        operations(point.cost!.bitOperations),
        mark(point.onFront.bitOperations),
      ]),
    ),
  ];
}

function runTable(runs: readonly ReportedRun[]): string {
  return markdownTable(
    ["run", "network", "data", "method", "bits w/a", "seed", "epochs", "best (epoch)", "last"],
    runs.map((run) => [
      ...[run.name, run.model, run.dataset, run.methodTitle, bits(run)].map(text),
      String(run.seed),
      `${run.epochs}/${run.epochsPlanned}`,
      run.best === null ? "" : `${accuracy(run.best.top1)} (${run.best.epoch})`,
      run.last === null ? "" : accuracy(run.last.top1),
    ]),
  );
}
