/** Curves of the chosen runs, one over the other. */
import { useMemo, useState } from "preact/hooks";
import uPlot from "uplot";
import type { Curves } from "../../src/dashboard/api.js";
import type { Line } from "./chart.js";
import { Chart } from "./chart.js";
import { bits, percent } from "./format.js";
import type { Run } from "./store.js";
import { lineStyle, useTheme } from "./theme.js";

/** More lines than this cannot be told apart at all. */
const most = 100;

type Measure = "epochs" | "time";

export function Compare({ runs, clear }: { runs: readonly Run[]; clear: () => void }) {
  const [measure, setMeasure] = useState<Measure>("epochs");
  const drawn = runs.slice(0, most);
  return (
    <section aria-labelledby="compare" class="compare">
      <h2 id="compare">Curves of chosen runs</h2>
      {runs.length === 0 ? (
        <p class="hint">Choose runs in the table to draw their curves over one another.</p>
      ) : (
        <>
          <div class="controls">
            <fieldset>
              <legend>Over</legend>
              {(["epochs", "time"] as const).map((each) => (
                <label key={each}>
                  <input
                    type="radio"
                    name="measure"
                    checked={measure === each}
                    onChange={() => setMeasure(each)}
                  />
                  {each}
                </label>
              ))}
            </fieldset>
            <button type="button" onClick={clear}>
              Choose none
            </button>
            {runs.length > most && (
              <p>
                The first {most} of {runs.length.toLocaleString("en")} are drawn.
              </p>
            )}
          </div>
          <Legend runs={drawn} />
          <Overlaid runs={drawn} measure={measure} />
        </>
      )}
    </section>
  );
}

function Legend({ runs }: { runs: readonly Run[] }) {
  const { dark } = useTheme();
  return (
    <ul class="legend" aria-label="Legend" tabIndex={runs.length > 12 ? 0 : undefined}>
      {runs.map((run, i) => {
        const { colour, dash } = lineStyle(i, dark);
        return (
          <li key={run.id}>
            <svg width="28" height="8" aria-hidden="true">
              <line
                x1="0"
                y1="4"
                x2="28"
                y2="4"
                stroke={colour}
                stroke-width="3"
                stroke-dasharray={dash.join(" ")}
              />
            </svg>
            <a href={`#/run/${run.id}`}>{run.name}</a>
            <span class="soft">
              {run.method} {bits(run)} {percent(run.best?.top1)}
              {run.tiesWrong && " (equal logits wrong)"}
            </span>
          </li>
        );
      })}
    </ul>
  );
}

function Overlaid({ runs, measure }: { runs: readonly Run[]; measure: Measure }) {
  const { dark } = useTheme();
  const { unit, seconds } = unitFor(runs);
  const xs = useMemo(
    () => runs.map(({ curves }) => positions(curves, measure, seconds)),
    [runs, measure, seconds],
  );
  const chart = (name: keyof Curves): { x: number[]; lines: Line[] } => {
    const begun = runs.flatMap((run, i) => (run.epochs === 0 ? [] : [{ run, i }]));
    if (begun.length === 0) return { x: [], lines: [] };
    const tables = begun.map(({ run, i }) => [xs[i], run.curves[name]] as unknown as uPlot.AlignedData);
    const [x, ...columns] = uPlot.join(tables) as unknown as number[][];
    const lines = begun.map(({ run, i }, k) => {
      const { colour, dash } = lineStyle(i, dark);
      return { label: run.name, values: columns[k], colour, dash };
    });
    return { x, lines };
  };
  const inputs = [runs, measure, dark] as const;
  const top1 = useMemo(() => chart("top1"), inputs);
  const loss = useMemo(() => chart("trainLoss"), inputs);
  const rate = useMemo(() => chart("learningRate"), inputs);
  const xLabel = measure === "epochs" ? "epoch" : unit;
  return (
    <div class="charts">
      <Chart title="Top-1 accuracy on the test set" xLabel={xLabel} {...top1} format={percent} />
      <Chart title="Training loss" xLabel={xLabel} {...loss} />
      <Chart title="Learning rate" xLabel={xLabel} {...rate} logarithmic stepped />
    </div>
  );
}

/** The unit in which the longest run reads well. */
function unitFor(runs: readonly Run[]): { unit: string; seconds: number } {
  const longest = Math.max(
    0,
    ...runs.map(({ curves }) => curves.seconds.reduce((sum, each) => sum + each, 0)),
  );
  if (longest < 180) return { unit: "seconds", seconds: 1 };
  return longest < 3 * 3600 ? { unit: "minutes", seconds: 60 } : { unit: "hours", seconds: 3600 };
}

/** Where an epoch ends on the x axis. */
function positions({ seconds }: Curves, measure: Measure, unit: number): number[] {
  if (measure === "epochs") return seconds.map((_, i) => i + 1);
  let sum = 0;
  return seconds.map((each) => (sum += each) / unit);
}
