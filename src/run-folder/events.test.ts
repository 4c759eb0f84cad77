/** Event files, read by what we expect of their bytes; `python.test.ts` has the tensorboard package read them. */
import { mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isEventFile } from "./run.js";
import { crc32c, encodeRecord } from "./tfrecord.js";
import { base } from "../training/tiny.test.fixture.js";
import { train } from "../training/train.js";

let parent: string;
let directory: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "fewbit-events-"));
  directory = join(parent, "run");
});
afterEach(() => rmSync(parent, { recursive: true }));

const eventFiles = () => readdirSync(directory).filter(isEventFile);
const bytesOf = (name: string) => readFileSync(join(directory, name));

/** The number of records of a file, each of the length that it says. */
function recordsIn(bytes: Buffer): number {
  let [at, count] = [0, 0];
  for (; at < bytes.length; count++) at += 16 + Number(bytes.readBigUInt64LE(at));
  expect(at).toBe(bytes.length);
  return count;
}

const logged = { ...base, log: ["tensorboard"] as const };

test.each([
  ["123456789", 0xe3069283],
  ["", 0],
  ["\0".repeat(32), 0x8a9136aa], // RFC 3720, B.4
  ["\xff".repeat(32), 0x62a8ab43],
])("the checksum of %j", (text, sum) => {
  expect(crc32c(Buffer.from(text, "latin1"))).toBe(sum);
});

test("a record has its length and two checksums around its contents", () => {
  const record = Buffer.from(encodeRecord(Buffer.from("123456789")));
  expect(record.readBigUInt64LE(0)).toBe(9n);
  expect(record.toString("latin1", 12, 21)).toBe("123456789");
  // The checksum 0xe3069283 turned right by 15 bits, plus 0xa282ead8, in 32 bits: worked out by hand.
  expect(record.readUInt32LE(21)).toBe(0xc78ab0e5);
});

describe("a run's event file", () => {
  test("has its version, its configuration and one record per epoch, and there is none unless asked for", async () => {
    await train({ ...base, epochs: 1, directory });
    expect(eventFiles()).toEqual([]);
    const before = Math.floor(Date.now() / 1000);
    await train({ ...logged, epochs: 2, directory, overwrite: true });
    const [name, ...others] = eventFiles();
    expect(others).toEqual([]);
    expect(Number(/\d+/.exec(name)?.[0])).toBeGreaterThanOrEqual(before);
    expect(recordsIn(bytesOf(name))).toBe(4);
    // Overwritten without, it goes with the old run.
    await train({ ...base, epochs: 1, directory, overwrite: true });
    expect(eventFiles()).toEqual([]);
  });

  test("of a run that goes on is the same file, and gets back what it lost", async () => {
    await train({ ...logged, epochs: 1, directory });
    const [name] = eventFiles();
    const { ino } = statSync(join(directory, name));
    await train({ ...logged, directory, resume: true });
    expect(statSync(join(directory, name)).ino).toBe(ino);
    const whole = bytesOf(name);
    expect(recordsIn(whole)).toBe(5);
    for (const [damaged, isMended] of [
      [whole.subarray(0, whole.length - 1), true],
      [whole.subarray(0, 100), true],
      [Buffer.alloc(0), true],
      [Buffer.concat([whole, whole]), false],
      [Buffer.concat([Buffer.of(1), whole]), false],
    ] as const) {
      writeFileSync(join(directory, name), damaged);
      const before = statSync(join(directory, name)).ino;
      await train({ ...logged, directory, resume: true });
      expect(bytesOf(name).equals(whole)).toBe(true);
      // A TensorBoard that reads the file goes on reading it where only its end was lost.
      expect(statSync(join(directory, name)).ino === before).toBe(isMended);
    }
    expect(readdirSync(directory).filter((file) => file.endsWith(".tmp"))).toEqual([]);
  });

  test("of a run that was trained without has the whole history", async () => {
    await train({ ...base, epochs: 2, directory });
    await train({ ...logged, epochs: 3, directory, resume: true });
    const [name] = eventFiles();
    expect(recordsIn(bytesOf(name))).toBe(5);
    const bytes = bytesOf(name);
    renameSync(join(directory, name), join(parent, name));
    await train({ ...logged, epochs: 3, directory, resume: true });
    const [again] = eventFiles();
    expect(bytesOf(again).length).toBe(bytes.length);
  });
});

test.each<[object, RegExp]>([
  [{ log: ["wandb"] }, /^log must be a list of one or more of tensorboard, each once, got \["wandb"\]$/],
  [{ log: [] }, /^log must be a list .*, got \[\]$/],
  [{ log: ["tensorboard", "tensorboard"] }, /^log must be a list .* each once, got /],
  [{ log: ["tensorboard"], directory: undefined }, /^log needs a directory$/],
])("%j is refused", async (change, message) => {
  await expect(train({ ...base, directory, ...change })).rejects.toThrow(message);
  expect(readdirSync(parent)).toEqual([]);
});
