/** The routes. Runs are asked for by ids that are looked up: no path comes from a request. */
import { setMaxListeners } from "node:events";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { fileNames } from "../run-folder/index.js";
import type { Access } from "./access.js";
import { guard } from "./access.js";
import { detailsOf } from "./details.js";
import type { PageFile } from "./page.js";
import { Tables, tablesCss } from "./tables.js";
import type { Watch } from "./watch.js";

export interface AppOptions {
  readonly watch: Watch;
  readonly access: Access;
  /** Whether runs can be stopped. */
  readonly stoppable: boolean;
  readonly page: ReadonlyMap<string, PageFile>;
  /** Raised when the server ends, which ends its streams. */
  readonly signal: AbortSignal;
  /** Milliseconds between signs of life of a stream. Default: 10,000. */
  readonly beat?: number;
}

/** Streams of events at a time; each is a page that is open. */
export const mostStreams = 32;

const headers: Readonly<Record<string, string>> = {
  "Content-Security-Policy": [
    "default-src 'none'",
    ...["script-src", "style-src", "img-src", "connect-src"].map((kind) => `${kind} 'self'`),
    ...["base-uri", "form-action", "frame-ancestors"].map((kind) => `${kind} 'none'`),
  ].join("; "),
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
  "Cache-Control": "no-store",
};

export function createApp({ watch, access, stoppable, page, signal, beat = 10_000 }: AppOptions): Hono {
  const app = new Hono();
  const tables = new Tables(watch);
  let streams = 0;
  setMaxListeners(mostStreams, signal);

  app.use(async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(headers)) {
      if (!c.res.headers.has(name)) c.res.headers.set(name, value);
    }
  });
  app.use(guard(access));

  app.get("/api/runs", (c) =>
    c.body(watch.snapshotText(stoppable), 200, { "Content-Type": "application/json; charset=utf-8" }),
  );

  app.get("/api/runs/:id", (c) => {
    const run = watch.run(c.req.param("id"));
    return run === undefined ? c.json({ error: "no such run" }, 404) : c.json(detailsOf(run));
  });

  app.post("/api/runs/:id/stop", (c) => {
    if (!stoppable) return c.json({ error: "this dashboard stops no runs (--no-stop)" }, 403);
    const run = watch.run(c.req.param("id"));
    if (run === undefined) return c.json({ error: "no such run" }, 404);
    if (run.state !== "running") return c.json({ error: `the run is ${run.state}, not running` }, 409);
    writeOnce(join(run.directory, fileNames.stop));
    return c.json({ asked: true }, 202);
  });

  app.get("/api/report", async (c) => c.html(await tables.html()));
  app.get("/api/report.css", (c) => c.body(tablesCss, 200, { "Content-Type": "text/css; charset=utf-8" }));

  app.get("/api/events", (c) => {
    // Its body would never be read, nor ended.
    if (c.req.method === "HEAD") return c.body(null);
    if (streams >= mostStreams) return c.json({ error: "too many pages are open" }, 503);
    streams++;
    let position = c.req.header("last-event-id") ?? c.req.query("since") ?? watch.feed.position;
    const over = new AbortController();
    const end = (): void => over.abort();
    signal.addEventListener("abort", end);
    return streamSSE(c, async (stream) => {
      stream.onAbort(end);
      try {
        while (!over.signal.aborted && !signal.aborted) {
          const events = watch.feed.since(position);
          if (events === undefined) {
            position = watch.feed.position;
            await stream.writeSSE({ event: "reset", data: "", id: position });
          } else if (events.length > 0) {
            for (const { id, data } of events) await stream.writeSSE({ event: "change", data, id });
            position = events[events.length - 1].id;
          } else {
            await stream.writeSSE({ event: "beat", data: "" });
            await watch.feed.next(beat, over.signal);
          }
        }
      } finally {
        streams--;
        signal.removeEventListener("abort", end);
      }
    });
  });

  app.get("*", (c) => {
    const file = page.get(c.req.path);
    if (file === undefined) return c.json({ error: "not found" }, 404);
    const cache = file.lasting ? "public, max-age=31536000, immutable" : "no-store";
    return c.body(file.body, 200, { "Content-Type": file.type, "Cache-Control": cache });
  });
  app.notFound((c) => c.json({ error: "not found" }, 404));
  app.onError((error, c) => {
    if (process.env.FEWBIT_DEBUG) console.error(error);
    return c.json({ error: "the server failed to answer" }, 500);
  });
  return app;
}

/** Makes an empty file unless there is something of that name. */
function writeOnce(path: string): void {
  try {
    closeSync(openSync(path, "wx"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
