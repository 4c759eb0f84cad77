import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { LineFollower } from "./follow.js";

const folder = mkdtempSync(join(tmpdir(), "fewbit-follow-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a growing file is read once, whole lines only, also where letters are cut", async () => {
  const path = join(folder, "grows");
  const follower = new LineFollower(path);
  expect(await follower.read()).toBeUndefined();
  writeFileSync(path, "one\ntwo");
  expect(await follower.read()).toMatchObject({ restarted: false, lines: ["one"] });
  expect(await follower.read()).toBeUndefined();
  const rest = Buffer.from("ü\n\nthree\n");
  appendFileSync(path, rest.subarray(0, 1));
  expect(await follower.read()).toMatchObject({ restarted: false, lines: [] });
  appendFileSync(path, rest.subarray(1));
  expect(await follower.read()).toMatchObject({ restarted: false, lines: ["twoü", "", "three"] });
});

test("a file that was cut, replaced or removed is read from its beginning", async () => {
  const path = join(folder, "changes");
  const follower = new LineFollower(path);
  writeFileSync(path, "one\ntwo\n");
  expect(await follower.read()).toMatchObject({ restarted: false, lines: ["one", "two"] });
  truncateSync(path, 4);
  expect(await follower.read()).toMatchObject({ restarted: true, lines: ["one"] });
  writeFileSync(join(folder, "fresh"), "one\n2\n3\n");
  renameSync(join(folder, "fresh"), path);
  expect(await follower.read()).toMatchObject({ restarted: true, lines: ["one", "2", "3"] });
  rmSync(path);
  expect(await follower.read()).toMatchObject({ restarted: true, lines: [] });
  expect(await follower.read()).toBeUndefined();
  writeFileSync(path, "new\n");
  expect(await follower.read()).toMatchObject({ lines: ["new"] });
});

test("lines longer than a piece that is read at a time are whole", async () => {
  const path = join(folder, "long");
  const line = "x".repeat(2.5 * 2 ** 20);
  writeFileSync(path, `${line}\nshort\n`);
  expect((await new LineFollower(path).read())?.lines).toEqual([line, "short"]);
});

test("what is no file, or too large, is refused", async () => {
  mkdirSync(join(folder, "directory"));
  await expect(new LineFollower(join(folder, "directory")).read()).rejects.toThrow("is not a file");
  writeFileSync(join(folder, "vast"), "");
  truncateSync(join(folder, "vast"), 2 ** 29); // takes no space
  await expect(new LineFollower(join(folder, "vast")).read()).rejects.toThrow("larger than 256 MiB");
});
