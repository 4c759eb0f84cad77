/** Trainings that are killed with no chance to clean up, at moments spread over their whole length. */
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadRun } from "../run-folder/index.js";
import { streamed, writePictures } from "./tiny.test.fixture.js";
import { train } from "./train.js";

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

/** Runs the training until its end, or kills it; resolves to how it ended, and what it said. */
function run(args: readonly string[], kill?: Kill): Promise<{ end: "killed" | "done"; said: string }> {
  return new Promise((resolve, reject) => {
    const trainer = spawn(process.execPath, [runner, child, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [said, errors] = ["", ""];
    let waiting = kill !== undefined;
    trainer.stderr.on("data", (text: Buffer) => (errors += text.toString()));
    trainer.stdout.on("data", (text: Buffer) => {
      said += text.toString();
      if (!waiting || kill === undefined || !text.includes(kill.after)) return;
      waiting = false;
      setTimeout(() => trainer.kill("SIGKILL"), kill.milliseconds);
    });
    trainer.once("close", (code, signal) => {
      if (signal === "SIGKILL") resolve({ end: "killed", said });
      else if (code === 0) resolve({ end: "done", said });
      else reject(new Error(errors));
    });
  });
}

function expectSame(broken: string, whole: string): void {
  for (const name of ["checkpoint.safetensors", "best.safetensors", "layers.jsonl", "confusion.jsonl"]) {
    expect(readFileSync(join(broken, name)).equals(readFileSync(join(whole, name))), name).toBe(true);
  }
  const metrics = (directory: string) => loadRun(directory).metrics.map(({ seconds: _, ...rest }) => rest);
  expect(metrics(broken)).toEqual(metrics(whole));
  expect(loadRun(broken).summary?.best.epoch).toBe(loadRun(whole).summary?.best.epoch);
}

test("a training that is killed again and again ends with the bits of one that is not", async () => {
  const whole = join(parent, "whole");
  const broken = join(parent, "broken");
  expect((await run([whole])).end).toBe("done");

  const kills: Kill[] = [
    ...[0, 20, 40].map((milliseconds) => ({ after: "begin" as const, milliseconds })),
    ...[0, 1, 2, 3, 5, 8, 13, 21, 34].map((milliseconds) => ({ after: "epoch" as const, milliseconds })),
  ];
  const ends: string[] = [];
  for (const kill of kills) ends.push((await run([broken], kill)).end);
  expect(ends.filter((end) => end === "killed").length).toBeGreaterThan(kills.length / 2);
  expect((await run([broken])).end).toBe("done");
  expectSame(broken, whole);
});

test("a training on files that is killed in the middle of its epochs goes on from the last checkpoint there", async () => {
  const [pictures, whole, broken] = ["pictures", "whole", "broken"].map((name) => join(parent, name));
  writePictures(pictures);
  await train({ ...(await streamed(pictures)), directory: whole });

  const places: string[] = [];
  for (let i = 0; i < 4; i++) {
    const { end, said } = await run([broken, pictures, "dies"]);
    expect(end).toBe("killed");
    places.push(...(/after .*/.exec(said) ?? [said]));
    if (i > 0) expect(said).toMatch(/^train (\d+\.\d+) after \1$|^evaluate \d+\.0 after \d+\.48$/m);
  }
  const { end, said } = await run([broken, pictures]);
  expect(end).toBe("done");
  // Each went on from the middle of an epoch, later than the one before.
  expect([...places, said].join()).toMatch(/^after 0\.0(,after \d+\.[1-9]\d*){3},/);
  expectSame(broken, whole);
});
