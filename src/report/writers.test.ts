/** What the writers make of reports: well formed, complete, and safe with hostile names. */
import { parse } from "parse5";
import { beforeAll, describe, expect, test } from "vitest";
import { published } from "../published/index.js";
import { buildReport, csv, json, markdown, page, tablesCss, tablesHtml } from "./index.js";
import { imagenetRun, madeRun, of } from "./report.test.fixture.js";

/** Every published cell of MNIST and of ResNet-20, most of them with two seeds. */
function allCells() {
  const rows = published.filter(({ model }) => model === "lenet5" || model === "resnet20");
  const runs = rows.flatMap(({ dataset, model, method, weightBits, activationBits, top1 }, i) =>
    (i % 3 === 0 ? [1] : [1, 2]).map((seed) => {
      const last = top1! + ((i * 7 + seed * 3) % 11) / 10 - 0.7;
      const data = dataset === "MNIST" ? "mnist" : "cifar10";
      return madeRun({ model, data, method, weightBits, activationBits, seed }, [last - 9, last - 2, last], {
        name: `${model}-${method}-${weightBits}-${activationBits}-${seed}`,
      });
    }),
  );
  const unfinished = madeRun({ ...of("dorefa", "3/3"), epochs: 20 }, [97]);
  return buildReport(
    { runs: [...runs, unfinished], warnings: ["left out: a folder"] },
    { title: "All cells" },
  );
}

const fullReport = allCells();

const hostile = `<script>alert("1")</script>|*_\`[x](javascript:1)&amp;`;
function hostileReport() {
  const config = {
    model: { name: hostile, input: [28, 28, 1] as const, classes: 10 },
    method: { name: hostile, options: { [hostile]: hostile } },
    optimizer: { name: hostile, options: {} },
    data: { name: hostile, checksum: hostile, augmentation: null },
  };
  const run = madeRun({}, [90, 95], { name: hostile, config });
  return buildReport({ runs: [run], warnings: [hostile] }, { title: hostile });
}

interface Node {
  readonly nodeName: string;
  readonly attrs?: readonly { readonly name: string; readonly value: string }[];
  readonly childNodes?: readonly Node[];
  readonly value?: string;
}
const all = (node: Node): Node[] => [node, ...(node.childNodes ?? []).flatMap(all)];
const textOf = (node: Node): string =>
  all(node)
    .map(({ value }) => value ?? "")
    .join("");

/** The nodes of a page, which must be without any mistake. */
function nodesOf(text: string): Node[] {
  const mistakes: string[] = [];
  const document = parse(text, {
    onParseError: ({ code, startLine }) => mistakes.push(`${code} in line ${startLine}`),
  });
  expect(mistakes).toEqual([]);
  return all(document as unknown as Node);
}

