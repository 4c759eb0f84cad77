/** Downloads from a server that misbehaves in every way that servers do. */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { UserError } from "../errors.js";
import { cacheDirectory } from "./cache.js";
import type { LoadProgress } from "./dataset.js";
import { isMirror } from "./download.js";
import type { RemoteFile, RemoteOptions } from "./remote.js";
import { remoteFiles } from "./remote.js";
import type { Behaviour, Mirror } from "./server.test.fixture.js";
import { serve } from "./server.test.fixture.js";

/** Bytes that do not pack well, so that a part of them is a part of the file. */
const unpacked = Buffer.from(Array.from({ length: 20_000 }, (_, i) => (i * i * 2_654_435_761) >>> 24));
const packed = gzipSync(unpacked);
const sha256 = createHash("sha256").update(unpacked).digest("hex");
const file: RemoteFile = { name: "numbers.gz", unpackedBytes: unpacked.length, sha256 };

let cache: string;
let open: Mirror[];
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "fewbit-cache-"));
  open = [];
});
afterEach(async () => {
  await Promise.all(open.map((mirror) => mirror.close()));
  rmSync(cache, { recursive: true });
});

async function mirror(behaviour: Behaviour): Promise<Mirror> {
  const started = await serve(behaviour);
  open.push(started);
  return started;
}

const path = () => join(cache, "set", file.name);
/** Only the tests of stalls wait for one; elsewhere a busy machine must not look like a stalled server. */
const quick = { backoffMilliseconds: 1, stallMilliseconds: 30_000 };

function get(mirrors: readonly Mirror[], options: RemoteOptions = {}) {
  const urls = mirrors.map(({ url }) => url);
  return remoteFiles("set", [file], urls, { cache, ...quick, ...options });
}

