/** Studies on a queue: a real server, workers that are processes, and all of them killed in their work. */
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Queue } from "bullmq";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { collectRuns } from "../experiments/index.js";
import { loadRun } from "../training/index.js";
import type { Running } from "./cli.test.fixture.js";
import { build, digests, expectRefusal, fewbit, newFolder, start, until } from "./cli.test.fixture.js";
import { Server, serverProgram } from "./redis.test.fixture.js";

let folder: string;
beforeAll(() => {
  build();
  folder = newFolder();
});
afterAll(() => rmSync(folder, { recursive: true }));

const defaults = { model: "lenet5", data: "mnist", dataDir: "mnist", batchSize: 32 };
const writeStudy = (name: string, study: object): void =>
  writeFileSync(join(folder, `${name}.json`), JSON.stringify(study));

interface Row {
  readonly identity: string;
  readonly directory: string;
  readonly state: string;
  readonly failure?: string;
}
const rows = ({ stdout }: { stdout: string }) => JSON.parse(stdout.trim().split("\n").at(-1)!) as Row[];

/** What a run of a study has learned and reported. */
function contents(study: string, name: string) {
  const run = join(folder, study, name);
  return {
    digests: digests(run),
    layers: readFileSync(join(run, "layers.jsonl"), "utf8"),
    metrics: loadRun(run).metrics.map(({ seconds: _, ...rest }) => rest),
  };
}

const logOf = (study: string, name: string): string =>
  readFileSync(join(folder, study, "logs", `${name}.log`), "utf8");

describe("mistakes", () => {
  const secret = "redis://:secret@127.0.0.1:1";
  beforeAll(() => writeStudy("one", { defaults, runs: [{ method: "baseline" }] }));

  test.each([
    [
      `sweep one.json --queue ${secret}`,
      "no Redis or Valkey server can be used at redis://***@127.0.0.1:1: ECONNREFUSED; start one, or mend --queue",
    ],
    [
      `worker --queue ${secret}`,
      "no Redis or Valkey server can be used at redis://***@127.0.0.1:1: ECONNREFUSED; start one, or mend --queue",
    ],
    [
      "reproduce mnist --queue http://user:secret@host",
      'queue must be a URL of a Redis or Valkey server, such as redis://HOST:6379 or rediss://HOST:6379, got "http://***@host" (from --queue)',
    ],
    [
      `sweep one.json --jobs 2 --queue ${secret}`,
      "--jobs has no effect with --queue; give it to fewbit worker",
    ],
    [
      `worker --out mnist --queue ${secret}`,
      "mnist holds no study of a queue; start it with `fewbit sweep` and --queue, or mend --out",
    ],
    [
      `worker --study a --out b --queue ${secret}`,
      "--study and --out exclude each other: the folder names the study",
    ],
    [`worker --jobs 0 --queue ${secret}`, "jobs must be an integer of at least 1, got 0 (from --jobs)"],
    ["worker", "required option '--queue <url>' not specified; see fewbit worker --help"],
  ])("%s is refused", (command, message) => expectRefusal(folder, command, message));
});

