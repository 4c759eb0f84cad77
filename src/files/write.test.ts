import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fullFor } from "./full.test.fixture.js";
import {
  appendFlushed,
  createFile,
  cutBack,
  isUnsharedFile,
  removeTemporaries,
  stage,
  stagePieces,
  writeAtomically,
} from "./write.js";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fewbit-files-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

test("an atomic write replaces the file and leaves nothing else behind", () => {
  const path = join(directory, "a.json");
  writeAtomically(path, "first, and longer");
  writeAtomically(path, "second");
  expect(readFileSync(path, "utf8")).toBe("second");
  expect(readdirSync(directory)).toEqual(["a.json"]);
});

test("an atomic write that fails leaves the old file", () => {
  const path = join(directory, "a.json");
  writeAtomically(path, "first");
  expect(() => writeAtomically(join(directory, "none", "a.json"), "x")).toThrow(
    /a\.json: nothing can be made there;/,
  );
  expect(readFileSync(path, "utf8")).toBe("first");
});

test.runIf(existsSync("/dev/full"))(
  "on a full disk the old file stays, alone, and the message says what to do",
  () => {
    const path = join(directory, "a.json");
    writeAtomically(path, "first");
    const restore = fullFor("a.json");
    try {
      expect(() => writeAtomically(path, "second")).toThrow(
        `cannot write ${path}: no space is left on the disk (ENOSPC); make room, then resume the run`,
      );
    } finally {
      restore();
    }
    expect([readFileSync(path, "utf8"), readdirSync(directory)]).toEqual(["first", ["a.json"]]);
  },
);

test("what is staged takes the file's place when it is asked to", () => {
  const path = join(directory, "a.json");
  writeAtomically(path, "first");
  const replace = stage(path, "second");
  expect(readFileSync(path, "utf8")).toBe("first");
  replace();
  expect([readFileSync(path, "utf8"), readdirSync(directory)]).toEqual(["second", ["a.json"]]);
});

/** Pieces of which each tells whether other work had its turn since the one before. */
async function* recorded(turns: boolean[], count: number, failsAt = Infinity) {
  for (let i = 0; i < count; i++) {
    let hadTurn = false;
    setImmediate(() => (hadTurn = true));
    if (i === failsAt) throw new RangeError("no more pieces");
    yield Buffer.alloc(1000, i);
    turns.push(hadTurn);
  }
}

test("pieces are written while other work goes on, and take the file's place when asked to", async () => {
  const path = join(directory, "a.bin");
  writeAtomically(path, "old");
  const turns: boolean[] = [];
  const replace = await stagePieces(path, recorded(turns, 3));
  expect(turns).toEqual([true, true, true]);
  expect(readFileSync(path, "utf8")).toBe("old");
  replace();
  expect(readFileSync(path).equals(Buffer.concat([0, 1, 2].map((i) => Buffer.alloc(1000, i))))).toBe(true);
  expect(readdirSync(directory)).toEqual(["a.bin"]);
});

test("errors in reading pieces are passed on unchanged, and leave the old file alone", async () => {
  const path = join(directory, "a.bin");
  writeAtomically(path, "old");
  await expect(stagePieces(path, recorded([], 3, 2))).rejects.toThrow(RangeError);
  expect(readFileSync(path, "utf8")).toBe("old");
  expect(readdirSync(directory)).toEqual(["a.bin"]);
  const nowhere = stagePieces(join(directory, "none", "a.bin"), recorded([], 3));
  await expect(nowhere).rejects.toThrow(/^cannot write .*a\.bin: nothing can be made there; /);
});

test("lines are appended", () => {
  const path = join(directory, "lines");
  appendFlushed(path, "one\n");
  appendFlushed(path, "two\n");
  expect(readFileSync(path, "utf8")).toBe("one\ntwo\n");
  cutBack(path, 4);
  expect(readFileSync(path, "utf8")).toBe("one\n");
  cutBack(path, 9);
  expect(readFileSync(path, "utf8")).toBe("one\n");
});

describe("nothing is written through a link", () => {
  let victim: string;
  beforeEach(() => {
    victim = join(directory, "victim");
    writeFileSync(victim, "precious\n");
    mkdirSync(join(directory, "run"));
  });
  afterEach(() => expect(readFileSync(victim, "utf8")).toBe("precious\n"));
  const inRun = (name: string) => join(directory, "run", name);

  test("in the place of the file that the new bytes lie in meanwhile, nor does one there stop anything", () => {
    symlinkSync(victim, inRun("a.json.tmp"));
    writeAtomically(inRun("a.json"), "new");
    expect(readFileSync(inRun("a.json"), "utf8")).toBe("new");
  });

  test("in the place of the file itself, which is replaced", () => {
    symlinkSync(victim, inRun("a.json"));
    writeAtomically(inRun("a.json"), "new");
    expect([readFileSync(inRun("a.json"), "utf8"), isUnsharedFile(inRun("a.json"))]).toEqual(["new", true]);
  });

  test.skipIf(process.platform === "win32")("where lines are appended and cut back", () => {
    symlinkSync(victim, inRun("lines"));
    expect(() => appendFlushed(inRun("lines"), "more\n")).toThrow(
      `cannot write ${inRun("lines")}: it is a symbolic link, and fewbit does not write through one;`,
    );
    expect(() => cutBack(inRun("lines"), 2)).toThrow(/ELOOP/);
    symlinkSync(join(directory, "nothing"), inRun("dangling"));
    expect(() => appendFlushed(inRun("dangling"), "more\n")).toThrow(/symbolic link/);
    expect(existsSync(join(directory, "nothing"))).toBe(false);
  });

  test("where a file is made", () => {
    symlinkSync(join(directory, "nothing"), inRun("lock"));
    expect(() => createFile(inRun("lock"), "mine")).toThrow(/EEXIST/);
    expect(existsSync(join(directory, "nothing"))).toBe(false);
  });

  test("a second name of other bytes is no file of its own", () => {
    linkSync(victim, inRun("linked"));
    expect([isUnsharedFile(inRun("linked")), isUnsharedFile(inRun("none"))]).toEqual([false, false]);
  });
});

test("what killed processes left is removed once it is old, and nothing else", () => {
  const path = join(directory, "a.json");
  const old = ["a.json.0123456789ab.tmp", "a.json.4711-0123abcd.tmp", "a.json.tmp"];
  const others = [
    "a.json.notes.tmp",
    "b.json.0123456789ab.tmp",
    "a.json.0123456789ab",
    "a.json.aaaaaaaaaaaa.tmp",
  ];
  for (const name of [...old, ...others]) {
    writeFileSync(join(directory, name), "");
    if (name !== others[3]) utimesSync(join(directory, name), 1e9, 1e9);
  }
  writeAtomically(path, "new");
  expect(readdirSync(directory).sort()).toEqual(["a.json", ...others].sort());
  removeTemporaries(directory, "a.json", 0);
  expect(readdirSync(directory).sort()).toEqual(["a.json", ...others.slice(0, 3)].sort());
});
