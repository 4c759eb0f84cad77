/** A reader that misbehaves, in one way a case, so that the test of the fuzzer can see it noticed. */
import { UserError } from "../../../dist/errors.js";
import { must, outcomeOf } from "../outcome.mjs";

/** A UserError alone would mend its message. */
function refuse(message) {
  throw Object.assign(new UserError(""), { message });
}

const faults = [
  () => "a good case",
  () => undefined.length,
  () => refuse("two\nlines"),
  () => refuse("a colour \u001b[31m"),
  () => refuse("long ".repeat(1000)),
  () => {
    const recurse = (n) => recurse(n + 1) + 1;
    return recurse(0);
  },
  () => new Uint8Array(2 ** 28),
  () => {
    for (;;);
  },
  () => {
    for (const all = []; ;) all.push(new Array(1_000_000).fill(all.length));
  },
  () => must(false, "a value that is not valid"),
];

export function prepare() {
  return {
    make: (_, number) => ({ fault: Buffer.from(`fault ${number}`) }),
    check: ({ fault }) => outcomeOf(faults[Number(/\d+/.exec(fault.toString()) ?? 0)]),
  };
}
