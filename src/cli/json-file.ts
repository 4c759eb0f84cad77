/** JSON that a user wrote: a mistake in it is reported with its line and column. */
import { firstLineOf, shown, UserError } from "../errors.js";
import { largest, readText } from "../files/read.js";

/**
 * The content of a JSON file. A byte order mark, with which some editors begin files, is skipped.
 *
 * @param flag the flag that named the file, for messages.
 * @param remedy the end of the message about other content.
 * @throws UserError for a file that cannot be read or is not JSON.
 */
export function readJson(
  path: string,
  { flag, remedy = "" }: { flag?: string; remedy?: string } = {},
): unknown {
  const source = flag === undefined ? "" : ` (from ${flag})`;
  let text: string;
  try {
    text = readText(path, largest.json);
  } catch (error) {
    throw new UserError(`${firstLineOf(error)}${source}`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new UserError(`${path} is not JSON: ${mistakeIn(text)}${remedy}${source}`);
  }
}

const space = /[ \t\n\r]*/y;
const token =
  /"(?:[^"\\\0-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[{}[\],:]/y;

/** Where a text stops being JSON, and what was expected there. `JSON.parse` says so only in some versions of Node. */
export function mistakeIn(text: string): string {
  /** The brackets that would close what is open. */
  const open: string[] = [];
  let wanted: "value" | "name" | "colon" | "next" = "value";
  let isFirst = false; // whether a bracket was just opened, and may be closed at once
  for (let at = 0; ;) {
    space.lastIndex = at;
    at += space.exec(text)?.[0].length ?? 0;
    token.lastIndex = at;
    const found = token.exec(text)?.[0] ?? "";
    const isValue = !["", "]", "}", ",", ":"].includes(found);
    const closes: boolean = found !== "" && found === open.at(-1) && (wanted === "next" || isFirst);
    if (closes) {
      open.pop();
      wanted = "next";
    } else if (wanted === "value" && isValue) {
      if (found === "{") open.push("}");
      if (found === "[") open.push("]");
      wanted = found === "{" ? "name" : found === "[" ? "value" : "next";
    } else if (wanted === "name" && found.startsWith('"')) wanted = "colon";
    else if (wanted === "colon" && found === ":") wanted = "value";
    else if (wanted === "next" && found === "," && open.length > 0) {
      wanted = open.at(-1) === "}" ? "name" : "value";
    } else {
      const end = open.at(-1);
      const words = {
        value: "a value",
        name: "a name in double quotes",
        colon: "a colon",
        next: end === undefined ? "the end" : `a comma or ${end}`,
      } as const;
      return `${placeIn(text, at)} where ${words[wanted]} should be`;
    }
    isFirst = !closes && (found === "{" || found === "[");
    at += found.length;
  }
}

function placeIn(text: string, at: number): string {
  const lines = text.slice(0, at).split("\n");
  const line = `line ${lines.length}`;
  const [word = ""] = /^\S{0,20}/u.exec(text.slice(at)) ?? [];
  if (word === "") return `it ends in ${line}`;
  return `${line}, column ${(lines.at(-1) ?? "").length + 1} has ${shown(word)}`;
}
