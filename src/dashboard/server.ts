/** The dashboard's server: what it listens on, and its limits. */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { UserError } from "../errors.js";
import { accessOf, isLocal, namesOf, newToken, withPort } from "./access.js";
import { createApp } from "./app.js";
import { readPage } from "./page.js";
import { Watch } from "./watch.js";

export interface DashboardOptions {
  readonly folder: string;
  /** Default: 127.0.0.1. Anywhere else a token is needed, which is in the address. */
  readonly host?: string;
  /** Default: 8642, or one of the next where it is taken. */
  readonly port?: number;
  /** Whether runs can be stopped from the page. Default: true. */
  readonly stoppable?: boolean;
}

export interface Dashboard {
  /** With the token where there is one. */
  readonly url: string;
  readonly watch: Watch;
  close(): Promise<void>;
}

const defaultPort = 8642;
/** Ports that are tried where none was asked for. */
const attempts = 20;

/** Looks at the runs and serves the page. @throws UserError for a folder that is not there, a port that is taken. */
export async function startDashboard(options: DashboardOptions): Promise<Dashboard> {
  const { folder, host = "127.0.0.1", stoppable = true } = options;
  const { createAdaptorServer } = await import("@hono/node-server");
  const page = readPage();
  const watch = new Watch(folder);
  const token = isLocal(host) ? undefined : newToken();
  const over = new AbortController();
  // The port is known once it listens; nothing is answered before.
  let answer: (request: Request) => Response | Promise<Response> = () => new Response(null, { status: 503 });
  const server = createAdaptorServer({
    fetch: (request: Request) => answer(request),
    overrideGlobalObjects: false,
    serverOptions: {
      maxHeaderSize: 8 * 1024,
      headersTimeout: 10_000,
      requestTimeout: 15_000,
      keepAliveTimeout: 5_000,
      connectionsCheckingInterval: 2_000,
    },
  }) as Server;
  server.maxConnections = 256;
  server.maxHeadersCount = 100;
  const port = await listen(server, host, options.port);
  const app = createApp({
    watch,
    stoppable,
    page,
    signal: over.signal,
    access: accessOf(host, port, token),
  });
  answer = (request) => app.fetch(request);
  await watch.start();
  const name = isLocal(host) ? host : (namesOf(host).find((each) => each !== "localhost") ?? host);
  const url = `http://${withPort(name, port)}/${token === undefined ? "" : `?token=${token}`}`;
  const close = async (): Promise<void> => {
    watch.stop();
    over.abort();
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  };
  return { url, watch, close };
}

async function listen(server: Server, host: string, asked: number | undefined): Promise<number> {
  const first = asked ?? defaultPort;
  for (let port = first; ; port++) {
    try {
      await new Promise<void>((listening, failed) => {
        server.once("error", failed);
        server.listen({ port, host }, () => {
          server.off("error", failed);
          listening();
        });
      });
      return (server.address() as AddressInfo).port;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === "EADDRINUSE" && asked === undefined && port < first + attempts) continue;
      if (code === "EADDRINUSE") {
        throw new UserError(`port ${port} is taken; choose another, or leave --port out`, "port");
      }
      if (code === "EACCES") {
        throw new UserError(
          `port ${port} needs rights that you do not have; choose one of at least 1024`,
          "port",
        );
      }
      throw new UserError(
        `cannot listen on ${host}: ${code ?? message}; give an address of this machine, such as 127.0.0.1 or 0.0.0.0`,
        "host",
      );
    }
  }
}
