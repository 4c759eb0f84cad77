/** Narrows the table of runs: by words, and by what runs have in common. */
import type { Table } from "@tanstack/table-core";
import { count } from "./format.js";
import type { Run } from "./store.js";
import { facets } from "./table-model.js";

export function Filters({ table, total }: { table: Table<Run>; total: number }) {
  const { globalFilter, columnFilters } = table.getState();
  const words = (globalFilter as string | undefined) ?? "";
  const shown = table.getRowModel().rows.length;
  const chosen = table.getSelectedRowModel().rows.length;
  const reset = (): void => {
    table.setGlobalFilter(undefined);
    table.resetColumnFilters(true);
  };
  return (
    <div class="filters" role="search">
      <label>
        Search
        <input
          type="search"
          placeholder="words, as dorefa w1a2"
          value={words}
          onInput={(event) => table.setGlobalFilter(event.currentTarget.value.trimStart() || undefined)}
        />
      </label>
      {facets.map((id) => (
        <Facet key={id} table={table} id={id} />
      ))}
      <button type="button" disabled={words === "" && columnFilters.length === 0} onClick={reset}>
        Clear filters
      </button>
      <p role="status" class="shown">
        {shown === total ? count(total, "run") : `${shown.toLocaleString("en")} of ${count(total, "run")}`}
        {chosen > 0 && `, ${chosen.toLocaleString("en")} chosen`}
      </p>
    </div>
  );
}

function Facet({ table, id }: { table: Table<Run>; id: string }) {
  const column = table.getColumn(id)!;
  const current = (column.getFilterValue() as string | undefined) ?? "";
  const found = column.getFacetedUniqueValues() as Map<string, number>;
  const values = [...new Set([...found.keys(), ...(current === "" ? [] : [current])])].sort((a, b) =>
    a.localeCompare(b, "en", { numeric: true }),
  );
  return (
    <label>
      {column.columnDef.header as string}
      <select
        value={current}
        onChange={(event) => column.setFilterValue(event.currentTarget.value || undefined)}
      >
        <option value="">all</option>
        {values.map((value) => (
          <option key={value} value={value}>
            {value} ({found.get(value) ?? 0})
          </option>
        ))}
      </select>
    </label>
  );
}
