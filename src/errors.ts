/**
 * A mistake of the user's: a wrong option, file or shape. The message is one line that names the
 * thing, the value given, what is allowed and how to mend it. The command line prints it without a
 * stack trace and exits with code 2.
 */
export class UserError extends Error {
  override readonly name = "UserError";
  /** The configuration field at fault, so that the command line can say which flag set it. */
  readonly field: string | undefined;
  /** Which mistake it is, where a caller needs to tell. */
  readonly code: UserErrorCode | undefined;

  /**
   * Names and values from files may be in the message as they are: see `printable`. Where several
   * attempts failed, `details` has the reason of each, which becomes a line of its own.
   */
  constructor(message: string, field?: string, code?: UserErrorCode, details: readonly string[] = []) {
    super([message, ...details].map(printable).join("\n  "));
    this.field = field;
    this.code = code;
  }
}

/**
 * A directory that a run cannot begin in, since it holds another run or another process trains there, or that
 * another process took over; a run that cannot go on, since a file cannot be written.
 */
export type UserErrorCode = "holdsRun" | "inUse" | "takenOver" | "unwritten";

/** Training stopped because its numbers broke down (exit code 3). The last good checkpoint is kept. */
export class DivergenceError extends Error {
  override readonly name = "DivergenceError";
}

/** Control characters, halves of surrogate pairs, other line ends, and marks that turn the direction of text. */
const unprintable = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const longest = 1000;

/**
 * A text as one line that does nothing to a terminal: controls become \uXXXX, and bytes that are not UTF-8
 * (see `data/paths.ts`) \xXX.
 */
export const withoutControls = (text: string): string =>
  text.replace(unprintable, (character) => {
    const code = character.charCodeAt(0);
    if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`;
    return `\\u${code.toString(16).padStart(4, "0")}`;
  });

/** The same, and the middle of a long text is "...". */
export function printable(text: string): string {
  const line = withoutControls(text);
  return line.length <= longest ? line : `${line.slice(0, 700)} ... ${line.slice(-250)}`;
}

/** A path in a command that a message gives, as a shell takes it. */
export function quoted(path: string): string {
  const word = path.startsWith("-") ? `./${path}` : path; // else it would be taken for a flag
  return /^[\w./@+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** What an error says, without what follows its first line; anything may have been thrown. */
export const firstLineOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n")[0];

/** Levels of a value that a message shows at most. Some versions of Node write any depth as JSON, others overflow. */
const deepest = 100;

/**
 * A value in a message. As JSON, except numbers (JSON has null for Infinity) and what only code can hand in: functions,
 * promises, tensors and other objects that are not plain are named by their kind, and so are long arrays. What is nested too deep is
 * "[...]" or "{...}".
 */
export function shown(value: unknown): string {
  if (typeof value === "number") return String(value);
  const kind = kindOf(value);
  if (kind !== undefined) return kind;
  const short = Array.isArray(value) ? "[...]" : "{...}";
  if (isDeeperThan(deepest, value)) return short;
  try {
    // Numbers within are written as texts that no user has, and lose their quotes afterwards.
    const json = JSON.stringify(value, (_, inner: unknown) =>
      typeof inner === "number" && !Number.isFinite(inner) ? `\0${inner}` : (kindOf(inner) ?? inner),
    );
    return json?.replace(/"\\u0000(NaN|-?Infinity)"/g, "$1") ?? String(value);
  } catch {
    return short; // in itself
  }
}

const isDeeperThan = (levels: number, value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  kindOf(value) === undefined &&
  (levels === 0 || Object.values(value).some((part) => isDeeperThan(levels - 1, part)));

/** Elements of an array that a message shows at most. */
const mostElements = 16;

/** What a value is that JSON cannot write or would write at length; undefined for plain data. */
function kindOf(value: unknown): string | undefined {
  if (Array.isArray(value)) {
    return value.length > mostElements ? `an array of ${value.length} elements` : undefined;
  }
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return value.name === "" ? "a function" : `the function ${value.name}`;
  if (typeof value !== "object" || value === null) return undefined;
  if (ArrayBuffer.isView(value)) {
    const elements = "length" in value ? ` of ${String(value.length)} elements` : "";
    return `a ${value.constructor.name}${elements}`;
  }
  if ("then" in value && typeof value.then === "function") return "a Promise (await it)";
  if ("op" in value && "inputs" in value && "shape" in value && Array.isArray(value.shape)) {
    return `a tensor [${value.shape.join(", ")}]`;
  }
  if (isPlainObject(value)) return undefined;
  return `an object of ${value.constructor?.name ?? "a class"}`;
}

/** Whether an object is of no class. Another realm has another Object. */
export function isPlainObject(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** "1 run", "2 runs". */
export const counted = (value: number, word: string): string =>
  `${value.toLocaleString("en-US")} ${word}${value === 1 ? "" : "s"}`;

/** "one", "one and two", "one, two and three"; with another word for "and". */
export const listed = (words: readonly string[], and = "and"): string =>
  words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} ${and} ${words.at(-1)}`;

/** A size for people, in KiB, MiB or GiB. */
export function memoryText(bytes: number, digits = 1): string {
  const power = bytes < 2 ** 20 ? 1 : bytes < 2 ** 30 ? 2 : 3;
  return `${(bytes / 1024 ** power).toFixed(digits)} ${["", "KiB", "MiB", "GiB"][power]}`;
}

/** "; did you mean NAME?" for the name that a misspelt one is nearest to; empty if none is near. */
export function suggestion(given: unknown, names: readonly string[]): string {
  if (typeof given !== "string" || given.length > 50) return "";
  const near = names
    .map((name) => ({ name, distance: editDistance(given.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, distance }) => distance <= Math.min(3, 0.5 * Math.max(given.length, name.length)));
  const [nearest] = near.sort((a, b) => a.distance - b.distance);
  return nearest === undefined ? "" : `; did you mean ${nearest.name}?`;
}

/** Letters to insert, remove, replace or exchange with their neighbour to get from one word to another. */
function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    rows[i] = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      const exchanged =
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? rows[i - 2][j - 2] + 1 : Infinity;
      rows[i][j] = Math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, replaced, exchanged);
    }
  }
  return rows[a.length][b.length];
}

/** Refuses an empty path, which would name the working folder or a file in it. @throws UserError */
export function checkPath(field: string, path: unknown): void {
  if (typeof path === "string" && path !== "") return;
  throw new UserError(`${field} must be a text that is not empty, got ${shown(path)}`, field);
}
