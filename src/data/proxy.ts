/**
 * Requests by way of the proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name, in capitals or not, which
 * `fetch` of Node 20 passes over.
 */
import { shown, UserError } from "../errors.js";

const variables = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"];

/** @throws UserError for a proxy that is no URL of http or https. */
export function checkProxies(): void {
  for (const name of variables) {
    const value = process.env[name];
    if (!value || (URL.canParse(value) && /^https?:$/.test(new URL(value).protocol))) continue;
    throw new UserError(
      `${name} must be the URL of a proxy, such as http://proxy.example:3128, got ${shown(value)}; change or unset it`,
    );
  }
}

interface Init {
  readonly signal: AbortSignal;
  readonly headers: Record<string, string>;
}

/** `fetch`, through a proxy if the environment names one. */
export async function throughProxy(url: string, init: Init): Promise<Response> {
  if (!variables.some((name) => process.env[name])) return fetch(url, init);
  const { EnvHttpProxyAgent, fetch: proxied } = await import("undici");
  const { signal, headers } = init;
  const dispatcher = new EnvHttpProxyAgent({
    httpProxy: either("HTTP_PROXY"),
    httpsProxy: either("HTTPS_PROXY"),
    noProxy: either("NO_PROXY"),
  });
  return (await proxied(url, { signal, headers, dispatcher })) as unknown as Response;
}

/** A variable in small letters or capitals; one that is empty is not set. */
const either = (name: string): string | undefined =>
  process.env[name.toLowerCase()] || process.env[name] || undefined;
