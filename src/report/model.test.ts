import { expect, test } from "vitest";
import { published } from "../published/index.js";
import { missing } from "./format.js";
import { buildReport } from "./model.js";
import type { Cell, Report } from "./report.js";
import { imagenetRun, madeRun, of } from "./report.test.fixture.js";

const reportOf = (...runs: ReturnType<typeof madeRun>[]): Report => buildReport({ runs, warnings: [] });

function cellOf({ tables }: Report, method: string, bits: string, table = 0): Cell {
  const row = tables[table].rows.find((one) => one.method === method);
  return row!.cells.find(({ weightBits, activationBits }) => `${weightBits}/${activationBits}` === bits)!;
}

test("seeds are averaged, and compared with the published cell", () => {
  const report = reportOf(
    madeRun({ ...of("dorefa", "1/2"), seed: 1 }, [98, 99.5, 99.4]),
    madeRun({ ...of("dorefa", "1/2"), seed: 2 }, [97, 99.4, 99.6]),
    madeRun({ ...of("dorefa", "1/2"), seed: 3 }, [96, 99.4, 99.2]),
  );
  const { state, group, difference, published: row, others } = cellOf(report, "dorefa", "1/2");
  expect([state, row?.top1, others]).toEqual(["trained", 99.61, []]);
  expect(group).toMatchObject({
    seeds: [1, 2, 3],
    epochs: 3,
    runs: [0, 1, 2],
    unfinished: [],
    bestTop5: 100,
  });
  expect(group?.best).toMatchObject({ count: 3, least: 99.4, most: 99.6 });
  expect(group?.best?.mean).toBeCloseTo(99.5, 10);
  expect(group?.best?.deviation).toBeCloseTo(0.1, 10);
  expect(group?.last?.mean).toBeCloseTo(99.4, 10);
  expect(group?.last?.deviation).toBeCloseTo(0.2, 10);
  expect(difference).toBeCloseTo(-0.11, 10);
});

test("a table has the published layout, and says which cells are missing", () => {
  const { tables } = reportOf(
    madeRun(of("twn"), [99.6]),
    madeRun({ ...of("qnn", "8/8"), epochs: 20 }, [97, 98, 99]),
  );
  expect(tables).toHaveLength(1);
  const [{ dataset, modelTitle, columns, rows, protocol }] = tables;
  expect([dataset, modelTitle, protocol]).toEqual(["MNIST", "LeNet-5", { epochs: 100, decayEvery: 20 }]);
  expect(columns.map(({ weightBits, activationBits }) => `${weightBits}/${activationBits}`)).toEqual(
    "32/32 8/8 4/4 2/32 1/32 2/2 2/1 1/2 1/1".split(" "),
  );
  expect(rows.map(({ method }) => method)).toEqual(["baseline", "qnn", "dorefa", "xnor", "twn", "ttq"]);
  const cells = rows.flatMap((row) => row.cells.map((cell) => ({ ...cell, method: row.method })));
  for (const { method, weightBits, activationBits, published: row } of cells) {
    const expected = published.find(
      (one) =>
        one.dataset === "MNIST" &&
        one.method === method &&
        one.weightBits === weightBits &&
        one.activationBits === activationBits,
    );
    expect(row?.top1).toBe(expected?.top1);
  }
  const count = (state: Cell["state"]) => cells.filter((cell) => cell.state === state).length;
  expect([count("trained"), count("unfinished"), count("untrained"), count("none")]).toEqual([1, 1, 22, 30]);
  expect(missing(cellOf({ tables } as Report, "qnn", "8/8"))).toBe("unfinished: 3 of 20 epochs");
  expect(missing(cellOf({ tables } as Report, "ttq", "2/32"))).toBe("not trained");
});

test("a published cell without an accuracy is not compared", () => {
  const on = { model: "vgg16", data: "cifar10" };
  const report = reportOf(madeRun({ ...on, ...of("qnn", "1/1") }, [50]));
  expect(cellOf(report, "qnn", "1/1")).toMatchObject({
    state: "trained",
    published: { top1: null },
    difference: null,
  });
  expect(report.tables[0].counts).toEqual({ published: 19, compared: 0, within: 0, ahead: 0, behind: 0 });
});

