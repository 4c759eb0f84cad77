/** What reaches a terminal: nothing that files and names hold does anything there. */
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { quoted } from "../errors.js";
import { cleaned, table } from "./text.js";

test("controls of a text become what they are called", () => {
  expect(cleaned("a\u001b[2Jb\u0007\nc\u009b31md\u202ee")).toBe("a\\u001b[2Jb\\u0007\nc\\u009b31md\\u202ee");
});

test("JSON stays the same value", () => {
  const value = { name: "\u009b\u2028\u0000 ä" };
  expect(JSON.parse(cleaned(JSON.stringify(value)))).toEqual(value);
});

test("a cell is one line, and columns are as wide as what is shown", () => {
  expect(
    table([
      ["a\nb", "1"],
      ["c", "22"],
    ]),
  ).toEqual(["a\\u000ab   1", "c         22"]);
});

test.each([
  ["runs/first", "runs/first"],
  ["my runs/it's", `'my runs/it'\\''s'`],
  ["$(reboot)", "'$(reboot)'"],
  ["-rf", "./-rf"],
  [".pnpm/fewbit@1.0.0+x/a.mjs", ".pnpm/fewbit@1.0.0+x/a.mjs"],
])("the path %s in a command", (path, word) => expect(quoted(path)).toBe(word));

test("everything is written through one place", () => {
  const folder = dirname(fileURLToPath(import.meta.url));
  const files = readdirSync(folder).filter((name) => name.endsWith(".ts") && !name.includes(".test."));
  const own = files.filter((name) => {
    const text = readFileSync(join(folder, name), "utf8").replace(/if \(process\.env\.FEWBIT_DEBUG\).*/, "");
    return /console\.|process\.std(out|err)\.write/.test(text);
  });
  expect(own).toEqual(["text.ts"]);
});
