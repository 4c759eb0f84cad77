import fc from "fast-check";
import { expect, test } from "vitest";
import { UserError } from "../errors.js";
import { hostTarget } from "../runtime/target.js";
import { alignUp, placeFrom, planMemory } from "./memory.js";

const lifetimes = fc.array(
  fc
    .record({ bytes: fc.integer({ min: 1, max: 1000 }), first: fc.nat(30), length: fc.nat(10) })
    .map(({ bytes, first, length }) => ({ bytes, first, last: first + length })),
  { maxLength: 40 },
);

test("values alive together never share bytes, and all lie within the total", () => {
  fc.assert(
    fc.property(lifetimes, (values) => {
      const { offsets, bytes } = planMemory(values, hostTarget);
      values.forEach((a, i) => {
        expect(offsets[i] % 64).toBe(0);
        expect(offsets[i] + a.bytes).toBeLessThanOrEqual(bytes);
        values.slice(0, i).forEach((b, j) => {
          const together = a.first <= b.last && b.first <= a.last;
          const apart = offsets[i] + a.bytes <= offsets[j] || offsets[j] + b.bytes <= offsets[i];
          expect(!together || apart).toBe(true);
        });
      });
    }),
  );
});

test("values that follow one another share bytes", () => {
  const chain = Array.from({ length: 20 }, (_, i) => ({ bytes: 4096, first: i, last: i + 1 }));
  expect(planMemory(chain, hostTarget).bytes).toBe(2 * alignUp(4096, hostTarget));
});

test("no value crosses a page, and one that is larger is refused", () => {
  const rules = { alignment: 64, pageBytes: 1024 };
  fc.assert(
    fc.property(lifetimes, (values) => {
      const { offsets } = planMemory(values, rules);
      values.forEach(({ bytes }, i) => {
        expect(Math.floor(offsets[i] / 1024)).toBe(Math.floor((offsets[i] + bytes - 1) / 1024));
      });
    }),
  );
  expect(placeFrom(1000, 65, rules)).toBe(1024);
  expect(placeFrom(960, 64, rules)).toBe(960);
  expect(() => planMemory([{ bytes: 1025, first: 0, last: 0 }], rules)).toThrow(
    new UserError(
      "one value needs 1.0 KiB, but the executor's memory is cut in pages of 1.0 KiB; use a smaller batch, image or network",
    ),
  );
});
