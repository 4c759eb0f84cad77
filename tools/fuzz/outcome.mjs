/** What a reader may do with a file: give a valid value, or refuse it in one clean line. */
import { UserError } from "../../dist/errors.js";

/** Longer than any message needs to be; a path may add to it. */
const longestMessage = 1500;
/** Controls of both blocks, separators that end a line, and marks that turn its direction. */
const unprintable = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

/** A reader did what it must not. */
export class Misbehaviour extends Error {}

/** How often readers did either: a run that only sees refusals tests little. */
export const outcomes = { accepted: 0, refused: 0 };

/** The reader's value, or undefined where it refuses. Throws what is wrong with any other outcome. */
export async function outcomeOf(reader, Refusal = UserError) {
  try {
    const value = await reader();
    outcomes.accepted++;
    return value;
  } catch (error) {
    if (error?.constructor !== Refusal) throw error;
    checkLine(error.message);
    outcomes.refused++;
    return undefined;
  }
}

function checkLine(message) {
  const found = unprintable.exec(message);
  if (found) {
    const code = found[0].codePointAt(0).toString(16).padStart(4, "0");
    throw new Misbehaviour(`a message with U+${code} in it: ${JSON.stringify(message.slice(0, 300))}`);
  }
  if (message.length > longestMessage) {
    throw new Misbehaviour(`a message of ${message.length} characters: ${message.slice(0, 300)}`);
  }
}

export function must(condition, what) {
  if (!condition) throw new Misbehaviour(what);
}
