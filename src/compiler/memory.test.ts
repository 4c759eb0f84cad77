import fc from "fast-check";
import { expect, test } from "vitest";
import { alignUp, planMemory } from "./memory.js";

const lifetimes = fc.array(
  fc
    .record({ bytes: fc.integer({ min: 1, max: 1000 }), first: fc.nat(30), length: fc.nat(10) })
    .map(({ bytes, first, length }) => ({ bytes, first, last: first + length })),
  { maxLength: 40 },
);

test("values alive together never share bytes, and all lie within the total", () => {
  fc.assert(
    fc.property(lifetimes, (values) => {
      const { offsets, bytes } = planMemory(values);
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
  expect(planMemory(chain).bytes).toBe(2 * alignUp(4096));
});
