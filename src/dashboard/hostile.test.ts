/** Requests that mean harm: none gets what it must not, nothing changes on disk, and the server goes on. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { build, listing } from "../cli/cli.test.fixture.js";
import { lockDirectory } from "../run-folder/index.js";
import type { Snapshot } from "./api.js";
import { mostStreams } from "./app.js";
import { writeRun } from "../runs.test.fixture.js";
import type { Dashboard } from "./server.js";
import { startDashboard } from "./server.js";

const secret = "the-secret-beside-the-runs";
const outside = mkdtempSync(join(tmpdir(), "fewbit-hostile-"));
const folder = join(outside, "runs");
let dashboard: Dashboard;
let release: () => void;
let port: number;
let host: string;
let id: string;
const failures: unknown[] = [];
const note = (error: unknown): void => void failures.push(error);

beforeAll(async () => {
  build();
  writeFileSync(join(outside, "secret.txt"), secret);
  mkdirSync(folder);
  writeFileSync(join(folder, "secret.txt"), secret);
  release = lockDirectory(writeRun(folder, "trains", { epochs: 2, planned: 9, layers: ["conv1"] })).release;
  process.on("unhandledRejection", note);
  process.on("uncaughtException", note);
  dashboard = await startDashboard({ folder, port: 0 });
  host = new URL(dashboard.url).host;
  port = Number(new URL(dashboard.url).port);
  id = dashboard.watch.snapshot(true).runs[0].id;
});
afterAll(async () => {
  await dashboard.close();
  process.off("unhandledRejection", note);
  process.off("uncaughtException", note);
  release();
  rmSync(outside, { recursive: true });
});

/** Writes bytes as they are, and returns all that comes back until the server ends or falls silent. */
function raw(bytes: string | Buffer, silence = 1500): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    let answer = "";
    socket.setTimeout(silence, () => socket.destroy());
    socket.setEncoding("latin1").on("data", (text: string) => (answer += text));
    socket.on("error", () => {}); // refused in the middle, which is an answer
    socket.on("close", () => resolve(answer));
  });
}

const head = (method: string, path: string, headers: Readonly<Record<string, string>> = {}): string => {
  const all = { Host: host, Connection: "close", ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
};

const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);

/** All were refused (0: the connection was ended without a word), and nothing leaked. */
async function expectRefused(
  requests: readonly (string | Buffer)[],
  allowed: readonly number[],
): Promise<void> {
  for (let i = 0; i < requests.length; i += 20) {
    const some = requests.slice(i, i + 20);
    const answers = await Promise.all(some.map((request) => raw(request)));
    for (const [k, answer] of answers.entries()) {
      const request = some[k].toString("latin1").slice(0, 120);
      expect([request, allowed.includes(statusOf(answer)) ? "refused" : answer]).toEqual([
        request,
        "refused",
      ]);
      expect(answer).not.toContain(secret);
      expect(answer).not.toMatch(/root:|node_modules|\/home|fewbit-hostile/);
    }
  }
  sent += requests.length;
}
let sent = 0;

const ups = [
  "../",
  "..%2f",
  "%2e%2e/",
  "%2e%2e%2f",
  "..\\",
  "..%5c",
  "%2e%2e%5c",
  "....//",
  "..;/",
  "%c0%ae%c0%ae/",
];
const wideUps = [
  "%252e%252e%252f",
  "%u002e%u002e/",
  "..%c0%af",
  "..%ef%bc%8f",
  ".%00./",
  "..%00/",
  "/..//",
  "..%0d%0a/",
];
const prefixes = ["/", "/assets/", "/api/runs/", "/api/"];
const targets = ["secret.txt", "../secret.txt", "trains/config.json", "etc/passwd"];

