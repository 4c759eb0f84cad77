/** The table of runs without its looks: columns, order, filters, choice. They outlast a visit to another page. */
import type { ColumnDef, Row, Table, TableState } from "@tanstack/table-core";
import {
  createTable,
  getCoreRowModel,
  getFacetedRowModel,
  getFacetedUniqueValues,
  getFilteredRowModel,
  getSortedRowModel,
} from "@tanstack/table-core";
import { useState } from "preact/hooks";
import type { RunState } from "../../src/dashboard/api.js";
import { bits, last, secondsLeft } from "./format.js";
import type { Run } from "./store.js";

const order: Readonly<Record<RunState, number>> = { running: 0, interrupted: 1, damaged: 2, done: 3 };

const by =
  (value: (run: Run) => number) =>
  (a: Row<Run>, b: Row<Run>): number =>
    value(a.original) - value(b.original);

/** What does not exist yet comes last in either order. */
const orLast = { sortUndefined: "last" } as const;

const columns: ColumnDef<Run>[] = [
  { id: "name", header: "Run", accessorFn: (run) => run.name, sortingFn: "alphanumeric" },
  { id: "state", header: "State", accessorFn: (run) => run.state, sortingFn: by((run) => order[run.state]) },
  { id: "data", header: "Data", accessorFn: (run) => run.data },
  { id: "model", header: "Network", accessorFn: (run) => run.model },
  { id: "method", header: "Method", accessorFn: (run) => run.method },
  {
    id: "bits",
    header: "Bits w/a",
    accessorFn: bits,
    sortingFn: by((run) => 100 * (run.weightBits ?? 99) + (run.activationBits ?? 99)),
  },
  { id: "optimizer", header: "Optimizer", accessorFn: (run) => run.optimizer },
  { id: "rate", header: "Rate", accessorFn: (run) => run.learningRate ?? undefined, ...orLast },
  { id: "seed", header: "Seed", accessorFn: (run) => run.seed },
  { id: "epoch", header: "Epoch", accessorFn: (run) => run.epochs },
  { id: "best", header: "Best", accessorFn: (run) => run.best?.top1, ...orLast },
  { id: "last", header: "Last", accessorFn: (run) => last(run.curves.top1), ...orLast },
  { id: "left", header: "Time left", accessorFn: secondsLeft, ...orLast },
];
for (const column of columns) column.filterFn = "equalsString";

/** Columns that have a filter of their own. */
export const facets = ["state", "data", "model", "method", "bits"] as const;

/** Each word must occur. */
function matches(row: Row<Run>, _: string, words: string): boolean {
  const { name, data, model, method, weightBits, activationBits, optimizer, state } = row.original;
  const text =
    `${name} ${data} ${model} ${method} ${bits(row.original)} w${weightBits}a${activationBits} ${optimizer} ${state}`.toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

let kept: TableState | undefined;

export function useRunTable(data: Run[]): Table<Run> {
  const [table] = useState(() =>
    createTable<Run>({
      data,
      columns,
      state: {},
      renderFallbackValue: null,
      onStateChange: () => {},
      getRowId: (run) => run.id,
      getCoreRowModel: getCoreRowModel(),
      getFilteredRowModel: getFilteredRowModel(),
      getSortedRowModel: getSortedRowModel(),
      getFacetedRowModel: getFacetedRowModel(),
      getFacetedUniqueValues: getFacetedUniqueValues(),
      globalFilterFn: matches,
      getColumnCanGlobalFilter: ({ id }) => id === "name", // once a row is enough
      enableSortingRemoval: false,
      initialState: { sorting: [{ id: "name", desc: false }] },
      autoResetAll: false,
    }),
  );
  const [state, setState] = useState<TableState>(() => kept ?? table.initialState);
  kept = state;
  table.setOptions((options) => ({ ...options, data, state, onStateChange: setState }));
  return table;
}
