import { afterEach, expect, test, vi } from "vitest";
import { showLoading } from "./loading.js";

afterEach(() => vi.restoreAllMocks());

/** What is printed where output is no terminal, as in tests. */
function printed(total: number): unknown[] {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  const { onProgress, stop } = showLoading(false);
  for (let done = 1; done <= total; done++) onProgress({ what: "pets", unit: "images", done, total });
  stop();
  return log.mock.calls.flat();
}

test("without a terminal a large folder's images are announced at the beginning and at each tenth", () => {
  expect(printed(2000)).toEqual([
    "pets  1 of 2,000 images read",
    ...[200, 400, 600, 800].map((done) => `pets  ${done} of 2,000 images read`),
    ...["1,000", "1,200", "1,400", "1,600", "1,800", "2,000"].map(
      (done) => `pets  ${done} of 2,000 images read`,
    ),
  ]);
});

test("a small folder's are read too fast for that", () => expect(printed(999)).toEqual([]));
