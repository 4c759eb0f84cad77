/** Folders of another user, which may not be looked into. */
import { chmodSync, cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Result } from "./cli.test.fixture.js";
import { build, dorefa, execute, fewbit, newFolder, program, training } from "./cli.test.fixture.js";

let folder: string;
beforeAll(async () => {
  build();
  folder = newFolder();
  const trained = await fewbit(folder, `${training} ${dorefa} --epochs 1 --out runs/sound`);
  expect(trained).toMatchObject({ code: 0 });
  cpSync(join(folder, "runs", "sound"), join(folder, "runs", "closed"), { recursive: true });
  mkdirSync(join(folder, "runs", "within"));
  cpSync(join(folder, "runs", "sound"), join(folder, "runs", "within", "run"), { recursive: true });
  for (const name of [".", "runs"]) chmodSync(join(folder, name), 0o777);
  for (const name of ["closed", "within"]) chmodSync(join(folder, "runs", name), 0);
});
afterAll(() => rmSync(folder, { recursive: true }));

const isRoot = process.getuid?.() === 0;
/** Root may look into everything, but may become a user who may not. */
const asUser = (words: string): Promise<Result> => {
  if (!isRoot) return fewbit(folder, words);
  const setpriv = ["--reuid=54321", "--regid=54321", "--clear-groups", process.execPath, program];
  return execute("setpriv", [...setpriv, ...words.split(" ")], folder);
};

test.skipIf(process.platform === "win32" || (isRoot && process.platform !== "linux"))(
  "they are called unreadable, and not empty",
  async ({ skip }) => {
    if (isRoot && (await execute("setpriv", ["--reuid=54321", "test", "-r", program], folder)).code !== 0) {
      skip("another user cannot read this clone");
    }
    const reason = (path: string) => `cannot read ${path}: reading it is not allowed`;
    for (const command of ["eval runs/closed", "train --resume runs/closed", "report runs/closed"]) {
      const { code, stdout, stderr } = await asUser(command);
      expect([code, stdout]).toEqual([2, ""]);
      expect(stderr).toContain("cannot read runs/closed");
      expect(stderr).toContain("reading it is not allowed");
      expect(stderr).not.toContain("holds no run");
    }
    const report = await asUser("report runs");
    expect(report.code).toBe(0);
    expect(report.stderr).toContain(reason("runs/within"));
    expect(report.stderr).toContain("runs/closed");
  },
);
