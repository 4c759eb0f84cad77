/** Every signal that a terminal or a service manager sends saves what runs. */
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Running } from "./cli.test.fixture.js";
import { build, fewbit, newFolder, start, training, until } from "./cli.test.fixture.js";

let folder: string;
beforeAll(() => {
  build();
  folder = newFolder();
  const defaults = { model: "lenet5", data: "mnist", dataDir: "mnist", batchSize: 4, epochs: 1000 };
  writeFileSync(join(folder, "study.json"), JSON.stringify({ defaults, runs: [{}] }));
});
afterAll(() => rmSync(folder, { recursive: true }));

const begun = ({ text }: Running) => until(() => /epoch +2\/1000/.test(text()));

const howToStop = {
  SIGINT: "; press again to stop at once",
  SIGQUIT: "; send it again to stop at once",
  SIGHUP: "", // a second one changes nothing
  SIGTERM: "; send it again to stop at once",
};

describe.each(["SIGINT", "SIGQUIT", "SIGHUP", "SIGTERM"] as const)("%s", (signal) => {
  test("saves a training, which can be resumed", async () => {
    const run = start(folder, `${training} --batch-size 4 --epochs 1000 --out ${signal}`);
    await begun(run);
    run.child.kill(signal);
    const { code, stdout, stderr } = await run.ended;
    expect([code, stdout]).toEqual([130, expect.stringMatching(/\ninterrupted and saved; go on with: /)]);
    expect(stderr.split("\n")).toContain(`finishing the step, then saving${howToStop[signal]}`);
    expect(existsSync(join(folder, signal, "lock"))).toBe(false);
    const epochs = readFileSync(join(folder, signal, "metrics.jsonl"), "utf8").split("\n").length;
    expect(await fewbit(folder, `train --resume ${signal} --epochs ${epochs}`)).toMatchObject({ code: 0 });
  });

  test("saves a study", async () => {
    const run = start(folder, `sweep study.json --out study-${signal}`);
    await begun(run);
    run.child.kill(signal);
    expect((await run.ended).code).toBe(130);
    const [log] = readdirSync(join(folder, `study-${signal}`, "logs"));
    expect(readFileSync(join(folder, `study-${signal}`, "logs", log), "utf8")).toMatch(
      / interrupted and saved\n$/,
    );
  });

  test("ends the dashboard with code 0", async () => {
    const run = start(folder, "dashboard . --port 0");
    await until(() => run.text().includes("http://"));
    run.child.kill(signal);
    expect((await run.ended).code).toBe(0);
  });
});

test("a closed terminal's second SIGHUP, and another kind, do not cut the saving short", async () => {
  const run = start(folder, `${training} --batch-size 4 --epochs 1000 --out closed`);
  await begun(run);
  for (const signal of ["SIGHUP", "SIGHUP", "SIGTERM"] as const) run.child.kill(signal);
  const { code, stdout } = await run.ended;
  expect([code, stdout]).toEqual([130, expect.stringMatching(/\ninterrupted and saved; go on with: /)]);
});