describe("the page", () => {
  let text = "";
  let nodes: Node[] = [];
  beforeAll(async () => {
    text = await page(fullReport);
    nodes = nodesOf(text);
  });
  const named = (name: string) => nodes.filter(({ nodeName }) => nodeName === name);

  test("has a caption for each table and a scope for each head", () => {
    const tables = named("table");
    expect(tables).toHaveLength(4);
    for (const table of tables)
      expect(all(table).filter(({ nodeName }) => nodeName === "caption")).toHaveLength(1);
    for (const head of named("th")) expect(head.attrs?.map(({ name }) => name)).toContain("scope");
  });

  test("has titles and descriptions for each plot", () => {
    const plots = named("svg").filter(({ attrs }) => attrs?.some(({ value }) => value === "img"));
    // Two tables: bits each, size and operations each, and two curves a method.
    expect(plots).toHaveLength(2 + 4 + 2 * 12);
    for (const plot of plots) {
      expect(plot.childNodes?.slice(0, 2).map(({ nodeName }) => nodeName)).toEqual(["title", "desc"]);
      expect(textOf(plot.childNodes![0])).toMatch(/^(Accuracy against|\S+.*: (test top-1|training loss))/);
      expect(
        all(plot).filter(({ nodeName }) => nodeName === "path" || nodeName === "g").length,
      ).toBeGreaterThan(3);
    }
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
  });

  test("loads nothing and runs nothing", () => {
    const loading = ["script", "link", "iframe", "img", "object", "embed", "base", "image", "use"];
    expect(nodes.filter(({ nodeName }) => loading.includes(nodeName))).toEqual([]);
    const urls = nodes.flatMap(({ attrs = [] }) =>
      attrs.filter(({ name }) => ["src", "href", "srcset"].includes(name)),
    );
    expect(urls.length).toBeGreaterThan(0);
    for (const { value } of urls) expect(value).toMatch(/^#data-\d$/);
    for (const style of named("style")) expect(textOf(style)).not.toMatch(/@import|url\(|&/);
    expect(text).not.toMatch(/\son\w+=/);
  });

  test("says in numbers what the colours say", () => {
    const cells = named("td").filter(({ attrs }) =>
      attrs?.some(({ value }) => /^fb-(ahead|behind|within)/.test(value)),
    );
    expect(cells).toHaveLength(48);
    for (const cell of cells) {
      const [, difference] = /([+−]?\d+\.\d\d)last/.exec(textOf(cell)) ?? [];
      const points = Number(difference.replace("−", "-"));
      const size = Math.abs(points);
      const degree = size <= 0.3 ? "" : size <= 1 ? "1" : size <= 3 ? "2" : "3";
      const expected = size <= 0.3 ? "fb-within" : `fb-${points > 0 ? "ahead" : "behind"}${degree}`;
      expect(cell.attrs).toEqual([{ name: "class", value: expected }]);
    }
  });

  test("holds hundreds of runs in bounds", async () => {
    const many = Array.from({ length: 150 }, (_, i) =>
      madeRun({ ...of("dorefa", "1/2"), seed: i, learningRate: 0.1 + (i % 50) / 1000 }, [
        90,
        95 + (i % 40) / 10,
      ]),
    );
    const large = await page(buildReport({ runs: many, warnings: [] }));
    nodesOf(large);
    expect(large.length).toBeLessThan(300_000);
    expect(large).toContain("49 other settings of cells above");
  });
});

test("hostile names are text in the page", async () => {
  const text = await page(hostileReport());
  const nodes = nodesOf(text);
  expect(nodes.filter(({ nodeName }) => nodeName === "script")).toEqual([]);
  expect(nodes.filter(({ nodeName }) => nodeName === "a")).toEqual([]);
  const titles = nodes.filter(({ nodeName }) => nodeName === "title").map(textOf);
  expect(titles[0]).toBe(hostile);
  expect(titles.slice(1).join()).toContain(hostile);
});

test("the tables stand alone, under classes of their own", () => {
  const text = tablesHtml(fullReport);
  const nodes = nodesOf(
    `<!doctype html><html lang="en"><head><title>x</title></head><body>${text}</body></html>`,
  );
  const classes = nodes.flatMap(({ attrs = [] }) =>
    attrs.filter(({ name }) => name === "class").flatMap(({ value }) => value.split(" ")),
  );
  expect(new Set(classes).size).toBeGreaterThan(10);
  expect(classes.filter((name) => !name.startsWith("fb-"))).toEqual([]);
  for (const [, selector] of tablesCss.matchAll(/^ *([^@{}\n]+) \{/gm))
    expect(selector).toMatch(/^\.fb-report/);
});

/** Cells of a Markdown line: pipes that are not escaped divide them. */
const cellsOf = (line: string) =>
  line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim());

test("Markdown has tables of equal rows, with ours, published and difference", () => {
  const text = markdown(fullReport);
  const blocks = text.split("\n\n").filter((block) => block.startsWith("|"));
  expect(blocks).toHaveLength(1 + 2 * 2 + 1 + 1);
  for (const block of blocks) {
    const lines = block.split("\n");
    expect(new Set(lines.map((line) => cellsOf(line).length)).size).toBe(1);
    expect(new Set(lines.map((line) => line.length)).size).toBe(1);
  }
  const grid = blocks[1].split("\n").map(cellsOf);
  expect(grid[0]).toEqual(["method", ..."32/32 8/8 4/4 2/32 1/32 2/2 2/1 1/2 1/1 3/3".split(" ")]);
  expect(grid[2]).toEqual(["Baseline", "99.19 / 99.59 / −0.40", ...Array<string>(9).fill("–")]);
  expect(grid[4][10]).toBe("unfinished: 1 of 20 epochs");
  expect(text).toContain("- left out: a folder\n");
});

test("hostile names are text in Markdown", () => {
  const text = markdown(hostileReport());
  expect(text).not.toMatch(/<script|(?<!\\)\[x|(?<!\\)`|(?<!\\)\*/);
  for (const line of text.split("\n").filter((one) => one.startsWith("|"))) {
    expect(cellsOf(line).length).toBeGreaterThan(1);
    expect(line).not.toContain("<");
  }
});

test("CSV has one line per run, quoted, with no formula", async () => {
  const runs = [
    madeRun({ ...of("dorefa", "1/2"), seed: 7 }, [98.5, 99.4, 99.3], { name: "a" }),
    madeRun({ ...of("twn"), epochs: 9 }, [98], { name: "b" }),
  ];
  const text = await csv(buildReport({ runs, warnings: [] }));
  const [head, first, second, end] = text.split("\r\n");
  expect(end).toBe("");
  expect(head).toBe(
    "dataset,network,method,weightBits,activationBits,seed,epochs,epochsPlanned,bestTop1,bestTop5,bestEpoch,bestChosenOn,lastTop1,lastTop5,publishedTop1,difference,optimizer,learningRate,weightDecay,batchSize,preset,gradients,scoring,parameters,bytes,multiplyAccumulates,bitOperations,seconds,settings,directory,publishedTop5",
  );
  expect(first).toBe(
    'MNIST,lenet5,dorefa,1,2,7,3,3,99.4,100,2,test,99.3,100,99.61,-0.21,sgd,0.1,0,128,redbit,f32,2,554600,87150,2415500,301722000,6,"SGD 0.1, constant rate, 3 epochs, batch 128, preset redbit",runs/a,',
  );
  expect(second).toMatch(/^MNIST,lenet5,twn,2,32,1,1,9,98,100,1,test,98,100,99.63,,sgd,/);
  for (const start of ["=", "+", "-", "@"]) {
    const config = { data: { name: `${start}1+1,"x"`, checksum: "", augmentation: null } };
    const line = (await csv(buildReport({ runs: [madeRun({}, [90], { config })], warnings: [] }))).split(
      "\r\n",
    )[1];
    expect(line.startsWith(`"'${start}1+1,""x""",lenet5`)).toBe(true);
  }
});

test("JSON is the report", () => {
  const report = fullReport;
  const read: unknown = JSON.parse(json(report));
  expect(read).toEqual(report);
  expect(read).toMatchObject({ formatVersion: 1, title: "All cells" });
});

describe("ImageNet's top-5", () => {
  const made = [
    imagenetRun([61.5], { top5: [84.25] }),
    imagenetRun([70.2], { top5: [95.5], classes: 10, images: { train: 1800, test: 500 } }),
  ];
  const report = buildReport({ runs: made, warnings: [] });
  const theirs = published.find(
    ({ model, method, weightBits, activationBits }) =>
      model === "resnet18" && method === "dorefa" && weightBits === 2 && activationBits === 2,
  )!;
  const [top1, top5] = [theirs.top1!, theirs.top5!];
  const points = (value: number) => `${value < 0 ? "\u2212" : "+"}${Math.abs(value).toFixed(2)}`;

  test("stands beside the published one, with the difference", () => {
    expect(tablesHtml(report)).toContain(`>top-5 84.25 / ${top5.toFixed(2)} ${points(84.25 - top5)}<`);
    expect(markdown(report)).toMatch(
      new RegExp(
        `\\| 61.50 \\(top-5 84.25\\) \\| +61.50 \\| ${top1.toFixed(2)} \\(top-5 ${top5.toFixed(2)}\\) \\| .${Math.abs(61.5 - top1).toFixed(2)} \\(top-5 .${Math.abs(84.25 - top5).toFixed(2)}\\) \\|`,
      ),
    );
  });

  test("of a part stands alone, and the table says that it is a part", () => {
    const about =
      "Test top-1 and top-5 in percent by bits of weights/activations; a part of ImageNet, not compared with the published table.";
    const html = tablesHtml(report);
    expect(html).toContain("<strong>ResNet-18 on 10 classes of ImageNet.</strong>");
    expect(html).toContain(about);
    expect(html).toContain(">top-5 95.50<");
    expect(markdown(report)).toContain(`## ResNet-18 on 10 classes of ImageNet\n\n${about}`);
  });

  test("is in the CSV", async () => {
    const lines = (await csv(report)).split("\r\n");
    expect(lines[0]).toMatch(/,publishedTop5$/);
    expect(lines[1].endsWith(`,${top5}`)).toBe(true);
    expect(lines[2].endsWith(",")).toBe(true);
  });
});