test("all of ImageNet is compared with its cell, top-1 and top-5", () => {
  const row = published.find(
    ({ dataset, model, method, weightBits, activationBits }) =>
      dataset === "ImageNet" &&
      model === "resnet18" &&
      method === "dorefa" &&
      weightBits === 2 &&
      activationBits === 2,
  );
  const runs = [1, 2].map((seed) =>
    imagenetRun([60, 61 + seed], { top5: [80, 83 + seed], config: { seed } }),
  );
  const report = reportOf(...runs);
  expect(report.tables[0]).toMatchObject({ dataset: "ImageNet", partOf: null, hasTop5: true });
  const cell = cellOf(report, "dorefa", "2/2");
  expect(cell.published).toMatchObject({ top1: row?.top1, top5: row?.top5 });
  expect(cell.group).toMatchObject({ best: { mean: 62.5 }, bestTop5: 84.5 });
  expect(cell.difference).toBeCloseTo(62.5 - (row?.top1 ?? NaN), 9);
  expect(cell.differenceTop5).toBeCloseTo(84.5 - (row?.top5 ?? NaN), 9);
  expect(report.runs[0]).toMatchObject({ published: row?.top1, publishedTop5: row?.top5 });
});

test.each([
  ["10 classes of ImageNet", { classes: 10, images: { train: 1800, test: 500 } }],
  ["10 classes of ImageNet at 112 pixels", { classes: 10, side: 112, images: { train: 1800, test: 500 } }],
  ["a part of ImageNet", { images: { train: 1_281_167, test: 49_999 } }],
  ["a part of ImageNet", { images: { train: 40_000, test: 50_000 } }],
  // Runs of the first versions do not say how many images there were.
  ["a part of ImageNet", { images: null }],
  ["ImageNet at 64 pixels", { side: 64 }],
] as const)("%s is shown with its own top-1 and top-5, and not compared", (dataset, made) => {
  const report = reportOf(imagenetRun([70], { ...made, top5: [90] }));
  expect(report.tables[0]).toMatchObject({ dataset, partOf: "ImageNet", hasTop5: true, protocol: null });
  expect(report.tables[0].counts.published).toBe(0);
  expect(cellOf(report, "dorefa", "2/2")).toMatchObject({
    published: null,
    group: { best: { mean: 70 }, bestTop5: 90 },
    difference: null,
    differenceTop5: null,
  });
});

test("cells within 0.3 points, ahead and behind are counted by method", () => {
  const { methods, tables } = reportOf(
    madeRun(of("qnn", "4/4"), [99.25]), // published 99.55: just within, though 99.25 - 99.55 < -0.3 in floats or not
    madeRun(of("qnn", "1/1"), [99.2]), // 98.90: just within on the other side
    madeRun(of("qnn", "2/2"), [99.14]), // 99.45
    madeRun(of("dorefa", "1/1"), [99.37]), // 99.06
    madeRun({ ...of("dorefa", "2/2"), epochs: 2 }, [1]), // unfinished
  );
  const counts = { published: 24, compared: 4, within: 2, ahead: 1, behind: 1 };
  expect(tables[0].counts).toEqual(counts);
  expect(
    methods.map(({ method, ...rest }) => [method, rest.compared, rest.within, rest.ahead, rest.behind]),
  ).toEqual([
    ["baseline", 0, 0, 0, 0],
    ["qnn", 3, 2, 0, 1],
    ["dorefa", 1, 0, 1, 0],
    ["xnor", 0, 0, 0, 0],
    ["twn", 0, 0, 0, 0],
    ["ttq", 0, 0, 0, 0],
  ]);
  expect(methods.reduce((sum, { published: cells }) => sum + cells, 0)).toBe(24);
});

test("runs of other settings are not averaged: the longest stands for the cell, then the published rate", () => {
  const cell = of("dorefa", "1/1"); // published: SGD at 0.1
  const report = reportOf(
    madeRun({ ...cell, optimizer: "adam", learningRate: 0.01 }, [90, 99.9]),
    madeRun({ ...cell, seed: 1 }, [90, 98]),
    madeRun({ ...cell, seed: 2 }, [90, 97]),
    madeRun({ ...cell, seed: 1, preset: "paper" }, [90, 99]),
    madeRun({ ...cell, epochs: 40, seed: 3 }, [95, 96, 97]),
    madeRun({ ...cell, seed: 1 }, [99.99]),
    madeRun({ ...cell, gradients: "bf16" }, [90, 99.5]),
  );
  const { group, others } = cellOf(report, "dorefa", "1/1");
  expect(group).toMatchObject({ runs: [1, 2], epochs: 2, best: { mean: 97.5 } });
  expect(others.map(({ runs, best }) => [runs, best?.mean ?? null])).toEqual([
    [[6], 99.5],
    [[3], 99],
    [[0], 99.9],
    [[5], 99.99],
    [[4], null],
  ]);
  expect(group?.settings).toBe("SGD 0.1, constant rate, 2 epochs, batch 128, preset redbit");
  expect(new Set(report.runs.map(({ settings }) => settings)).size).toBe(6);
});