/** The lines of the error that a download ends with; nothing may be left in the cache. */
async function failure(mirrors: readonly Mirror[], options?: RemoteOptions): Promise<string[]> {
  const error: unknown = await get(mirrors, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  expect(readdirSync(cache)).toEqual([]);
  const [first, ...rest] = (error as UserError).message.split("\n");
  expect(first).toBe(
    "cannot download numbers.gz; name other mirrors with --mirror, or a folder that has it with --data-dir",
  );
  return rest;
}

async function expectGood(mirrors: readonly Mirror[], options?: RemoteOptions): Promise<string | undefined> {
  const { files, directory } = await get(mirrors, options);
  expect(directory).toBe(join(cache, "set"));
  expect(files.map(({ bytes }) => Buffer.from(bytes).equals(unpacked))).toEqual([true]);
  expect(readdirSync(directory)).toEqual([file.name]);
  expect(gunzipSync(readFileSync(path())).equals(unpacked)).toBe(true);
  return files[0].from;
}

const good: Behaviour = (response) => void response.end(packed);
const html: Behaviour = (response) =>
  void response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>Sign in</title>");

describe("a file of which the packed bytes have the checksum", () => {
  const sum = createHash("sha256").update(packed).digest("hex");
  const getPacked = ({ url }: Mirror) =>
    remoteFiles("set", [{ ...file, sha256: sum, of: "packed" }], [url], { cache, ...quick });

  test("is taken from a server, and then from the cache", async () => {
    const from = await mirror(good);
    for (const isFirst of [true, false]) {
      const { files } = await getPacked(from);
      expect(Buffer.from(files[0].bytes).equals(unpacked)).toBe(true);
      expect(files[0].from !== undefined).toBe(isFirst);
    }
    expect(readFileSync(path()).equals(packed)).toBe(true);
  });

  test("is not taken as others pack or unpack it", async () => {
    for (const bytes of [gzipSync(unpacked, { level: 1 }), unpacked]) {
      const from = await mirror((response) => void response.end(bytes));
      const other = createHash("sha256").update(bytes).digest("hex");
      await expect(getPacked(from)).rejects.toThrow(
        `it is another file: ${bytes.length} bytes with SHA-256 ${other}`,
      );
    }
  });
});

describe("a mirror that stalls", () => {
  const head = { "content-length": packed.length };
  test.each<[string, Behaviour]>([
    ["before its answer", () => {}],
    ["in the middle", (response) => void response.writeHead(200, head).write(packed.subarray(0, 900))],
  ])("%s", async (_name, behaviour) => {
    const bad = await mirror(behaviour);
    expect(await failure([bad], { stallMilliseconds: 100 })).toEqual([
      `  ${bad.url}numbers.gz: no bytes came for 0.1 s (3 times)`,
    ]);
    const next = await mirror(good);
    const options = { stallMilliseconds: 1000, retries: 1 };
    expect(await expectGood([bad, next], options)).toBe(`${next.url}numbers.gz`);
  });
});

describe("a mirror that fails as some do", () => {
  /** What it does, what is said of it, and how often it is tried. */
  const broken: readonly [string, Behaviour, string, number][] = [
    [
      "closes the connection in the middle",
      (response) => {
        response.writeHead(200, { "content-length": packed.length });
        response.write(packed.subarray(0, 900), () => response.destroy());
      },
      "the connection broke off",
      3,
    ],
    ["closes it before the head", (response) => void response.destroy(), "the connection broke off", 3],
    [
      "says that it sends more than it does",
      (response) => {
        response.writeHead(200, { "content-length": packed.length + 100, connection: "close" });
        response.write(packed, () => response.destroy());
      },
      "the connection broke off",
      3,
    ],
    [
      "says that it sends less than it does",
      (response) => void response.writeHead(200, { "content-length": 900, connection: "close" }).end(packed),
      "it does not unpack: unexpected end of file",
      3,
    ],
    [
      "cuts the file short without a length",
      (response) => {
        response.removeHeader("transfer-encoding");
        response.writeHead(200, { connection: "close" });
        response.end(packed.subarray(0, 900));
      },
      "it does not unpack: unexpected end of file",
      3,
    ],
    [
      "sends damaged bytes",
      (response) => void response.end(Buffer.from(packed).fill(7, 5000, 5010)),
      "it does not unpack: ",
      3,
    ],
    [
      "sends another file",
      (response) => void response.end(gzipSync("another")),
      `it is another file: 7 bytes with SHA-256 ${createHash("sha256").update("another").digest("hex")}`,
      1,
    ],
    [
      "sends a larger file",
      (response) => void response.end(gzipSync(Buffer.alloc(1_000_000))),
      "it unpacks to more than 20000 bytes",
      1,
    ],
    [
      "sends without end",
      (response) => {
        const more = () => {
          while (!response.destroyed && response.write(Buffer.alloc(2 ** 14))) continue;
        };
        response.on("drain", more);
        more();
      },
      "it sends more than 85536 bytes",
      1,
    ],
    ["sends a web page", html, "it is a web page", 1],
    ["does not have it", (response) => void response.writeHead(404).end("no"), "the server answers 404", 1],
    ["forbids it", (response) => void response.writeHead(403).end("no"), "the server answers 403", 1],
    ["is broken", (response) => void response.writeHead(500).end("no"), "the server answers 500", 3],
    ["is busy", (response) => void response.writeHead(429).end("no"), "the server answers 429", 3],
    [
      "sends in circles",
      (response) => void response.writeHead(302, { location: "/numbers.gz" }).end(),
      "redirect count exceeded",
      63, // three tries of 20 redirects
    ],
  ];

  test.each(broken)("%s", async (_name, behaviour, reason, requests) => {
    const bad = await mirror(behaviour);
    const lines = await failure([bad]);
    expect(lines).toHaveLength(1);
    expect(lines[0].startsWith(`  ${bad.url}numbers.gz: ${reason}`), lines[0]).toBe(true);
    expect(bad.requests).toHaveLength(requests);
    // The next one has its turn.
    const next = await mirror(good);
    expect(await expectGood([bad, next])).toBe(`${next.url}numbers.gz`);
  });

  test("refuses the connection", async () => {
    const gone = await serve(good);
    await gone.close();
    expect(await failure([gone])).toEqual([`  ${gone.url}numbers.gz: the connection is refused (3 times)`]);
  });

  test("is not to be found", async () => {
    const lines = await failure([
      { url: "http://mirror.invalid/", requests: [], close: () => Promise.resolve() },
    ]);
    expect(lines).toEqual(["  http://mirror.invalid/numbers.gz: the host is not found (3 times)"]);
  });
});

test("each failure of each mirror is reported, in order", async () => {
  const changing = await mirror((response, count) =>
    count === 0
      ? void response.writeHead(503).end()
      : count === 1
        ? response.destroy()
        : html(response, 0, response.req),
  );
  const lacking = await mirror((response) => void response.writeHead(404).end());
  expect(await failure([changing, lacking])).toEqual([
    `  ${changing.url}numbers.gz: the server answers 503`,
    `  ${changing.url}numbers.gz: the connection broke off`,
    `  ${changing.url}numbers.gz: it is a web page`,
    `  ${lacking.url}numbers.gz: the server answers 404`,
  ]);
});

test("`retries` is the number of further tries", async () => {
  const bad = await mirror((response) => void response.writeHead(500).end());
  await failure([bad], { retries: 0 });
  await failure([bad], { retries: 4 });
  expect(bad.requests).toHaveLength(1 + 5);
});

describe("a download succeeds", () => {
  test("after errors, and at an address that the server sends it to", async () => {
    const moved = await mirror((response, count, { url }) => {
      if (url === "/elsewhere") return void (count === 0 ? response.destroy() : response.end(packed));
      if (count === 0) return void response.writeHead(500).end();
      response.writeHead(301, { location: "/elsewhere" }).end();
    });
    await expectGood([moved]);
  });

  test("though bytes come slowly", async () => {
    const slow = await mirror((response) => {
      response.writeHead(200, { "content-length": packed.length });
      const parts = Array.from({ length: 8 }, (_, i) =>
        packed.subarray((i * packed.length) / 8, ((i + 1) * packed.length) / 8),
      );
      const next = (i: number): void => {
        if (i === parts.length) return void response.end();
        response.write(parts[i]);
        setTimeout(() => next(i + 1), 300); // together far longer than the server may send nothing
      };
      next(0);
    });
    await expectGood([slow], { stallMilliseconds: 2000 });
  });

  test("where the server, or the connection, unpacks the file", async () => {
    await expectGood([await mirror((response) => void response.end(unpacked))]);
    rmSync(path());
    const encoded = await mirror(
      (response) => void response.writeHead(200, { "content-encoding": "gzip" }).end(packed),
    );
    await expectGood([encoded]);
  });

  test("from a folder whose URL has no slash at its end", async () => {
    const deep = await mirror((response, _count, { url }) =>
      url === "/sets/numbers.gz" ? void response.end(packed) : void response.writeHead(404).end(),
    );
    await expectGood([{ ...deep, url: `${deep.url}sets` }]);
  });

  test("and tells how far it is and where the file came from", async () => {
    const reported: LoadProgress[] = [];
    const { url } = await mirror(
      (response) => void response.writeHead(200, { "content-length": packed.length }).end(packed),
    );
    await get([], { mirrors: [url], onProgress: (progress) => reported.push(progress) });
    const done = reported.map((progress) => progress.done);
    expect(done).toEqual([...done].sort((a, b) => a - b));
    const last = { what: file.name, unit: "bytes", done: packed.length, total: packed.length };
    expect(reported.slice(-2)).toEqual([last, { ...last, from: `${url}numbers.gz` }]);
  });
});

describe("what is in the cache", () => {
  test("is used without the network", async () => {
    mkdirSync(join(cache, "set"));
    writeFileSync(path(), packed);
    const unused = await mirror(good);
    expect(await expectGood([unused])).toBe(undefined);
    expect(unused.requests).toEqual([]);
  });

  test.each([
    ["half a file", packed.subarray(0, 900)],
    ["an empty file", Buffer.alloc(0)],
    ["another file", gzipSync("another")],
    ["a web page", Buffer.from("<html>")],
  ])("does not count if it is %s", async (_name, content) => {
    mkdirSync(join(cache, "set"));
    writeFileSync(path(), content);
    const warnings: string[] = [];
    const next = await mirror(good);
    expect(await expectGood([next], { onWarning: (message) => warnings.push(message) })).toBe(
      `${next.url}numbers.gz`,
    );
    expect(warnings).toHaveLength(1);
    expect(warnings[0].startsWith(`${path()} does not count and is downloaded again: `)).toBe(true);
  });

  test("never counts under the name that it is written by, and stays out of the way", async () => {
    mkdirSync(join(cache, "set"));
    writeFileSync(`${path()}.1234-abcdef01.tmp`, packed.subarray(0, 900));
    const next = await mirror(good);
    const { files } = await get([next]);
    expect(files[0].from).toBe(`${next.url}numbers.gz`);
    expect(gunzipSync(readFileSync(path())).equals(unpacked)).toBe(true);
  });

  test("is downloaded again with `force`, and stays if that fails", async () => {
    mkdirSync(join(cache, "set"));
    writeFileSync(path(), packed);
    const bad = await mirror(html);
    await expect(get([bad], { force: true })).rejects.toThrow(/it is a web page/);
    expect(readFileSync(path()).equals(packed)).toBe(true);
    const next = await mirror((response) => void response.end(gzipSync(unpacked, { level: 1 })));
    expect(await expectGood([next], { force: true })).toBe(`${next.url}numbers.gz`);
    expect(readFileSync(path()).equals(packed)).toBe(false);
  });
});

test("a cache that cannot be written is refused before anything is downloaded", async () => {
  const unused = await mirror(good);
  const blocked = join(cache, "file");
  writeFileSync(blocked, "");
  await expect(get([unused], { cache: join(blocked, "deep") })).rejects.toThrow(
    `cannot write ${join(blocked, "deep", "set")}: ${blocked} is not a directory; choose a folder that you may write to, with --cache or FEWBIT_CACHE`,
  );
  expect(unused.requests).toEqual([]);
});

test("a raised signal ends a download at once, with its own reason", async () => {
  const silent = await mirror(() => {});
  const stop = new AbortController();
  const running = get([silent], { signal: stop.signal, stallMilliseconds: 60_000 });
  stop.abort(new Error("stopped"));
  await expect(running).rejects.toThrow("stopped");
  expect(readdirSync(cache)).toEqual([]);
});

describe("other processes", () => {
  const runner = createRequire(import.meta.url).resolve("vite-node/vite-node.mjs");
  const child = fileURLToPath(new URL("remote.test.child.ts", import.meta.url));

  function start(url: string): ChildProcess {
    const job = JSON.stringify([file, url, { cache, stallMilliseconds: 30_000 }]);
    return spawn(process.execPath, [runner, child, job], { stdio: ["ignore", "ignore", "inherit"] });
  }

  test("that download the same file at the same time leave it whole", async () => {
    // Each answer's second half waits for the other's first, so that they overlap.
    const waiting: (() => void)[] = [];
    const together = await mirror((response) => {
      response.write(packed.subarray(0, 900));
      waiting.push(() => void response.end(packed.subarray(900)));
      if (waiting.length === 3) for (const finish of waiting) finish();
    });
    const children = [1, 2, 3].map(() => start(together.url));
    const codes = await Promise.all(children.map((one) => once(one, "close")));
    expect(codes).toEqual([
      [0, null],
      [0, null],
      [0, null],
    ]);
    expect(readdirSync(join(cache, "set"))).toEqual([file.name]);
    expect(readFileSync(path()).equals(packed)).toBe(true);
  });

  test("that are killed in the middle leave nothing that counts", async () => {
    const victims: ChildProcess[] = [];
    const halting = await mirror((response, count) => {
      if (count > 0) return void response.end(packed);
      response.writeHead(200, { "content-length": packed.length });
      response.write(packed.subarray(0, 900), () => victims[0].kill("SIGKILL"));
    });
    victims.push(start(halting.url));
    expect(await once(victims[0], "close")).toEqual([null, "SIGKILL"]);
    expect(existsSync(path())).toBe(false);
    expect(await expectGood([halting])).toBe(`${halting.url}numbers.gz`);
  });
});

test.each([
  "",
  "mnist",
  "ftp://host/mnist",
  "file:///mnist",
  "http://user:secret@host/",
  "http://host/?a=1",
  "http://host/#a",
])("the mirror %j is refused", async (url) => {
  expect(isMirror(url)).toBe(false);
  await expect(remoteFiles("set", [file], ["http://host/"], { cache, mirrors: [url] })).rejects.toThrow(
    `mirrors must be http or https URLs of folders, got "${url}"`,
  );
});

describe("the cache is", () => {
  test.each([
    [{ FEWBIT_CACHE: "/a", XDG_CACHE_HOME: "/b" }, "linux", "/a"],
    [{ FEWBIT_CACHE: "", XDG_CACHE_HOME: "/b" }, "linux", "/b/fewbit"],
    [{ XDG_CACHE_HOME: "relative", HOME: "/h" }, "linux", join(process.env.HOME ?? "", ".cache/fewbit")],
    [{}, "darwin", join(process.env.HOME ?? "", ".cache/fewbit")],
    [{ LOCALAPPDATA: "/local", XDG_CACHE_HOME: "/b" }, "win32", "/local/fewbit"],
  ] as const)("with %j on %s: %s", (environment, platform, expected) => {
    expect(cacheDirectory(environment, platform)).toBe(expected);
  });
});
