/** The tables of the report, which fill in as runs go on. */
import { useEffect, useState } from "preact/hooks";
import { store } from "./store.js";

/** Between two looks at the report while runs go on. */
const rest = 5000;

export function ReportPage() {
  const [html, setHtml] = useState<string>();
  const [failure, setFailure] = useState<string>();
  useEffect(() => {
    const over = new AbortController();
    let timer = 0;
    const load = async (): Promise<void> => {
      try {
        const response = await fetch("/api/report", { signal: over.signal });
        if (!response.ok) throw new Error(`the server answered ${response.status}`);
        setHtml(await response.text());
        setFailure(undefined);
      } catch (error) {
        if (!over.signal.aborted) setFailure((error as Error).message);
      }
    };
    void load();
    const stopListening = store.subscribe(() => {
      if (timer !== 0) return;
      timer = window.setTimeout(() => {
        timer = 0;
        void load();
      }, rest);
    });
    return () => {
      over.abort();
      clearTimeout(timer);
      stopListening();
    };
  }, []);
  return (
    <>
      <link rel="stylesheet" href="/api/report.css" />
      <h1 tabIndex={-1}>Report</h1>
      <p>
        Means over the runs of a cell, percent, beside the published study. <code>fewbit report</code> writes
        it to files.
      </p>
      {failure !== undefined && <p class="failure">The report cannot be read: {failure}</p>}
      {html !== undefined && (
        // Written by our own server, which escapes what comes from runs.
        <div
          class="report scroller"
          tabIndex={0}
          role="region"
          aria-label="Tables of the report"
          dangerouslySetInnerHTML={{ __html: html }}
        />
      )}
    </>
  );
}
