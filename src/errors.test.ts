import { describe, expect, test } from "vitest";
import { listed, printable, shown, UserError } from "./errors.js";

describe("a message is one line that does nothing to a terminal", () => {
  test.each([
    ["a line's end", "a\nb\r\nc", "a\\u000ab\\u000d\\u000ac"],
    ["a colour", "\u001b[31mred", "\\u001b[31mred"],
    ["a control of eight bits", "\u009b2J", "\\u009b2J"],
    ["a paragraph's end", "a\u2029b", "a\\u2029b"],
    ["a mark that turns the text around", "exe.\u202egpj", "exe.\\u202egpj"],
    ["letters of any script", "größe 数 🙂", "größe 数 🙂"],
  ])("%s", (_name, text, expected) => {
    expect(new UserError(text).message).toBe(expected);
    expect(printable(expected)).toBe(expected);
  });

  test("a long one keeps both ends", () => {
    const { message } = new UserError(`file has ${"x".repeat(1e6)}; allowed are 1 to 8`);
    expect(message).toMatch(/^file has x+ \.\.\. x+; allowed are 1 to 8$/);
    expect(message.length).toBeLessThan(1000);
  });
});

test("values are shown as JSON, however deep, and numbers as they are", () => {
  expect([1, Infinity, "a\n", null, undefined, [1, "b"]].map(shown)).toEqual([
    ...["1", "Infinity", '"a\\n"', "null", "undefined", '[1,"b"]'],
  ]);
  expect(shown({ a: [NaN, -Infinity], b: null, c: "NaN" })).toBe('{"a":[NaN,-Infinity],"b":null,"c":"NaN"}');
  expect(shown(JSON.parse("[".repeat(100) + "]".repeat(100)))).toBe("[".repeat(100) + "]".repeat(100));
  expect(shown({ labels: Array(17).fill(3), mean: Array(3).fill(0) })).toBe(
    '{"labels":"an array of 17 elements","mean":[0,0,0]}',
  );
  const depth = 100_000;
  expect(shown(JSON.parse("[".repeat(depth) + "]".repeat(depth)))).toBe("[...]");
  expect(shown(JSON.parse('{"a":'.repeat(depth) + "1" + "}".repeat(depth)))).toBe("{...}");
});

test("names are listed as in a sentence", () => {
  expect([[], ["a"], ["a", "b"], ["a", "b", "c"]].map((names) => listed(names))).toEqual([
    "",
    "a",
    "a and b",
    "a, b and c",
  ]);
  expect(listed(["a", "b", "c"], "or")).toBe("a, b or c");
});

test("details are lines of their own, and each of them is one", () => {
  const { message } = new UserError("no mirror answers", "mirrors", undefined, [
    "a: broken\noff",
    "b: \u001b[31m404",
  ]);
  expect(message).toBe("no mirror answers\n  a: broken\\u000aoff\n  b: \\u001b[31m404");
});
