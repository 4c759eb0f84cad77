import { expect, test } from "vitest";
import { markdown } from "./markdown.js";
import { buildReport } from "./model.js";
import { page } from "./page.js";
import { madeRun, of } from "./report.test.fixture.js";

const older = { config: { revision: undefined } };

test("runs that counted equal logits as wrong are not averaged with others, and the report says which they are", async () => {
  const runs = [
    madeRun({ ...of("qnn", "1/1"), seed: 1 }, [99.9], { name: "older", ...older }),
    madeRun({ ...of("qnn", "1/1"), seed: 2 }, [96], { name: "newer" }),
  ];
  const report = buildReport({ runs, warnings: [] });
  const cell = report.tables[0].rows.flatMap(({ cells }) => cells).find(({ group }) => group !== null)!;
  // The latest rule stands for the cell, though the other run is the more accurate.
  expect(cell.group).toMatchObject({ seeds: [2], best: { mean: 96, count: 1 } });
  expect(cell.others).toMatchObject([{ seeds: [1], best: { mean: 99.9 } }]);
  expect(cell.others[0].settings).toMatch(/, equal logits wrong$/);
  expect(cell.group?.settings).not.toContain("equal logits");
  expect(report.runs.map(({ scoring }) => scoring)).toEqual([1, 2]);
  for (const text of [markdown(report), await page(report)]) {
    expect(text).toContain(
      "Of 2 runs, 1 was started by an older version of fewbit, which counted an image as wrong where",
    );
    expect(text).toContain("equal logits wrong");
  }
});

test("a report of runs by one rule says so, or nothing", () => {
  const text = (...runs: ReturnType<typeof madeRun>[]) => markdown(buildReport({ runs, warnings: [] }));
  expect(text(madeRun({}, [90], older))).toContain("Of 1 run, 1 was started by an older version of fewbit");
  expect(text(madeRun({}, [90]))).not.toContain("older fewbit");
});
