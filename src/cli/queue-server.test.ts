/** What workers and followers do to the queue's server: they leave it as they found it, and survive its end. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Running } from "./cli.test.fixture.js";
import { build, newFolder, start, until } from "./cli.test.fixture.js";
import { Server, serverProgram } from "./redis.test.fixture.js";

let folder: string;
beforeAll(() => {
  build();
  folder = newFolder();
});
afterAll(() => rmSync(folder, { recursive: true }));

/**
 * A way to a server that breaks for good when its connection of this number, from 1, has been sent so
 * many bytes: as a machine whose power fails.
 */
async function breakingWay(port: number, number: number, bytes: number) {
  let [connections, isBroken] = [0, false];
  const sockets: Socket[] = [];
  const way = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    const mine = ++connections;
    let sent = 0;
    const look = (): void => {
      if (mine !== number || sent < bytes) return;
      isBroken = true;
      way.close();
      for (const socket of sockets) socket.destroy();
    };
    sockets.push(near, far);
    for (const socket of [near, far]) socket.on("error", () => {});
    look();
    near.on("data", (data) => {
      sent += data.length;
      look();
      far.write(data);
    });
    far.on("data", (data) => near.write(data));
  }).listen(0, "127.0.0.1");
  await once(way, "listening");
  return { port: (way.address() as AddressInfo).port, isBroken: () => isBroken };
}

// CI installs a server; where there is none these say so by being skipped.
const isLeftOut = serverProgram() === undefined && process.env.CI === undefined;
describe.skipIf(isLeftOut)("on a server (needs redis-server or valkey-server)", () => {
  let server: Server;
  let redis: Redis;
  const running: Running[] = [];
  beforeAll(async () => {
    server = await Server.start();
    redis = new Redis(server.url);
  });
  afterEach(async () => {
    for (const { child } of running) child.kill("SIGKILL");
    await Promise.all(running.splice(0).map(({ ended }) => ended));
    await redis.flushall();
  });
  afterAll(async () => {
    redis.disconnect();
    await server.remove();
  });

  const run = (command: string): Running => {
    const started = start(folder, command);
    running.push(started);
    return started;
  };

  /** A study as its follower leaves it on the server, without a run. */
  async function register(name: string): Promise<void> {
    mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, name, "queue.json"), '{"formatVersion":1,"id":"01234567"}\n');
    await redis.hset("fewbit:studies", `${name}-01234567`, join(folder, name));
    await redis.set(`fewbit:followed:${name}-01234567`, "");
  }

  // The second connection is the one that BullMQ opens for the study.
  test.each([
    [1, 200],
    [2, 0],
    [2, 1],
    [2, 200],
    [2, 210],
  ])(
    "SIGTERM ends a worker whose server is lost when connection %d has had %d bytes",
    async (connection, bytes) => {
      await register("lost");
      const { port, isBroken } = await breakingWay(Number(new URL(server.url).port), connection, bytes);
      const { child, ended, text } = run(`worker --queue redis://127.0.0.1:${port} --threads 1`);
      await until(() => isBroken() && text().includes("cannot be reached"));
      child.kill("SIGTERM");
      expect(await ended).toMatchObject({ code: 0 });
    },
  );

  test("a worker closes its connection for a study that has ended, and takes the next", async () => {
    const clients = async () => String(await redis.client("LIST")).match(/name=fewbit:/g)?.length ?? 0;
    await register("first");
    run(`worker --queue ${server.url} --threads 1`);
    await until(async () => (await clients()) === 1);
    await register("second");
    await until(async () => (await clients()) === 2);
    await redis.hdel("fewbit:studies", "first-01234567");
    await until(async () => (await clients()) === 1);
    await register("first");
    await until(async () => (await clients()) === 2);
  });

  test("nothing stays of studies that ended while nobody followed them, or with a failure", async () => {
    const defaults = { model: "lenet5", data: "mnist", dataDir: "mnist", epochs: 1 };
    const write = (name: string, runs: object[]): void =>
      writeFileSync(join(folder, `${name}.json`), JSON.stringify({ defaults, runs }));
    write("left", [{ seed: 1 }]);
    write("failed", [{ optimizer: "sgd", learningRate: 1e30 }]);
    const left = run(`sweep left.json --out left --queue ${server.url}`);
    await until(() => left.text().includes("1 run is on the queue"));
    left.child.kill("SIGINT");
    expect(await left.ended).toMatchObject({ code: 130 });
    const worker = run(`worker --queue ${server.url} --threads 1 --lock-seconds 2`);
    const failed = run(`sweep failed.json --out failed --queue ${server.url} --json`);
    expect(await failed.ended).toMatchObject({ code: 3 });
    await until(() => /s1-\w+: best epoch 1/.test(worker.text()));
    await until(async () => (await redis.keys("*")).length === 0);
    worker.child.kill("SIGTERM");
    expect(await worker.ended).toMatchObject({ code: 0 });
    expect(await redis.keys("*")).toEqual([]);
  });
});
