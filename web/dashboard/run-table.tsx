/** The table of runs. Only rows in sight are in the document; arrow keys go from row to row. */
import type { Header, Row, Table } from "@tanstack/table-core";
import type { ComponentChildren } from "preact";
import { Fragment } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { bits, duration, last, number, percent, secondsLeft } from "./format.js";
import type { Run } from "./store.js";
import { useVirtual } from "./virtual.js";

const rowHeight = 36;
const headHeight = 40;
/** Left out on narrow screens. */
const spare = new Set(["data", "model", "optimizer", "rate", "seed", "left"]);
const numeric = new Set(["rate", "seed", "epoch", "best", "last", "left"]);

export const columnClass = (id: string): string =>
  `c-${id}${spare.has(id) ? " spare" : ""}${numeric.has(id) ? " numeric" : ""}`;

const cells: Readonly<Record<string, (run: Run) => ComponentChildren>> = {
  name: (run) => (
    <a href={`#/run/${run.id}`} title={run.name}>
      {run.name}
    </a>
  ),
  state: (run) => <State run={run} />,
  data: (run) => run.data,
  model: (run) => run.model,
  method: (run) => run.method,
  bits,
  optimizer: (run) => run.optimizer,
  rate: (run) => number(run.learningRate),
  seed: (run) => run.seed,
  epoch: (run) => `${run.epochs}/${run.epochsPlanned}`,
  best: (run) => percent(run.best?.top1),
  last: (run) => percent(last(run.curves.top1)),
  left: (run) => duration(secondsLeft(run)),
};

export function State({ run: { state, stopping } }: { run: Pick<Run, "state" | "stopping"> }) {
  return <span class={`state ${state}`}>{stopping ? "stopping" : state}</span>;
}

export function RunTable({ table }: { table: Table<Run> }) {
  const { rows } = table.getRowModel();
  const scroller = useRef<HTMLDivElement>(null);
  const [focused, setFocused] = useState<string>();
  const wanted = useRef<{ index: number; part: string } | undefined>(undefined);
  const pinned = focused === undefined ? -1 : rows.findIndex(({ id }) => id === focused);
  const virtual = useVirtual({
    count: rows.length,
    rowHeight,
    head: headHeight,
    scroller,
    pinned: pinned < 0 ? undefined : pinned,
  });

  // The row that an arrow key asked for is in the document only once it was scrolled to.
  useEffect(() => {
    const { index, part } = wanted.current ?? {};
    const target = scroller.current?.querySelector<HTMLElement>(`tr[data-index="${index}"] ${part}`);
    if (target == null) return;
    wanted.current = undefined;
    target.focus();
  });

  const onKeyDown = (event: KeyboardEvent): void => {
    const element = event.target as HTMLElement;
    const at = Number(element.closest("tr")?.dataset.index);
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 2);
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: rows.length - 1,
    };
    if (Number.isNaN(at) || !(event.key in steps)) return;
    event.preventDefault();
    const index = Math.min(rows.length - 1, Math.max(0, steps[event.key]));
    wanted.current = { index, part: element.tagName === "INPUT" ? "input" : "a" };
    setFocused(rows[index].id);
    virtual.scrollTo(index);
  };

  let end = 0;
  return (
    <div class="scroller runs" ref={scroller} tabIndex={0} role="region" aria-label="Table of runs">
      <table aria-rowcount={rows.length + 1} aria-describedby="table-keys">
        <caption class="unseen" id="table-keys">
          Runs. Headings order them; arrow keys go from row to row; chosen runs are drawn below.
        </caption>
        <thead>
          <tr aria-rowindex={1}>
            <th scope="col" class="c-choose">
              <input
                type="checkbox"
                aria-label="Choose all runs that are shown"
                checked={table.getIsAllRowsSelected()}
                ref={(box) => void (box && (box.indeterminate = table.getIsSomeRowsSelected()))}
                onChange={(event) => table.toggleAllRowsSelected(event.currentTarget.checked)}
              />
            </th>
            {table.getFlatHeaders().map((header) => (
              <Heading key={header.id} header={header} />
            ))}
          </tr>
        </thead>
        <tbody
          onKeyDown={onKeyDown}
          onFocusIn={(event) => setFocused((event.target as HTMLElement).closest("tr")?.dataset.id)}
        >
          {virtual.items.map(({ index, start, size }) => {
            const gap = start - end;
            end = start + size;
            const row = rows[index];
            return row === undefined ? null : (
              <Fragment key={row.id}>
                {gap > 0 && <Gap height={gap} />}
                <RunRow row={row} index={index} />
              </Fragment>
            );
          })}
          {virtual.height > end && <Gap key="rest" height={virtual.height - end} />}
        </tbody>
      </table>
      {rows.length === 0 && <p class="hint">No run matches; clear the filters.</p>}
    </div>
  );
}

const Gap = ({ height }: { height: number }) => (
  <tr class="gap" aria-hidden="true">
    <td style={{ height: `${height}px` }} />
  </tr>
);

const orders = { asc: "ascending", desc: "descending" } as const;

function Heading({ header: { column } }: { header: Header<Run, unknown> }) {
  const sorted = column.getIsSorted();
  return (
    <th scope="col" class={columnClass(column.id)} aria-sort={sorted === false ? undefined : orders[sorted]}>
      <button type="button" onClick={() => column.toggleSorting()}>
        {column.columnDef.header as string}
        <span class="arrow" aria-hidden="true">
          {sorted === "asc" ? "▲" : sorted === "desc" ? "▼" : ""}
        </span>
      </button>
    </th>
  );
}

function RunRow({ row, index }: { row: Row<Run>; index: number }) {
  const run = row.original;
  const chosen = row.getIsSelected();
  return (
    <tr data-index={index} data-id={run.id} aria-rowindex={index + 2} class={chosen ? "chosen" : undefined}>
      <td class="c-choose">
        <input
          type="checkbox"
          aria-label={`Choose ${run.name}`}
          checked={chosen}
          onChange={(event) => row.toggleSelected(event.currentTarget.checked)}
        />
      </td>
      {Object.entries(cells).map(([id, cell]) =>
        id === "name" ? (
          <th key={id} scope="row" class={columnClass(id)}>
            {cell(run)}
          </th>
        ) : (
          <td key={id} class={columnClass(id)}>
            {cell(run)}
          </td>
        ),
      )}
    </tr>
  );
}
