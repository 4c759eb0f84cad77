/** Downloads through a proxy on this machine, which tunnels (CONNECT, RFC 9110 section 9.3.6). */
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { createServer } from "node:http";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { download } from "./download.js";
import type { Mirror } from "./server.test.fixture.js";
import { serve } from "./server.test.fixture.js";

const sent = Buffer.from("the file");
let mirror: Mirror;
let proxy: { readonly url: string; readonly tunnels: string[]; close(): void };

beforeEach(async () => {
  for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"]) {
    vi.stubEnv(name, "");
    vi.stubEnv(name.toLowerCase(), "");
  }
  mirror = await serve((response) => response.end(sent));
  proxy = await startProxy();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  proxy.close();
  await mirror.close();
});

/** Tells where it was asked to tunnel to, and goes to the mirror wherever that is. */
async function startProxy() {
  const tunnels: string[] = [];
  const server = createServer((_request, response) => response.writeHead(405).end());
  server.on("connect", (request, socket) => {
    tunnels.push(request.url ?? "");
    const there = connect(Number(new URL(mirror.url).port), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      there.pipe(socket).pipe(there);
    });
    for (const end of [socket, there]) end.on("error", () => there.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, tunnels, close: () => void server.close() };
}

const get = (url: string) =>
  download("file.gz", (bytes) => Promise.resolve(Buffer.from(bytes).toString()), {
    mirrors: [url],
    retries: 0,
    stallMilliseconds: 30_000,
  });

test.each(["http_proxy", "HTTP_PROXY"])("%s is gone through, by the host's name", async (name) => {
  vi.stubEnv(name, proxy.url);
  // No such host is known here: the proxy finds it.
  const { result } = await get("http://data.invalid/sets/");
  expect([result, proxy.tunnels, mirror.requests]).toEqual([
    "the file",
    ["data.invalid:80"],
    ["/sets/file.gz"],
  ]);
});

test.each(["https_proxy", "HTTPS_PROXY"])("%s is asked for a tunnel to the port of https", async (name) => {
  vi.stubEnv(name, proxy.url);
  // The mirror speaks no TLS, so that is as far as it comes.
  await expect(get("https://data.invalid/")).rejects.toThrow(/cannot download file.gz/);
  expect(proxy.tunnels).toEqual(["data.invalid:443"]);
});

test("NO_PROXY and hosts of the other protocol are asked directly", async () => {
  vi.stubEnv("HTTP_PROXY", proxy.url);
  vi.stubEnv("NO_PROXY", "elsewhere.example,127.0.0.1");
  expect((await get(mirror.url)).result).toBe("the file");
  vi.stubEnv("NO_PROXY", "");
  vi.stubEnv("HTTP_PROXY", "");
  vi.stubEnv("HTTPS_PROXY", proxy.url);
  expect((await get(mirror.url)).result).toBe("the file");
  expect(proxy.tunnels).toEqual([]);
});

test.each(["proxy.example:3128", "socks5://127.0.0.1:1080"])("%s is refused as a proxy", async (value) => {
  vi.stubEnv("HTTPS_PROXY", value);
  await expect(get(mirror.url)).rejects.toThrow(
    `HTTPS_PROXY must be the URL of a proxy, such as http://proxy.example:3128, got "${value}"; change or unset it`,
  );
});
