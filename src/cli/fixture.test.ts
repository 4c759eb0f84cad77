import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { execute } from "./cli.test.fixture.js";

const node = (script: string, interruptWhen?: (stdout: string) => boolean) =>
  execute(process.execPath, ["-e", script], tmpdir(), { interruptWhen, signal: "SIGTERM" });

test("a process that a signal ends is an error with its last lines, unless the test gave it", async () => {
  const script =
    "console.log('began'); console.error('short of memory'); process.kill(process.pid, 'SIGKILL')";
  await expect(node(script)).rejects.toThrow(
    /^node -e .* was ended by SIGKILL; its last lines:\n(began\nshort of memory|short of memory\nbegan)$/,
  );
  const waits = "console.log('began'); setInterval(() => {}, 1000)";
  expect(await node(waits, (stdout) => stdout.includes("began"))).toEqual({
    code: null,
    stdout: "began\n",
    stderr: "",
  });
  expect(await node("process.exit(3)")).toEqual({ code: 3, stdout: "", stderr: "" });
});