test("runs of another revision of the method are not averaged: the latest stands for the cell", () => {
  const cell = of("dorefa", "1/1");
  const [older, later] = [madeRun({ ...cell, seed: 1 }, [90, 99]), madeRun({ ...cell, seed: 2 }, [90, 97])];
  const report = reportOf(older, { ...later, config: { ...later.config, revision: { method: 2 } } });
  const { group, others } = cellOf(report, "dorefa", "1/1");
  expect([group?.runs, ...others.map(({ runs }) => runs)]).toEqual([[1], [0]]);
  expect(group?.settings).toContain("revision 2 of the method");
});

test("an unfinished seed is reported and not averaged", () => {
  const cell = { ...of("ttq"), epochs: 2 };
  const report = reportOf(madeRun({ ...cell, seed: 1 }, [90, 99]), madeRun({ ...cell, seed: 2 }, [99.9]));
  expect(cellOf(report, "ttq", "2/32").group).toMatchObject({
    seeds: [1],
    best: { mean: 99, deviation: null },
    unfinished: [{ seed: 2, epochs: 1 }],
  });
});

test("where the best epoch was chosen on held-out images, its test accuracy counts", () => {
  const run = madeRun({ ...of("twn"), validation: 100 }, [99.7, 99.1, 99.5], { heldOut: [90, 95, 93] });
  const report = reportOf(run);
  expect(cellOf(report, "twn", "2/32").group?.best?.mean).toBe(99.1);
  expect(report.runs[0]).toMatchObject({ chosenOn: "validation", best: { epoch: 2, top1: 99.1 } });
});

test("what the published table has no cell for is shown beside it", () => {
  const report = reportOf(
    madeRun(of("dorefa", "3/3"), [99]),
    madeRun({ ...of("dorefa", "1/2"), layers: { fc2: { weightBits: 8 } } }, [98]),
    madeRun({ ...of("dorefa", "1/2"), data: "digits" }, [97]),
    madeRun({}, [96], { name: "mine", config: { method: { name: "./mine.mjs", options: {} } } }),
  );
  expect(report.tables.map(({ dataset, rows }) => [dataset, rows.length])).toEqual([
    ["MNIST", 8],
    ["digits", 1],
  ]);
  expect(cellOf(report, "dorefa", "3/3")).toMatchObject({
    state: "trained",
    published: null,
    difference: null,
  });
  expect(cellOf(report, "dorefa", "1/2")).toMatchObject({ state: "untrained", published: { top1: 99.61 } });
  expect(cellOf(report, "dorefa (fc2 8/·)", "1/2")).toMatchObject({ state: "trained", published: null });
  expect(cellOf(report, "./mine.mjs", "null/null")).toMatchObject({ state: "trained", group: { runs: [3] } });
  expect(report.tables[0].rows.map(({ title }) => title).slice(2, 4)).toEqual([
    "DoReFa-Net",
    "DoReFa-Net (fc2 8/·)",
  ]);
  expect(report.tables[1]).toMatchObject({ protocol: null, columns: [{ weightBits: 1, activationBits: 2 }] });
});

test("a run found twice counts once, as far as it was trained", () => {
  const cell = { ...of("ttq"), epochs: 2 };
  const { runs, warnings } = reportOf(
    madeRun(cell, [98], { name: "early" }),
    madeRun(cell, [98, 99], { name: "late" }),
  );
  expect(runs.map(({ name }) => name)).toEqual(["late"]);
  expect(warnings).toEqual([
    "left out: runs/early has the configuration and the seed of runs/late, which counts once",
  ]);
});

