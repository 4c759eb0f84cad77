/**
 * Downloading a file from the first of several mirrors that has it.
 *
 * A mirror that fails for a reason that may pass (no connection, a stall, a server's error, a body
 * cut short) is tried again, each time after twice the wait; then the next one has its turn. What a
 * server says about the length is for the progress only: the caller judges the bytes.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../errors.js";
import { checkProxies, throughProxy } from "./proxy.js";

/** Where a file is downloaded from, and with how much patience. */
export interface DownloadOptions {
  /** Folders as URLs, tried in this order. */
  readonly mirrors: readonly string[];
  /** Further tries at each mirror; default 2. */
  readonly retries?: number;
  /** Before the first further try, doubled with each one; default 1000. */
  readonly backoffMilliseconds?: number;
  /** How long a server may send nothing; default 30,000. */
  readonly stallMilliseconds?: number;
  /** More than this is not taken from a server; default 1 GiB. */
  readonly maximumBytes?: number;
  readonly onProgress?: (transfer: Transfer) => void;
  readonly signal?: AbortSignal;
}

/** A download under way; `total` is what the server says. */
export interface Transfer {
  readonly url: string;
  readonly bytes: number;
  readonly total: number | undefined;
}

/** Why a mirror's answer does not do; `passing` if another try may help. */
export class Unfit extends Error {
  constructor(
    message: string,
    readonly passing: boolean,
  ) {
    super(message);
  }
}

/** Whether a text is the URL of a folder on the web. */
export function isMirror(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && username + password + search + hash === "";
}

/**
 * A file as `judge` makes it of the bytes that a server sent, and the URL they came from.
 *
 * @param judge throws `Unfit` for bytes that are not the file.
 * @throws UserError with each failure on a line of its own, if no mirror has the file.
 */
export async function download<T>(
  name: string,
  judge: (bytes: Uint8Array) => Promise<T>,
  options: DownloadOptions,
): Promise<{ result: T; url: string }> {
  const { mirrors, retries = 2, backoffMilliseconds = 1000, signal } = options;
  checkProxies();
  const failures: string[] = [];
  for (const mirror of mirrors) {
    const url = new URL(name, mirror.endsWith("/") ? mirror : `${mirror}/`).href;
    for (let attempt = 0; attempt <= retries; attempt++) {
      if (attempt > 0) await sleep(backoffMilliseconds * 2 ** (attempt - 1), undefined, { signal });
      try {
        return { result: await judge(await bytesOf(url, options)), url };
      } catch (error) {
        if (!(error instanceof Unfit)) throw error;
        failures.push(`${url}: ${error.message}`);
        if (!error.passing) break;
      }
    }
  }
  const message = `cannot download ${name}; name other mirrors with --mirror, or a folder that has it with --data-dir`;
  throw new UserError(message, undefined, undefined, counted(failures));
}

/** Texts once each, with how often they come. */
function counted(texts: readonly string[]): string[] {
  return [...new Set(texts)].map((text) => {
    const times = texts.filter((other) => other === text).length;
    return times === 1 ? text : `${text} (${times} times)`;
  });
}

async function bytesOf(
  url: string,
  { stallMilliseconds = 30_000, maximumBytes = 2 ** 30, onProgress, signal }: DownloadOptions,
): Promise<Uint8Array> {
  const stall = new AbortController();
  const timer = setTimeout(() => stall.abort(), stallMilliseconds);
  try {
    const response = await throughProxy(url, {
      signal: AbortSignal.any(signal === undefined ? [stall.signal] : [stall.signal, signal]),
      headers: { "accept-encoding": "identity" }, // a .gz file is packed already
    });
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      const { status } = response;
      throw new Unfit(`the server answers ${status}`, status >= 500 || status === 408 || status === 429);
    }
    const total = Number(response.headers.get("content-length")) || undefined;
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of response.body as AsyncIterable<Uint8Array>) {
      timer.refresh();
      parts.push(part);
      bytes += part.length;
      if (bytes > maximumBytes) throw new Unfit(`it sends more than ${maximumBytes} bytes`, false);
      onProgress?.({ url, bytes, total });
    }
    return Buffer.concat(parts);
  } catch (error) {
    if (error instanceof Unfit) throw error;
    signal?.throwIfAborted();
    const seconds = stallMilliseconds / 1000;
    throw new Unfit(stall.signal.aborted ? `no bytes came for ${seconds} s` : reasonOf(error as Error), true);
  } finally {
    clearTimeout(timer);
  }
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection is refused",
  ECONNRESET: "the connection broke off",
  UND_ERR_SOCKET: "the connection broke off",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "the connection broke off", // before the length that was announced
  ENOTFOUND: "the host is not found",
  EAI_AGAIN: "the host is not found",
};

/** What `fetch` says is in its error's cause. */
function reasonOf({ message, cause }: Error): string {
  const { code = "", message: detail } = (cause ?? {}) as { code?: string; message?: string };
  return reasons[code] ?? (detail || code || message);
}