// CI installs a server; where there is none these say so by being skipped.
const isLeftOut = serverProgram() === undefined && process.env.CI === undefined;
describe.skipIf(isLeftOut)("on a server (needs redis-server or valkey-server)", () => {
  let server: Server;
  const workers: Running[] = [];
  beforeAll(async () => {
    server = await Server.start();
  });
  afterEach(async () => {
    // One that is stopped, or was killed already, ends too.
    for (const { child } of workers) child.kill("SIGKILL");
    await Promise.all(workers.splice(0).map(({ ended }) => ended));
  });
  afterAll(() => server.remove());

  const follow = (study: string, more = ""): Running =>
    start(folder, `sweep ${study}.json --out ${study} --queue ${server.url}${more}`);

  /** A worker as on a machine of its own. */
  function worker(host: string, more = "", lockSeconds = 4): Running {
    const command = `worker --queue ${server.url} --threads 1 --lock-seconds ${lockSeconds}${more}`;
    const running = start(folder, command, { FEWBIT_HOST: host });
    workers.push(running);
    return running;
  }

  const stop = async ({ child, ended }: Running): Promise<void> => {
    child.kill("SIGTERM");
    expect(await ended).toMatchObject({ code: 0 });
  };

  test("every run is done once, with the bits of one process, though a worker and the server are killed and the server forgets all", async () => {
    writeStudy("many", {
      defaults: { ...defaults, epochs: 5 },
      grids: [{ method: ["dorefa", "qnn"], bits: ["1/2", "2/2"], seed: [1, 2, 3] }],
    });
    const whole = await fewbit(folder, "sweep many.json --out whole --json");
    expect(whole).toMatchObject({ code: 0, stderr: "" });
    const names = rows(whole).map(({ directory }) => directory.slice("whole/".length));

    const follower = follow("many", " --json");
    const [first, second] = [worker("first"), worker("second")];
    await until(() => /epoch 1\/5/.test(first.text()));
    first.child.kill("SIGKILL");
    await first.ended;
    const [killed] = first
      .text()
      .match(/\S+(?=: epoch 1\/5)/g)!
      .slice(-1);
    expect(loadRun(join(folder, "many", killed)).metrics.length).toBeLessThan(5);
    const third = worker("third", " --jobs 2");

    const done = (name: string): boolean => existsSync(join(folder, "many", name)) && isDone("many", name);
    await until(() => names.filter(done).length >= 4);
    await server.kill();
    await delay(500);
    expect(names.filter(done).length).toBeLessThan(12);
    await server.restart();
    await until(() => names.filter(done).length >= 8);
    await server.forget();

    const followed = await follower.ended;
    expect(followed.code).toBe(0);
    expect(rows(followed).map(({ identity }) => identity)).toEqual(
      rows(whole).map(({ identity }) => identity),
    );
    for (const row of rows(followed)) expect(row).toMatchObject({ state: "done" });
    await Promise.all([second, third].map(stop));
    for (const name of names) expect(contents("many", name)).toEqual(contents("whole", name));
    const { runs, warnings } = await collectRuns([join(folder, "many")]);
    expect([runs.map(({ name }) => name).sort(), warnings]).toEqual([[...names].sort(), []]);

    expect(readdirSync(join(folder, "many", "logs")).sort()).toEqual(
      names.map((name) => `${name}.log`).sort(),
    );
    expect(logOf("many", killed)).toMatch(
      /^\S+Z begins, process \d+ on first[^]*\n\S+Z goes on after epoch [1-4], process \d+ on (second|third)[^]*\n\S+Z done\n$/,
    );
    // Followed once more there is nothing to do, and no server is asked.
    const again = await fewbit(folder, `sweep many.json --out many --queue redis://127.0.0.1:1 --json`);
    expect(again).toMatchObject({ code: 0, stderr: "" });
  });

  test("a failure is reported with its error, after 3 attempts unless it cannot change; the study started again tries again", async () => {
    writeStudy("failing", {
      defaults: { ...defaults, epochs: 1 },
      runs: [
        { method: "baseline", learningRate: 1e30, optimizer: "sgd" },
        { method: "baseline", dataDir: "nowhere" },
        { method: "twn" },
      ],
    });
    const follower = follow("failing", " --json");
    const only = worker("only");
    const first = await follower.ended;
    expect(first.code).toBe(2);
    const [wild, lost] = rows(first);
    expect(rows(first)).toMatchObject([
      { state: "begun", failure: expect.stringMatching(/^the loss became/) as string },
      { state: "open", failure: expect.stringContaining("nowhere") as string },
      { state: "done" },
    ]);
    const failures = ({ directory }: Row) =>
      logOf("failing", directory.slice("failing/".length)).match(/ failed: /g)?.length;
    expect([failures(wild), failures(lost)]).toEqual([1, 3]);

    cpSync(join(folder, "mnist"), join(folder, "nowhere"), { recursive: true });
    const second = await follow("failing", " --json").ended;
    expect(second.code).toBe(3);
    expect(rows(second).map(({ state }) => state)).toEqual(["begun", "done", "done"]);

    // What anyone may have put on the queue is a run or nothing.
    const { queueName } = failingQueue();
    const port = Number(new URL(server.url).port);
    const queue = new Queue(queueName, { connection: { host: "127.0.0.1", port }, prefix: "fewbit" });
    const configurations = [
      [{ evil: true }, "job run-1 of the queue does not hold a run's configuration"],
      [
        { configuration: { model: "lenet5", method: "./mine.mjs" } },
        "a worker loads no code: method ./mine.mjs is a file; train it without --queue",
      ],
      [{ configuration: { model: "lenet5", out: "/" } }, /^job run-3 of the queue is not the run/],
      [{ configuration: { model: "lenet9" } }, /^model must be one of .* \(from the queue\)$/],
    ] as const;
    const opts = (i: number) => ({ jobId: `run-${i + 1}`, attempts: 3 });
    const jobs = await queue.addBulk(
      configurations.map(([data], i) => ({ name: "bad", data, opts: opts(i) })),
    );
    for (const [i, { id }] of jobs.entries()) {
      await until(async () => (await queue.getJobState(id as string)) === "failed");
      expect((await queue.getJob(id as string))?.failedReason).toMatch(configurations[i][1]);
    }
    await queue.close();
    await stop(only);
  });

  test("a run that takes its workers with it is given up", async () => {
    writeStudy("poison", { defaults: { ...defaults, epochs: 100_000 }, runs: [{ method: "baseline" }] });
    const follower = follow("poison", " --json");
    for (const host of ["a", "b", "c"]) {
      const victim = worker(host, " --study poison", 2);
      await until(() => /begins|goes on/.test(victim.text()));
      victim.child.kill("SIGKILL");
      await victim.ended;
    }
    const last = worker("d", " --study poison", 2);
    const followed = await follower.ended;
    expect(followed.code).toBe(2);
    expect(rows(followed)).toMatchObject([{ failure: expect.stringMatching(/stalled more than/) as string }]);
    await stop(last);
  });

  test("SIGTERM gives a run back, a worker that slept loses it, and both go on elsewhere with the same bits", async () => {
    writeStudy("passed", {
      defaults: { ...defaults, epochs: 24 },
      runs: [{ method: "dorefa", bits: "1/2" }],
    });
    const inProcess = await fewbit(folder, "sweep passed.json --out alone --json");
    const name = rows(inProcess)[0].directory.slice("alone/".length);

    // Who follows may leave.
    const leaving = follow("passed");
    await until(() => leaving.text().includes("1 run is on the queue passed-"));
    leaving.child.kill("SIGINT");
    expect(await leaving.ended).toMatchObject({
      code: 130,
      stderr:
        "leaving; workers go on with the study, and the same command follows it again; press again to stop at once\n",
    });

    const drained = worker("drained", " --out passed");
    await until(() => /epoch 2\/24/.test(drained.text()));
    await stop(drained);
    expect(logOf("passed", name)).toMatch(/ interrupted and saved\n$/);
    expect(isDone("passed", name)).toBe(false);

    const follower = follow("passed");
    const sleeper = worker("sleeper", " --out passed");
    await until(() => /epoch 10\/24/.test(sleeper.text()));
    sleeper.child.kill("SIGSTOP");
    const heir = worker("heir", " --out passed --until-empty");
    await until(() => /goes on after epoch \d+\n[^]*epoch/.test(heir.text()));
    sleeper.child.kill("SIGCONT");
    expect((await follower.ended).code).toBe(0);
    expect((await heir.ended).code).toBe(0);
    await stop(sleeper);
    expect(sleeper.text()).toMatch(/has been taken over by another process|no longer counts this run/);
    expect(contents("passed", name)).toEqual(contents("alone", name));
  });

  test("a study that ends leaves the other of its folder on the queue; a file stop ends that one's run, which is reported", async () => {
    writeStudy("long", { defaults: { ...defaults, epochs: 100_000 }, runs: [{ method: "twn" }] });
    writeStudy("short", { defaults: { ...defaults, epochs: 1 }, runs: [{ method: "baseline" }] });
    const shared = (study: string): Running =>
      start(folder, `sweep ${study}.json --out shared --queue ${server.url} --json`);
    const leaving = start(folder, `sweep long.json --out shared --queue ${server.url}`);
    await until(() => leaving.text().includes("1 run is on the queue shared-"));
    leaving.child.kill("SIGINT");
    await leaving.ended;
    const both = worker("both", " --out shared --jobs 2");
    await until(() => /twn.*: epoch 1\//.test(both.text()));
    expect(await shared("short").ended).toMatchObject({ code: 0 });

    // Were its job gone from the queue, the worker would have stopped the run.
    const [{ directory }] = rows(await fewbit(folder, "sweep long.json --out shared --dry-run --json"));
    const epochs = () => loadRun(join(folder, directory)).metrics.length;
    const before = epochs();
    await until(() => epochs() > before + 2);
    const follower = start(folder, `sweep long.json --out shared --queue ${server.url}`);
    // From then on it takes what ends for ended, and does not queue it anew.
    await until(() => follower.text().includes("1 run is on the queue shared-"));
    writeFileSync(join(folder, directory, "stop"), "");
    const followed = await follower.ended;
    expect(followed.code).toBe(130);
    expect(followed.stdout).toMatch(/ stopped on request; run the study again to go on\n$/);
    await stop(both);
  });

  const isDone = (study: string, name: string): boolean => {
    try {
      const { metrics, config } = loadRun(join(folder, study, name));
      return metrics.length === config.epochs;
    } catch {
      return false; // not begun yet
    }
  };

  const failingQueue = () => {
    const { id } = JSON.parse(readFileSync(join(folder, "failing", "queue.json"), "utf8")) as { id: string };
    return { queueName: `failing-${id}` };
  };
});
