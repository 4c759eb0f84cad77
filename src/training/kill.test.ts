/** Trainings that are killed with no chance to clean up, at moments spread over their whole length. */
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadRun } from "../run-folder/index.js";

const runner = createRequire(import.meta.url).resolve("vite-node/vite-node.mjs");
const child = fileURLToPath(new URL("kill.test.child.ts", import.meta.url));

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "fewbit-kill-"));
});
afterEach(() => rmSync(parent, { recursive: true }));

interface Kill {
  /** What the training says, and how long after it is killed. */
  readonly after: "begin" | "epoch";
  readonly milliseconds: number;
}

/** Runs the training until its end, or kills it; resolves to how it ended. */
function run(directory: string, kill?: Kill): Promise<"killed" | "done"> {
  return new Promise((resolve, reject) => {
    const trainer = spawn(process.execPath, [runner, child, directory], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let errors = "";
    let waiting = kill !== undefined;
    trainer.stderr.on("data", (text: Buffer) => (errors += text.toString()));
    trainer.stdout.on("data", (text: Buffer) => {
      if (!waiting || kill === undefined || !text.includes(kill.after)) return;
      waiting = false;
      setTimeout(() => trainer.kill("SIGKILL"), kill.milliseconds);
    });
    trainer.once("close", (code, signal) => {
      if (signal === "SIGKILL") resolve("killed");
      else if (code === 0) resolve("done");
      else reject(new Error(errors));
    });
  });
}

test("a training that is killed again and again ends with the bits of one that is not", async () => {
  const whole = join(parent, "whole");
  const broken = join(parent, "broken");
  expect(await run(whole)).toBe("done");

  const kills: Kill[] = [
    ...[0, 20, 40].map((milliseconds) => ({ after: "begin" as const, milliseconds })),
    ...[0, 1, 2, 3, 5, 8, 13, 21, 34].map((milliseconds) => ({ after: "epoch" as const, milliseconds })),
  ];
  const ends: string[] = [];
  for (const kill of kills) ends.push(await run(broken, kill));
  expect(ends.filter((end) => end === "killed").length).toBeGreaterThan(kills.length / 2);
  expect(await run(broken)).toBe("done");

  for (const name of ["checkpoint.safetensors", "best.safetensors", "layers.jsonl", "confusion.jsonl"]) {
    expect(readFileSync(join(broken, name)).equals(readFileSync(join(whole, name))), name).toBe(true);
  }
  const metrics = (directory: string) => loadRun(directory).metrics.map(({ seconds: _, ...rest }) => rest);
  expect(metrics(broken)).toEqual(metrics(whole));
  expect(loadRun(broken).summary?.best.epoch).toBe(loadRun(whole).summary?.best.epoch);
});
