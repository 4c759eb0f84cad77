/** A run: how it stands, its curves, layers, confusion matrices and configuration. */
import { useEffect, useMemo, useState } from "preact/hooks";
import type { RunDetails } from "../../src/dashboard/api.js";
import { Chart } from "./chart.js";
import { Confusion } from "./confusion.js";
import { bits, count, duration, last, number, percent, secondsLeft } from "./format.js";
import { Layers } from "./layers.js";
import { Warnings } from "./overview.js";
import { State } from "./run-table.js";
import { StopButton } from "./stop-dialog.js";
import type { Run } from "./store.js";
import { useStore } from "./store.js";
import { lineStyle, useTheme } from "./theme.js";

export function RunPage({ id }: { id: string }) {
  const { runs, stoppable } = useStore();
  const run = runs.get(id);
  const { details, failure } = useDetails(id, run?.epochs);
  if (run === undefined) {
    return (
      <>
        <h1 tabIndex={-1}>No such run</h1>
        <p>
          It is not in the folder, or was removed. <a href="#/">All runs</a>
        </p>
      </>
    );
  }
  return (
    <>
      <p class="path">
        <a href="#/">All runs</a>
      </p>
      <div class="title">
        <h1 tabIndex={-1}>{run.name}</h1>
        <State run={run} />
        {stoppable && <StopButton run={run} />}
      </div>
      {run.reason !== undefined && <p class="failure">{run.reason}</p>}
      <Facts run={run} />
      <RunCurves run={run} />
      {failure !== undefined && <p class="failure">The rest of this page cannot be read: {failure}</p>}
      {details !== undefined && (
        <>
          <Warnings lines={details.warnings} />
          <Layers layers={details.layers} />
          <Confusion matrices={details.confusion} names={details.classNames} />
          <Configuration config={details.config} />
        </>
      )}
    </>
  );
}

/** What the server keeps of a run beside its curves, again after each epoch. */
function useDetails(id: string, epochs: number | undefined) {
  const [state, set] = useState<{ details?: RunDetails; failure?: string }>({});
  useEffect(() => {
    if (epochs === undefined) return;
    const over = new AbortController();
    const load = async (): Promise<void> => {
      try {
        const response = await fetch(`/api/runs/${encodeURIComponent(id)}`, { signal: over.signal });
        if (!response.ok) throw new Error(`the server answered ${response.status}`);
        set({ details: (await response.json()) as RunDetails });
      } catch (error) {
        if (!over.signal.aborted) set((before) => ({ ...before, failure: (error as Error).message }));
      }
    };
    void load();
    return () => over.abort();
  }, [id, epochs]);
  return state;
}

function publishedText({ published, publishedTop5, part }: Run): string {
  if (part !== null) return "not compared: not all of the published data";
  return percent(published) + (publishedTop5 === null ? "" : `, top-5 ${percent(publishedTop5)}`);
}

function Facts({ run }: { run: Run }) {
  const spent = run.curves.seconds.reduce((sum, each) => sum + each, 0);
  const facts: readonly (readonly [string, string])[] = [
    ["best top-1", run.best === null ? "–" : `${percent(run.best.top1)} at epoch ${run.best.epoch}`],
    ...(run.best?.top5 == null ? [] : [["top-5 at that epoch", percent(run.best.top5)] as const]),
    ["last top-1", percent(last(run.curves.top1))],
    ["published", publishedText(run)],
    ["epoch", `${run.epochs} of ${run.epochsPlanned}`],
    [
      "time",
      run.state === "running" ? `${duration(spent)}, ${duration(secondsLeft(run))} left` : duration(spent),
    ],
    ["network", `${run.model} on ${run.part ?? run.data}`],
    ["method", `${run.method} ${bits(run)}`],
    ["optimizer", `${run.optimizer} at ${number(run.learningRate)}`],
    ["seed", String(run.seed)],
    ...(run.tiesWrong ? [["equal logits", "wrong, by the rule of an older fewbit"] as const] : []),
    ["best chosen on", run.chosenOn === "test" ? "the test set" : "held-out training images"],
  ];
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function RunCurves({ run: { curves, epochs } }: { run: Run }) {
  const { dark } = useTheme();
  const shared = useMemo(() => {
    const x = Array.from({ length: epochs }, (_, i) => i + 1);
    const line = (label: string, values: readonly number[], index: number) => ({
      label,
      values,
      colour: lineStyle(index, dark).colour,
    });
    return {
      top1: { x, lines: [line("test", curves.top1, 0), line("training", curves.trainTop1, 1)] },
      loss: { x, lines: [line("test", curves.testLoss, 0), line("training", curves.trainLoss, 1)] },
      rate: { x, lines: [line("learning rate", curves.learningRate, 2)] },
    };
  }, [curves, epochs, dark]);
  if (epochs === 0) {
    return (
      <section aria-labelledby="curves">
        <h2 id="curves">Curves</h2>
        <p class="hint">No epoch has ended yet.</p>
      </section>
    );
  }
  return (
    <section aria-labelledby="curves">
      <h2 id="curves">Curves</h2>
      <Key lines={shared.top1.lines} />
      <div class="charts">
        <Chart title="Top-1 accuracy" xLabel="epoch" {...shared.top1} format={percent} />
        <Chart title="Loss" xLabel="epoch" {...shared.loss} />
        <Chart title="Learning rate" xLabel="epoch" {...shared.rate} logarithmic stepped />
      </div>
    </section>
  );
}

/** Which colour is which. */
export function Key({ lines }: { lines: readonly { label: string; colour: string }[] }) {
  return (
    <ul class="legend" aria-label="Legend">
      {lines.map(({ label, colour }) => (
        <li key={label}>
          <svg width="28" height="8" aria-hidden="true">
            <line x1="0" y1="4" x2="28" y2="4" stroke={colour} stroke-width="3" />
          </svg>
          {label}
        </li>
      ))}
    </ul>
  );
}

function Configuration({ config }: { config: RunDetails["config"] }) {
  const rows = flat(config);
  return (
    <section aria-labelledby="configuration">
      <h2 id="configuration">Configuration</h2>
      <details open>
        <summary>{count(rows.length, "setting")} of config.json</summary>
        <div class="scroller" tabIndex={0} role="region" aria-label="Settings">
          <table class="configuration">
            <thead>
              <tr>
                <th scope="col">setting</th>
                <th scope="col">value</th>
              </tr>
            </thead>
            <tbody>
              {rows.map(([key, value]) => (
                <tr key={key}>
                  <th scope="row">{key}</th>
                  <td>{value}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </section>
  );
}

/** "optimizer.options.momentum": "0.9" */
function flat(value: unknown, path = ""): [string, string][] {
  if (typeof value !== "object" || value === null) return [[path, String(value)]];
  const text = JSON.stringify(value);
  if (Array.isArray(value) || text === "{}") return [[path, text]];
  return Object.entries(value).flatMap(([key, each]) => flat(each, path === "" ? key : `${path}.${key}`));
}
