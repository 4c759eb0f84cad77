import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { build } from "../cli/cli.test.fixture.js";
import { lockDirectory } from "../run-folder/index.js";
import type { RunDetails, Snapshot } from "./api.js";
import { endEpoch, writeRun } from "../runs.test.fixture.js";
import type { Dashboard, DashboardOptions } from "./server.js";
import { startDashboard } from "./server.js";

const folder = mkdtempSync(join(tmpdir(), "fewbit-server-"));
const trains = writeRun(folder, "trains", { epochs: 2, planned: 9, layers: ["conv1"], confusion: true });
const done = writeRun(folder, "done<b>", { model: "<i>net</i>" });
let release: () => void;
beforeAll(() => {
  build();
  release = lockDirectory(trains).release;
});
const open: Dashboard[] = [];
afterEach(async () => {
  for (const dashboard of open.splice(0)) await dashboard.close();
});
afterAll(() => {
  release();
  rmSync(folder, { recursive: true });
});

async function start(options: Partial<DashboardOptions> = {}): Promise<string> {
  const dashboard = await startDashboard({ folder, port: 0, ...options });
  open.push(dashboard);
  return dashboard.url;
}

const json = async <T>(url: string): Promise<T> => (await (await fetch(url)).json()) as T;

/** Reads a stream of events until `enough` of its text. */
async function eventsUntil(
  url: string,
  enough: RegExp,
  headers: Record<string, string> = {},
): Promise<string> {
  const over = new AbortController();
  const response = await fetch(url, { headers, signal: over.signal });
  expect(response.headers.get("content-type")).toContain("text/event-stream");
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of response.body!) {
    text += decoder.decode(bytes as Uint8Array, { stream: true });
    if (enough.test(text)) break;
  }
  over.abort();
  return text;
}

test("page, runs, details and report are served, with headers that shut everything else out", async () => {
  const url = await start();
  const page = await fetch(url);
  expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  const html = await page.text();
  const [, script] = /<script [^>]*src="([^"]+)"/.exec(html)!;
  expect(html).not.toMatch(/<script(?![^>]* src=)|<style| style=| on\w+=/);
  const asset = await fetch(new URL(script, url));
  expect([asset.status, asset.headers.get("cache-control")]).toEqual([
    200,
    expect.stringContaining("immutable"),
  ]);
  for (const { headers } of [page, asset, await fetch(`${url}api/runs`), await fetch(`${url}nothing`)]) {
    expect(headers.get("content-security-policy")).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
    expect(headers.get("content-security-policy")).not.toContain("unsafe");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("access-control-allow-origin")).toBeNull();
  }
  const { runs, stoppable } = await json<Snapshot>(`${url}api/runs`);
  expect(runs.map(({ name, state }) => [name, state])).toEqual([
    ["done<b>", "done"],
    ["trains", "running"],
  ]);
  expect(stoppable).toBe(true);
  const details = await json<RunDetails>(`${url}api/runs/${runs[1].id}`);
  expect(details).toMatchObject({ id: runs[1].id, config: { epochs: 9 }, layers: [{ name: "conv1" }] });
  const report = await (await fetch(`${url}api/report`)).text();
  expect(report).toContain("&lt;i&gt;net&lt;/i&gt;");
  expect(report).not.toContain("<i>");
  expect(JSON.stringify([runs, details])).not.toContain(folder);
});

test("events tell what changes, and go on where a connection broke", async () => {
  const url = await start();
  const { at } = await json<Snapshot>(`${url}api/runs`);
  const listening = eventsUntil(`${url}api/events?since=${at}`, /event: change\n[^]*\n\n/);
  endEpoch(trains, 3);
  const text = await listening;
  expect(text).toMatch(/"name":"trains".*"from":2/);
  const [, id] = /^id: (.+)$/m.exec(text)!;
  // The header of a browser that connects again counts before the address.
  expect(await eventsUntil(`${url}api/events?since=${at}`, /\n\n/, { "Last-Event-ID": id })).toMatch(
    /^event: beat/,
  );
  expect(await eventsUntil(`${url}api/events?since=${at}`, /\n\n/)).toMatch(/^event: change/);
  expect(await eventsUntil(`${url}api/events?since=lost`, /\n\n/)).toMatch(/^event: reset/);
});

test("a run that trains is asked to stop by its file; another, or with --no-stop, is not", async () => {
  const url = await start();
  const { runs } = await json<Snapshot>(`${url}api/runs`);
  const [ended, running] = runs.map(({ id }) => `api/runs/${id}/stop`);
  const headers = { "x-fewbit-dashboard": "1", origin: new URL(url).origin };
  const post = async (path: string, more = headers, to = url): Promise<number> =>
    (await fetch(to + path, { method: "POST", headers: more })).status;
  expect(await post(running, { ...headers, "x-fewbit-dashboard": "" })).toBe(403);
  expect(await post(running, { ...headers, origin: "http://127.0.0.1:1" })).toBe(403);
  expect(await post(ended)).toBe(409);
  expect(await post("api/runs/none/stop")).toBe(404);
  const still = await start({ stoppable: false });
  expect(await post(running, { ...headers, origin: new URL(still).origin }, still)).toBe(403);
  expect([trains, done].map((directory) => existsSync(join(directory, "stop")))).toEqual([false, false]);
  expect(await post(running)).toBe(202);
  expect(await post(running)).toBe(202);
  expect([trains, done].map((directory) => existsSync(join(directory, "stop")))).toEqual([true, false]);
});

test("elsewhere than on this machine's own address a token is asked for, then a cookie", async () => {
  const url = await start({ host: "0.0.0.0" });
  const { port, search } = new URL(url);
  expect(search).toMatch(/^\?token=[\w-]{32}$/);
  const own = `http://localhost:${port}/`;
  for (const path of ["", "api/runs", "api/events", "api/report", `?token=${"x".repeat(32)}`, "?token="]) {
    const response = await fetch(own + path, { redirect: "manual" });
    expect([path, response.status]).toEqual([path, 401]);
    expect(response.headers.get("set-cookie")).toBeNull();
  }
  expect((await fetch(`${own}api/runs${search}`)).status).toBe(401); // nowhere but at the page
  const entry = await fetch(own + search, { redirect: "manual" });
  expect([entry.status, entry.headers.get("location")]).toEqual([303, "/"]);
  const cookie = entry.headers.get("set-cookie")!;
  expect(cookie).toMatch(/; HttpOnly/);
  expect(cookie).toMatch(/; SameSite=Strict/);
  expect(cookie).not.toContain(search.slice(7));
  const [pair] = cookie.split(";");
  expect((await fetch(`${own}api/runs`, { headers: { cookie: pair } })).status).toBe(200);
  expect((await fetch(`${own}api/runs`, { headers: { cookie: `${pair}x` } })).status).toBe(401);
});

test("the default port gives way, one that was asked for does not", async () => {
  const blocker = createServer();
  await new Promise<void>((listening) => blocker.listen(0, "127.0.0.1", listening));
  const { port } = blocker.address() as AddressInfo;
  await expect(startDashboard({ folder, port })).rejects.toThrow(
    `port ${port} is taken; choose another, or leave --port out`,
  );
  blocker.close();
  const ports = [await start({ port: undefined }), await start({ port: undefined })].map(
    (url) => new URL(url).port,
  );
  expect(ports[0]).not.toBe(ports[1]);
  await expect(startDashboard({ folder, host: "192.0.2.1" })).rejects.toThrow("cannot listen on 192.0.2.1");
});
