import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { build, expectRefusal, fewbit } from "./cli.test.fixture.js";

const folder = mkdtempSync(join(tmpdir(), "fewbit-dashboard-"));
beforeAll(build);
afterAll(() => rmSync(folder, { recursive: true }));

test("fewbit dashboard prints its address, tells what it leaves out, and Ctrl-C ends it with code 0", async () => {
  mkdirSync(join(folder, "runs", "foreign"), { recursive: true });
  writeFileSync(join(folder, "runs", "foreign", "config.json"), "{}");
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    const interruptWhen = (stdout: string): boolean => stdout.includes("http://");
    const { code, stdout, stderr } = await fewbit(folder, "dashboard", { interruptWhen, signal });
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/^0 runs in runs; Ctrl-C ends the dashboard\nhttp:\/\/127\.0\.0\.1:\d+\/\n$/),
    ]);
    expect(stderr).toBe(
      "left out: runs/foreign/config.json has formatVersion undefined; this fewbit reads 1\n",
    );
  }
  const elsewhere = await fewbit(folder, "dashboard --host 0.0.0.0 --port 0", {
    interruptWhen: (stdout) => stdout.includes("token="),
  });
  expect([elsewhere.code, elsewhere.stdout]).toEqual([
    0,
    expect.stringMatching(/:\d+\/\?token=[\w-]{32}\n$/),
  ]);
});

test("mistakes are reported in one line", async () => {
  writeFileSync(join(folder, "file"), "");
  const nowhere = (name: string): string =>
    `${name} is not a folder; give one that holds runs, or train one: fewbit train lenet5 --out ${name}/first`;
  await expectRefusal(folder, "dashboard nowhere", nowhere("nowhere"));
  await expectRefusal(folder, "dashboard file", nowhere("file"));
  for (const [given, read] of [
    ["x", '"x"'],
    ["65536", "65536"],
    ["-1", "-1"],
    ["80.5", "80.5"],
  ]) {
    const message = `port must be an integer from 0 to 65535, got ${read} (from --port)`;
    await expectRefusal(folder, ["dashboard", "--port", given], message);
  }
  await expectRefusal(
    folder,
    "dashboard --host 192.0.2.1",
    "cannot listen on 192.0.2.1: EADDRNOTAVAIL; give an address of this machine, such as 127.0.0.1 or 0.0.0.0",
  );
  const taken = createServer();
  await new Promise<void>((listening) => taken.listen(0, "127.0.0.1", listening));
  const { port } = taken.address() as AddressInfo;
  await expectRefusal(
    folder,
    `dashboard --port ${port}`,
    `port ${port} is taken; choose another, or leave --port out`,
  );
  taken.close();
});
