import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { mistakeIn, readJson } from "./json-file.js";

const folder = mkdtempSync(join(tmpdir(), "fewbit-json-"));
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ['{\n  "model": "lenet5",\n}', 'line 3, column 1 has "}" where a name in double quotes should be'],
  ["{'model': 1}", `line 1, column 2 has "'model':" where a name in double quotes should be`],
  ['{"a": 1\n "b": 2}', String.raw`line 2, column 2 has "\"b\":" where a comma or } should be`],
  ['{"a" 1}', 'line 1, column 6 has "1}" where a colon should be'],
  ['{"a": }', 'line 1, column 7 has "}" where a value should be'],
  ["[1, 2,\n3,]", 'line 2, column 3 has "]" where a value should be'],
  ["[1, 2\n", "it ends in line 2 where a comma or ] should be"],
  ["", "it ends in line 1 where a value should be"],
  ['{"a": 01}', 'line 1, column 8 has "1}" where a comma or } should be'],
  ['{"a": NaN}', 'line 1, column 7 has "NaN}" where a value should be'],
  ["{} // done", 'line 1, column 4 has "//" where the end should be'],
  ['{"a": "b\nc"}', String.raw`line 1, column 7 has "\"b" where a value should be`],
])("%j", (text, mistake) => {
  expect(() => JSON.parse(text) as unknown).toThrow();
  expect(mistakeIn(text)).toBe(mistake);
});

test("in a text cut from JSON the mistake is that it ends", () => {
  const sound = JSON.stringify({ a: [1, -2.5e3, { b: null }], "c d": 'e\\"', f: [true, [], {}] });
  for (let length = 0; length < sound.length; length++) {
    const cut = sound.slice(0, length);
    // Within a name, a text, a number or a word, what is there of it is named.
    expect(mistakeIn(cut)).toMatch(/^(it ends in line 1|line 1, column \d+ has ".*") where .* should be$/);
  }
});

/** The value with other texts and names, which hold no punctuation. */
function withPlainTexts(value: unknown): unknown {
  if (typeof value === "string") return "s";
  if (Array.isArray(value)) return value.map(withPlainTexts);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.values(value).map((member, i) => [`k${i}`, withPlainTexts(member)]));
}

test("a character that does not belong into JSON is found where it is", () => {
  fc.assert(
    fc.property(fc.json(), fc.nat(), (sound, seed) => {
      // Outside of texts: before a bracket, comma or colon of a text without any in its strings and names.
      const text = JSON.stringify(withPlainTexts(JSON.parse(sound)));
      const places = [...text.matchAll(/[[\]{},:]/g)].map(({ index }) => index);
      if (places.length === 0) return;
      const at = places[seed % places.length];
      const mistake = mistakeIn(`${text.slice(0, at)}#${text.slice(at)}`);
      expect(mistake.startsWith(`line 1, column ${at + 1} has "#`)).toBe(true);
    }),
    // A text before an object whose only name is a colon.
    { examples: [['["",{":":0}]', 4]] },
  );
});

test("a mark of the byte order is passed over; what cannot be read, or is not JSON, is reported with its flag", () => {
  const path = join(folder, "a.json");
  writeFileSync(path, '\uFEFF{"model":"lenet5"}');
  expect(readJson(path)).toEqual({ model: "lenet5" });
  writeFileSync(path, "\uFEFF{\n]");
  expect(() => readJson(path, { flag: "--config", remedy: "; mend it" })).toThrow(
    `${path} is not JSON: line 2, column 1 has "]" where a name in double quotes should be; mend it (from --config)`,
  );
  expect(() => readJson(folder, { flag: "--config" })).toThrow(
    `cannot read ${folder}: it is a folder (from --config)`,
  );
});
