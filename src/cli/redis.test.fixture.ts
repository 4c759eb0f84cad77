/** A real Redis or Valkey server on a free port of this machine, with a folder of its own. */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** The program that is installed; undefined if none is. */
export function serverProgram(): string | undefined {
  return (process.env.PATH ?? "")
    .split(delimiter)
    .flatMap((folder) => ["valkey-server", "redis-server"].map((name) => join(folder, name)))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

export class Server {
  private readonly folder = mkdtempSync(join(tmpdir(), "fewbit-redis-"));
  private child: ChildProcess | undefined;

  private constructor(
    private readonly program: string,
    private readonly port: number,
  ) {}

  static async start(): Promise<Server> {
    const program = serverProgram();
    if (program === undefined) throw new Error("no redis-server or valkey-server is installed");
    const server = new Server(program, await freePort());
    await server.restart();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Goes on with what it knew before. */
  async restart(): Promise<void> {
    const settings = { port: this.port, bind: "127.0.0.1", dir: this.folder, appendonly: "yes" };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.child = spawn(this.program, [...args, "--save", ""], { stdio: "ignore" });
    while (!(await this.answers())) await delay(50);
  }

  async kill(): Promise<void> {
    const child = this.child as ChildProcess;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  /** Empties the server while it runs. */
  forget(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.port, "127.0.0.1", () => socket.write("FLUSHALL\r\n"));
      socket.once("data", () => socket.destroy());
      socket.once("close", () => resolve());
      socket.once("error", reject);
    });
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true });
  }

  private answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, "127.0.0.1", () => socket.write("PING\r\n"));
      socket.once("data", (text) => {
        socket.destroy();
        resolve(text.toString().startsWith("+PONG"));
      });
      socket.once("error", () => resolve(false));
    });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
