/** A short run of `scripts/fuzz.mjs` on every target, and that it notices what it is there for. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";

const path = (relative: string) => fileURLToPath(new URL(`../${relative}`, import.meta.url));

const run = promisify(execFile);

/** Runs the script: its exit code and output. */
async function fuzz(...args: string[]) {
  const result = run(process.execPath, [path("scripts/fuzz.mjs"), ...args]);
  return result.then(
    (output) => ({ code: 0, ...output }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}

/** The script reads `dist/`. */
beforeAll(() => run(process.execPath, [path("scripts/setup.mjs"), "build"]));

describe("damaged bytes are read as something valid or refused in a line", () => {
  test.each([
    ["idx", 2000],
    ["cifar10", 1000],
    ["images", 1000],
    ["shards", 500],
    ["safetensors", 2000],
    ["config", 1500],
    ["run", 1000],
    ["program", 5000],
  ])("%s", async (target, cases) => {
    const { code, stdout, stderr } = await fuzz(target, "--cases", String(cases), "--seed", "20261125");
    // The image decoder's own libraries write warnings.
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(new RegExp(`^${target}: ${cases} cases .* 0 failures of 0 kinds\n$`));
    const [accepted, refused] = [/(\d+) reads accepted/, /(\d+) refused/].map((text) =>
      Number(text.exec(stdout)?.[1]),
    );
    expect(Math.min(accepted, refused)).toBeGreaterThan(100);
  });
});

test("every way to misbehave is noticed, and its files are kept", async () => {
  const { code, stderr } = await fuzz("faulty", "--cases", "10", "--seed", "1", "--limit", "5");
  expect(code).toBe(1);
  const failures = [...stderr.matchAll(/FAILED: faulty, seed 1, case (\d+): (.*)/g)].map(
    ([, number, text]) => [Number(number), text],
  );
  expect(failures).toEqual([
    [1, expect.stringMatching(/^TypeError: /)],
    [2, expect.stringContaining("U+000a")],
    [3, expect.stringContaining("U+001b")],
    [4, expect.stringMatching(/^a message of \d+ characters/)],
    [5, expect.stringMatching(/^RangeError: Maximum call stack/)],
    [6, expect.stringMatching(/^256 MiB of memory for \d+ bytes/)],
    [7, "a case of more than 5 s"],
    [8, expect.stringContaining("out of memory")],
    [9, "a value that is not valid"],
  ]);
  expect(existsSync(path("build/fuzz/faulty-1-7/fault"))).toBe(true);
});