test("data of one name and different content are told apart, and what is not all of MNIST is not compared", () => {
  const config = { data: { name: "images", checksum: "fedcba987654", augmentation: null } };
  const pets = madeRun({ data: "digits" }, [90], { config });
  const plants = madeRun({ data: "digits" }, [80], {
    config: { data: { ...config.data, checksum: "abcdef987654" } },
  });
  expect(reportOf(pets).tables.map(({ dataset }) => dataset)).toEqual(["images"]);
  expect(reportOf(pets, plants).tables.map(({ dataset }) => dataset)).toEqual([
    "images (fedcba)",
    "images (abcdef)",
  ]);
  const part = { data: { name: "mnist", checksum: "fedcba987654", augmentation: null } };
  const { tables } = reportOf(madeRun(of("twn"), [99]), madeRun(of("twn"), [98], { config: part }));
  expect(tables.map(({ dataset }) => dataset)).toEqual(["MNIST", "mnist"]);
  expect(tables[0].rows[4].cells.find(({ group }) => group !== null)).toMatchObject({
    group: { best: { mean: 99, count: 1 } },
    others: [],
  });
  expect(tables[1].counts.published).toBe(0);
});

test("the cost of LeNet-5 with DoReFa-Net 1/2 is that of its layers", () => {
  // conv1 25x20 weights on 24x24 places, conv2 500x50 on 8x8, then 800x500, 500x250, 250x10; the first and the last
  // layer have 32 bits, as have the 1,600 scales and shifts.
  const [{ cost }] = reportOf(madeRun(of("dorefa", "1/2"), [99])).runs;
  expect(cost).toEqual({
    parameters: 554_600,
    multiplyAccumulates: 288_000 + 1_600_000 + 400_000 + 125_000 + 2_500,
    bitOperations: (288_000 + 2_500) * 32 * 32 + (1_600_000 + 400_000 + 125_000) * 1 * 2,
    bytes: 4 * (500 + 2_500) + (25_000 + 400_000 + 125_000) / 8 + 4 * 1_600,
    bytes32: 4 * 554_600,
  });
});

test("a cost that the folder does not tell is not guessed", () => {
  const cell = of("dorefa", "1/2");
  const run = madeRun(cell, [99]);
  const { runs, points } = reportOf(
    madeRun({ ...cell, seed: 1 }, [99], { config: { options: undefined } }),
    madeRun({ ...cell, seed: 2 }, [99], {
      config: { options: { ...run.config.options, method: "./mine.mjs" } },
    }),
    madeRun({ ...cell, seed: 3 }, [99], { config: { options: { ...run.config.options, method: "qnn" } } }),
    madeRun({ ...cell, seed: 4 }, [99], { config: { options: { model: "lenet6" } } }),
  );
  expect(runs.map(({ cost, costMissing }) => [cost, costMissing])).toEqual([
    [null, "trained from code: its network is not known"],
    [null, "its method is in a file"],
    [null, "its options are those of another network"],
    [null, expect.stringMatching(/^model must be one of .*, got "lenet6"/)],
  ]);
  expect(points).toMatchObject([{ cost: null, onFront: { bytes: false, bitOperations: false } }]);
});

test("the front of a data set is over all its networks", () => {
  const on = { data: "cifar10" };
  const { points } = reportOf(
    madeRun({ ...on, model: "resnet20", ...of("dorefa", "1/2") }, [85]),
    madeRun({ ...on, model: "resnet50", ...of("dorefa", "1/2") }, [84]),
    madeRun({ ...on, model: "resnet50", ...of("dorefa", "2/2") }, [88]),
  );
  expect(
    points.map(({ model, top1, onFront }) => [model, top1, onFront.bytes, onFront.bitOperations]),
  ).toEqual([
    ["resnet20", 85, true, true],
    ["resnet50", 88, true, true],
    ["resnet50", 84, false, false],
  ]);
});

test("text from files has no control characters", () => {
  const run = madeRun(of("twn"), [99], { name: "a\u001b[31m\nb" });
  const report = buildReport({ runs: [run], warnings: ["left out: \u0007"] }, { title: "x\u202ey" });
  JSON.stringify(report, (_, value: unknown) => {
    if (typeof value === "string") expect(value).not.toMatch(/[\p{Cc}\u202e]/u);
    return value;
  });
  expect(report.runs[0].name).toBe("a\\u001b[31m\\u000ab");
});
