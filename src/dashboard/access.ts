/**
 * Who may ask: requests that name this server as their host, from its own page, with the token where
 * there is one. A browser sends no other site's request with our cookie or header, and a name that an
 * attacker's DNS turns to this address is not in the list of hosts.
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { hostname, networkInterfaces } from "node:os";
import type { Context, MiddlewareHandler } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { ownHeader } from "./api.js";

export interface Access {
  /** With ports: "127.0.0.1:8642". */
  readonly hosts: ReadonlySet<string>;
  /** Undefined where only this machine can ask. */
  readonly token: string | undefined;
}

export const isLocal = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|::1)$/i.test(host);

export const newToken = (): string => randomBytes(24).toString("base64url");

/** The names by which a server that listens on `host` is asked. */
export function namesOf(host: string): string[] {
  if (isLocal(host)) return [...new Set(["127.0.0.1", "localhost", "::1", host.toLowerCase()])];
  if (host !== "0.0.0.0" && host !== "::") return [host.toLowerCase()];
  const addresses = Object.values(networkInterfaces()).flatMap((all) =>
    (all ?? []).map(({ address }) => address),
  );
  return [...new Set(["localhost", hostname().toLowerCase(), ...addresses])];
}

/** "[::1]:8642" */
export const withPort = (name: string, port: number): string =>
  `${name.includes(":") ? `[${name}]` : name}:${port}`;

export function accessOf(host: string, port: number, token: string | undefined): Access {
  const names = namesOf(host).flatMap((name) => {
    const full = withPort(name, port);
    return port === 80 ? [full, full.slice(0, -3)] : [full];
  });
  return { hosts: new Set(names), token };
}

/** Lets a request through to the routes, or answers it. */
export function guard({ hosts, token }: Access): MiddlewareHandler {
  // A cookie is sent to every port of its host. It is not the token, which stands in the user's terminal.
  const session = randomBytes(24).toString("base64url");
  const cookie = `fewbit-${[...hosts][0]?.split(":").at(-1) ?? ""}`;
  return async (c, next) => {
    if (!["GET", "HEAD", "POST"].includes(c.req.method)) return refuse(c, 405, "method not allowed");
    const host = c.req.header("host")?.toLowerCase();
    if (host === undefined || !hosts.has(host)) return refuse(c, 421, "this server has another name");
    const length = c.req.header("content-length") ?? "0";
    if (length !== "0" || c.req.header("transfer-encoding") !== undefined) {
      return refuse(c, 413, "no request here has a body");
    }
    const origin = c.req.header("origin");
    const own = origin === `http://${host}`;
    if (origin !== undefined && !own) return refuse(c, 403, "from another origin");
    if (c.req.path.startsWith("/api/") && c.req.header("sec-fetch-site") === "cross-site") {
      return refuse(c, 403, "from another site");
    }
    if (c.req.method === "POST" && !(own && c.req.header(ownHeader) === "1")) {
      return refuse(c, 403, "not from the dashboard's page");
    }
    if (token === undefined) return next();
    const given = c.req.query("token");
    if (c.req.path === "/" && c.req.method === "GET" && given !== undefined && isSame(given, token)) {
      setCookie(c, cookie, session, { httpOnly: true, sameSite: "Strict", path: "/" });
      return c.redirect("/", 303); // the token does not stay in the address
    }
    if (isSame(getCookie(c, cookie) ?? "", session)) return next();
    return refuse(c, 401, "open the address with its token, which fewbit dashboard printed");
  };
}

const refuse = (c: Context, status: 401 | 403 | 405 | 413 | 421, error: string) => c.json({ error }, status);

/** In the same time wherever they differ. */
function isSame(given: string, secret: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(secret)];
  return a.length === b.length && timingSafeEqual(a, b);
}
