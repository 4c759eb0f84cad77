/** A web server on this machine that misbehaves on demand. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** Answers a request; `count` is how often its path was asked for before. */
export type Behaviour = (response: ServerResponse, count: number, request: IncomingMessage) => void;

export interface Mirror {
  readonly url: string;
  /** The paths asked for, in order. */
  readonly requests: string[];
  close(): Promise<void>;
}

export async function serve(behaviour: Behaviour): Promise<Mirror> {
  const requests: string[] = [];
  const server: Server = createServer((request, response) => {
    const path = request.url ?? "";
    const count = requests.filter((other) => other === path).length;
    requests.push(path);
    behaviour(response, count, request);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    requests,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
