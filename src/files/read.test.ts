/** Reading what may come from anywhere. */
import { execFileSync } from "node:child_process";
import { createServer } from "node:net";
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UserError } from "../errors.js";
import { isThere, readBytes, readBytesAside, readParts, readText } from "./read.js";

let directory: string;
const at = (name: string) => join(directory, name);
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "fewbit-read-"));
  mkdirSync(at("folder"));
  writeFileSync(at("text"), "\uFEFF{ ä }");
  symlinkSync(at("text"), at("link"));
  symlinkSync("/dev/zero", at("zero"));
  symlinkSync(at("circle"), at("circle"));
  if (process.platform !== "win32") execFileSync("mkfifo", [at("pipe")]);
  await new Promise<void>((listening) => server.listen(at("socket"), listening));
  const file = openSync(at("vast"), "w");
  ftruncateSync(file, 2 ** 42); // without a byte on the disk
  closeSync(file);
});
const server = createServer();
afterAll(() => {
  server.close();
  rmSync(directory, { recursive: true });
});

/** Each way to read a file, which must tell the same of it. */
const ways: Readonly<Record<string, (path: string, most: number) => unknown>> = {
  readBytes,
  readBytesAside,
  readText,
  readParts: (path, most) => readParts(path, (size, read) => read(0, Math.min(size, most))),
};

describe.skipIf(process.platform === "win32").each(Object.entries(ways))(
  "%s refuses at once",
  (_name, read) => {
    test.each([
      ["none", "there is no such file"],
      ["text/below", "a part of its path is a file"],
      ["folder", "it is a folder"],
      ["circle", "its symbolic links go in a circle"],
      ["pipe", "it is a pipe, a socket or a device, and no file"],
      ["socket", "it is a pipe, a socket or a device, and no file"],
      ...(existsSync("/dev/zero") ? [["zero", "it is a pipe, a socket or a device, and no file"]] : []),
    ])("%s", async (name, reason) => {
      const reading = (async () => read(at(name), 100))();
      await expect(reading).rejects.toThrow(UserError);
      await expect(reading).rejects.toThrow(new UserError(`cannot read ${at(name)}: ${reason}`));
    });
  },
);

test("what links lead to is read, and all of it", async () => {
  const bytes = Buffer.from("\uFEFF{ ä }");
  expect(readBytes(at("link"), bytes.length)).toEqual(bytes);
  expect(await readBytesAside(at("link"), bytes.length)).toEqual(bytes);
  expect(readText(at("link"), 100)).toBe("{ ä }");
});

test("a larger file than may be is refused by its size, before there is memory for it", async () => {
  const reason = `cannot read ${at("vast")}: it holds 4096.0 GiB, and at most 4.0 MiB are read`;
  expect(() => readBytes(at("vast"), 2 ** 22)).toThrow(reason);
  await expect(readBytesAside(at("vast"), 2 ** 22)).rejects.toThrow(reason);
  expect(() => readBytes(at("vast"), Infinity)).toThrow("it holds 4096.0 GiB, more than there is memory");
});

test.runIf(process.platform === "linux")("a file that says it is empty is read to its end", () => {
  expect(readText("/proc/self/status", 2 ** 20)).toMatch(/^Name:/);
  expect(() => readText("/proc/self/status", 100)).toThrow(/and at most 0\.1 KiB are read/);
});

test("whether something is there", () => {
  expect([isThere(at("text")), isThere(at("none")), isThere(at("text/below"))]).toEqual([true, false, false]);
  expect(() => isThere(at("circle"))).toThrow(
    `cannot read ${at("circle")}: its symbolic links go in a circle`,
  );
});