test("200 hostile requests and more", async () => {
  const before = listing(outside);

  // Paths that climb, in every writing. An unknown path is 404, an impossible one 400.
  const paths = prefixes.flatMap((prefix) =>
    [...ups, ...wideUps].map((up, i) => `${prefix}${up.repeat(4)}${targets[i % targets.length]}`),
  );
  const others = [
    "//etc/passwd",
    "/etc/passwd",
    "/secret.txt",
    "/trains/metrics.jsonl",
    "/index.html/../../secret.txt",
    "/assets",
    "/assets/",
    "/api",
    "/api/runs/",
    "/package.json",
    "/.git/config",
    "/api/runs/%00",
    "/%",
    "/%zz",
    "/api/runs/%ff%fe",
    `/api/runs/${id}/config.json`,
    `/api/runs/${id}/../../secret.txt`,
    `/api/runs/${id}%2f..%2fsecret.txt`,
    `/api/runs/${id}%00`,
    "http://evil.example/secret.txt",
    "file:///etc/passwd",
    "/api/report/../../secret.txt",
    "/?token=../secret.txt/../x",
  ];
  await expectRefused(
    [...paths, ...others.slice(0, -1)].map((path) => head("GET", path)),
    [0, 400, 404],
  );
  expect(await raw(head("GET", others[others.length - 1]))).not.toContain(secret);

  // Ids that are none.
  const ids = [
    ...[
      "__proto__",
      "constructor",
      "prototype",
      "toString",
      "hasOwnProperty",
      "valueOf",
      "0",
      "-1",
      "NaN",
      "null",
    ],
    ...[
      "undefined",
      "true",
      "[object%20Object]",
      "trains",
      "runs",
      "%2e",
      "%2f",
      "a".repeat(4000),
      "%F0%9F%98%80",
    ],
    ...[
      "%3Cscript%3Ealert(1)%3C/script%3E",
      "'%20OR%201=1--",
      "$%7Bjndi:ldap://evil%7D",
      "*",
      "%0d%0aSet-Cookie:x=1",
    ],
    ...[id.toUpperCase(), id.slice(1), `${id}x`, `%20${id}`, `${id}%20`, `${id}.json`].filter(
      (each) => each !== id,
    ),
  ];
  await expectRefused(
    ids.flatMap((each) => [
      head("GET", `/api/runs/${each}`),
      head("POST", `/api/runs/${each}/stop`, { Origin: `http://${host}`, "X-Fewbit-Dashboard": "1" }),
    ]),
    [0, 400, 404],
  );

  // Names of other servers: a page whose name an attacker's DNS turned to this address.
  const hosts = [
    "evil.example",
    `evil.example:${port}`,
    "127.0.0.1",
    "localhost",
    `127.0.0.1:${port + 1}`,
    "0.0.0.0",
  ];
  const moreHosts = [
    ...[
      `localhost.evil.example:${port}`,
      `127.0.0.1.nip.example:${port}`,
      `127.0.0.1:${port}@evil.example`,
      "[::1]",
    ],
    ...[
      `127.0.0.1:0${port}`,
      `127.1:${port}`,
      `2130706433:${port}`,
      `${host}, evil.example`,
      "",
      "[",
      "a b",
      "%00",
    ],
  ];
  await expectRefused(
    [...hosts, ...moreHosts].flatMap((Host) => [
      head("GET", "/api/runs", { Host }),
      head("GET", "/", { Host }),
    ]),
    [0, 400, 421],
  );

  // Pages of other origins.
  const origins = [
    ...[
      "http://evil.example",
      "null",
      `https://${host}`,
      `http://127.0.0.1:${port + 1}`,
      `http://localhost:${port}`,
    ],
    ...[
      `http://${host}.evil.example`,
      `http://${host}/`,
      `http://evil.example#http://${host}`,
      "",
      "file://",
      "*",
    ],
  ];
  const stop = `/api/runs/${id}/stop`;
  await expectRefused(
    origins.flatMap((Origin) => [
      head("GET", "/api/runs", { Origin }),
      head("POST", stop, { Origin, "X-Fewbit-Dashboard": "1" }),
    ]),
    [400, 403],
  );
  await expectRefused(
    [
      head("POST", stop),
      head("POST", stop, { "X-Fewbit-Dashboard": "1" }),
      head("POST", stop, { Origin: `http://${host}` }),
      head("POST", stop, { Origin: `http://${host}`, "X-Fewbit-Dashboard": "0" }),
      head("POST", stop, { Origin: `http://${host}`, "Content-Type": "application/x-www-form-urlencoded" }),
      head("GET", "/api/runs", { "Sec-Fetch-Site": "cross-site" }),
      head("GET", "/api/events", { "Sec-Fetch-Site": "cross-site" }),
      head("GET", stop),
    ],
    [403, 404],
  );

  // Other methods.
  const methods = ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "LINK", "FOO", "get"];
  await expectRefused(
    methods.flatMap((method) => [head(method, "/api/runs"), head(method, stop), head(method, "/")]),
    [0, 400, 404, 405],
  );

  // Events that nobody reads: they take no page's place.
  const unread = Array.from({ length: 40 }, () => head("HEAD", "/api/events"));
  for (const answer of await Promise.all(unread.map((request) => raw(request)))) {
    expect(statusOf(answer)).toBe(200);
  }
  expect(statusOf(await raw(head("GET", "/api/events")))).toBe(200);

  // More than a request is.
  const kilobytes = (n: number): string => "x".repeat(n * 1024);
  const own = { Origin: `http://${host}`, "X-Fewbit-Dashboard": "1" };
  const many = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`X-${i}`, "1"]));
  await expectRefused(
    [
      head("GET", "/api/runs", { "X-Large": kilobytes(9) }),
      head("GET", "/api/runs", { Cookie: kilobytes(64) }),
      head("GET", `/${kilobytes(100)}`),
      head("GET", `/?token=${kilobytes(16)}`),
      head("GET", "/api/runs", many),
      head("POST", stop, { ...own, "Content-Length": "10000000" }) + kilobytes(64),
      head("POST", stop, { ...own, "Content-Length": "2048" }) + kilobytes(2),
      `${head("POST", stop, { ...own, "Transfer-Encoding": "chunked" })}800\r\n${kilobytes(2)}\r\n0\r\n\r\n`,
    ],
    [0, 400, 413, 431],
  );

  // What is no HTTP.
  await expectRefused(
    [
      "GET\r\n\r\n",
      "GET / HTTP/9.9\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      `GET / HTTP/1.1\r\nHost: ${host}\r\nHost: evil.example\r\n: x\r\n\r\n`,
      `GET / HTTP/1.1\nHost evil\n\n`,
      `GET /api/runs HTTP/1.1\r\nHost: ${host}\r\nX: a\r\n b\0\r\n\r\n`,
      `POST ${stop} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `POST ${stop} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: -1\r\n\r\n`,
      `POST ${stop} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n`,
      `POST ${stop} HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
      "\r\n\r\n\r\n\r\n\0\0\0\0",
      Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
      Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      Buffer.alloc(20_000, 0xff),
      "SSH-2.0-OpenSSH_9.0\r\n",
    ],
    [0, 400, 403, 431, 505],
  );

  // Requests that are begun and not ended hold nobody up.
  const slow: Socket[] = Array.from({ length: 60 }, (_, i) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.write(
        i % 2 === 0 ? "GET /api/runs HTTP/1.1\r\nHos" : head("POST", stop, { ...own, "Content-Length": "9" }),
      );
    });
    return socket.on("error", () => {});
  });
  sent += slow.length;
  expect(statusOf(await raw(head("GET", "/api/runs")))).toBe(200);
  for (const socket of slow) socket.destroy();

  // More streams than there are pages; their places are released again.
  const over = new AbortController();
  const streams = await Promise.all(
    Array.from({ length: mostStreams + 8 }, () =>
      fetch(`${dashboard.url}api/events`, { signal: over.signal }),
    ),
  );
  sent += streams.length;
  expect(streams.map(({ status }) => status).sort()).toEqual([
    ...Array<number>(mostStreams).fill(200),
    ...Array<number>(8).fill(503),
  ]);
  over.abort();
  await expect.poll(async () => statusOf(await raw(head("GET", "/api/events"), 200))).toBe(200);
  for (const last of ["x".repeat(4000), "0-0", "__proto__", "-1"]) {
    expect(await raw(head("GET", "/api/events", { "Last-Event-ID": last }), 300)).toContain("event: reset");
  }

  expect(sent).toBeGreaterThan(300);
  expect(listing(outside)).toEqual(before);
  expect(failures).toEqual([]);
  const { runs } = (await (await fetch(`${dashboard.url}api/runs`)).json()) as Snapshot;
  expect(runs).toMatchObject([{ name: "trains", state: "running", stopping: false }]);
});
