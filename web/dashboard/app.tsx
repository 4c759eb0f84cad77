/** The frame around the pages: title, navigation, connection, theme, and what a screen reader announces. */
import { useEffect, useRef } from "preact/hooks";
import { Overview } from "./overview.js";
import { ReportPage } from "./report-page.js";
import { useRoute } from "./router.js";
import { RunPage } from "./run-page.js";
import type { Connection } from "./store.js";
import { useStore } from "./store.js";
import type { Theme } from "./theme.js";
import { useTheme } from "./theme.js";

const connections: Readonly<Record<Connection, string>> = {
  connecting: "Connecting",
  live: "Live",
  lost: "Connection lost; trying again",
};

export function App() {
  const { connection, said, folder, loaded, runs } = useStore();
  const { theme, choose } = useTheme();
  const route = useRoute();
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const id = route.page === "run" ? route.id : "";
  const title =
    route.page === "run" ? (runs.get(id)?.name ?? "Run") : route.page === "report" ? "Report" : "Runs";

  useEffect(() => {
    document.title = `${title} · fewbit`;
  }, [title]);
  // A new page begins at its heading, for the keyboard and for screen readers.
  useEffect(() => {
    if (first.current) first.current = false;
    else {
      scrollTo(0, 0);
      main.current?.querySelector("h1")?.focus();
    }
  }, [route.page, id]);

  return (
    <>
      <a class="skip" href="#main" onClick={(event) => skip(event, main.current)}>
        Skip to the content
      </a>
      <header class="top">
        <p class="brand">
          fewbit <span class="folder">{folder}</span>
        </p>
        <nav aria-label="Pages">
          <a href="#/" aria-current={route.page === "runs" ? "page" : undefined}>
            Runs
          </a>
          <a href="#/report" aria-current={route.page === "report" ? "page" : undefined}>
            Report
          </a>
        </nav>
        <p class={`connection ${connection}`}>{connections[connection]}</p>
        <label class="theme">
          Theme
          <select value={theme} onChange={(event) => choose(event.currentTarget.value as Theme)}>
            <option value="system">system</option>
            <option value="light">light</option>
            <option value="dark">dark</option>
          </select>
        </label>
      </header>
      <main ref={main} id="main" tabIndex={-1}>
        {!loaded ? (
          <h1 tabIndex={-1}>
            {connection === "lost" ? "No connection to the dashboard" : "Reading the runs"}
          </h1>
        ) : route.page === "run" ? (
          <RunPage key={id} id={id} />
        ) : route.page === "report" ? (
          <ReportPage />
        ) : (
          <Overview />
        )}
      </main>
      <div role="status" class="unseen">
        {said}
      </div>
    </>
  );
}

/** The address names pages, so the link only moves the focus. */
function skip(event: Event, to: HTMLElement | null): void {
  event.preventDefault();
  to?.focus();
}
