/** The first page: how many runs there are in which state, all of them, and the curves of those chosen. */
import { useMemo } from "preact/hooks";
import type { RunState } from "../../src/dashboard/api.js";
import { Compare } from "./compare.js";
import { Filters } from "./filters.js";
import { count, percent } from "./format.js";
import { RunTable } from "./run-table.js";
import type { Run } from "./store.js";
import { useStore } from "./store.js";
import { useRunTable } from "./table-model.js";

export function Overview() {
  const { runs, warnings, folder } = useStore();
  const all = useMemo(() => [...runs.values()], [runs]);
  const table = useRunTable(all);
  const chosen = table.getSelectedRowModel().rows.map(({ original }) => original);
  if (all.length === 0) return <Empty folder={folder} warnings={warnings} />;
  return (
    <>
      <h1 tabIndex={-1}>Runs</h1>
      <Counts runs={all} />
      <Warnings lines={warnings} />
      <section aria-labelledby="all-runs">
        <h2 id="all-runs" class="unseen">
          All runs
        </h2>
        <Filters table={table} total={all.length} />
        <RunTable table={table} />
      </section>
      <Compare runs={chosen} clear={() => table.resetRowSelection(true)} />
    </>
  );
}

const states: readonly RunState[] = ["running", "done", "interrupted", "damaged"];

function Counts({ runs }: { runs: readonly Run[] }) {
  const best = runs.reduce<Run | undefined>(
    (found, run) => ((run.best?.top1 ?? -1) > (found?.best?.top1 ?? -1) ? run : found),
    undefined,
  );
  return (
    <dl class="counts">
      {states.map((state) => (
        <div key={state} class={`state ${state}`}>
          <dt>{state}</dt>
          <dd>{runs.filter((run) => run.state === state).length.toLocaleString("en")}</dd>
        </div>
      ))}
      {best?.best && (
        <div class="wide">
          <dt>best top-1 on the test set</dt>
          <dd>
            {percent(best.best.top1)} <a href={`#/run/${best.id}`}>{best.name}</a>
          </dd>
        </div>
      )}
    </dl>
  );
}

export function Warnings({ lines }: { lines: readonly string[] }) {
  if (lines.length === 0) return null;
  return (
    <details class="warnings">
      <summary>{count(lines.length, "warning")}: folders or files that cannot be read</summary>
      <ul>
        {lines.map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
    </details>
  );
}

function Empty({ folder, warnings }: { folder: string; warnings: readonly string[] }) {
  return (
    <div class="empty">
      <h1 tabIndex={-1}>No run yet</h1>
      <p>
        There is none in <code>{folder}</code>. Start one, and it appears here by itself:
      </p>
      <pre>
        <code>
          npx fewbit train lenet5 --method dorefa --weight-bits 1 --activation-bits 2 --out {folder}/first
        </code>
      </pre>
      <Warnings lines={warnings} />
    </div>
  );
}
