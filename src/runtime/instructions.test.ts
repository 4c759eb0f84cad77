/** The tables of instructions beside the enumerations of the kernels, which decode a Program by their numbers. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loops } from "../graph/ops/loops.js";
import { kinds, mapOps, moveOps, productOps, reductions, windowOps } from "./instructions.js";
import { segments, storages } from "./program.js";

const kernel = (name: string): string =>
  readFileSync(new URL(`../../kernels/${name}`, import.meta.url), "utf8").replace(/\/\/.*/g, "");

/** The names of an enumeration of `program.h`, without that of their number. */
function namesIn(enumeration: string): string[] {
  const found = new RegExp(`enum ${enumeration} : int32_t \\{([^}]*)\\}`).exec(kernel("program.h"));
  return found![1].split(",").map((name) => name.trim());
}

/** Names as C++ spells them: `windowMax` is WINDOW_MAX. */
const spelled = (names: readonly string[]): string[] =>
  names.map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase());

test.each<[string, readonly string[]]>([
  ["Segment", [...segments, "segments"]],
  ["Storage", storages],
  ["Kind", kinds],
  ["Reduction", Object.keys(reductions)],
  ["ProductOp", Object.keys(productOps)],
  ["WindowOp", Object.keys(windowOps)],
  ["MoveOp", moveOps],
])("%s has the table's names in the table's order", (enumeration, names) => {
  // A name that another enumeration has got, too, is longer in C++.
  expect(namesIn(enumeration).map((name) => name.replace(/^REDUCE_/, ""))).toEqual(spelled(names));
});

test("the operations of maps have the table's names, order and arity", () => {
  const lines = [...kernel("map_ops.h").matchAll(/^ {2}(UNARY|BINARY|TERNARY)\((\w+),/gm)];
  const arities = { UNARY: 1, BINARY: 2, TERNARY: 3 };
  const found = lines.map(([, arity, name]) => [
    name.replace(/^ROUND_BF16$/, "BF16"),
    arities[arity as keyof typeof arities],
  ]);
  const expected = Object.entries(mapOps).map(([name, { arity }]) => [name.toUpperCase(), arity]);
  expect(found).toEqual(expected);
});

test("operations of maps take as many values as the loops of the op table", () => {
  const taken = Object.entries(loops).map(([name, loop]) => [name, loop.length - 1]);
  expect(taken).toEqual(Object.entries(mapOps).map(([name, { arity }]) => [name, arity]));
});
