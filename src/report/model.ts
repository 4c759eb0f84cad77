/** Makes a report from runs: the cell of each, how it compares, what is missing. */
import { printable, shown } from "../errors.js";
import type { Collection, FoundRun } from "../experiments/index.js";
import { grouped, protocols } from "../experiments/index.js";
import type { PublishedRow } from "../published/index.js";
import { hasTop5, published } from "../published/index.js";
import { methods } from "../quantization/index.js";
import { bestEpoch, numberOf } from "../run-folder/index.js";
import type { EpochMetrics } from "../training/index.js";
import { costing } from "./cost.js";
import type { Placed } from "./groups.js";
import { groupsOf } from "./groups.js";
import type {
  BitPair,
  Cell,
  CellState,
  CostName,
  EpochScores,
  Point,
  Report,
  ReportedRun,
  Row,
  Table,
} from "./report.js";
import { settingsKey, settingsText } from "./settings.js";
import { countsOf, differenceOf, paretoFront } from "./statistics.js";

export interface ReportOptions {
  readonly title?: string;
  /** The costs of runs; reusing it for the next report saves work. */
  readonly costOf?: ReturnType<typeof costing>;
}

/** Makes a report of runs; it depends on nothing else. */
export function buildReport(
  collection: Collection,
  { title = "Report", costOf = costing() }: ReportOptions = {},
): Report {
  const { found, copies } = withoutCopies(collection.runs);
  const checksums = checksumsOf(found);
  const datasets = datasetNames(checksums);
  const which = whichData(checksums);
  const runs = found.map((run) => reportedRun(run, datasets(run), which(run), costOf));
  const placed = found.map((run, index) => ({ run, index, settings: runs[index].settings }));
  const tables = grouped(placed, ({ index }) => JSON.stringify([runs[index].dataset, runs[index].model]))
    .map((members) => tableOf(members, runs))
    .sort((a, b) => placeOf(a) - placeOf(b));
  const rows = tables.flatMap((table) => table.rows);
  return {
    formatVersion: 1,
    title: printable(title),
    tables,
    methods: grouped(rows, ({ method }) => method)
      .map(([{ method, title: name }]) => ({
        method,
        title: name,
        ...countsOf(rows.filter((row) => row.method === method).flatMap(({ cells }) => cells)),
      }))
      .filter(({ published: cells }) => cells > 0),
    points: withFronts(tables.flatMap((table) => pointsOf(table, runs))),
    runs,
    warnings: [...collection.warnings, ...copies].map(printable),
  };
}

/** The number of runs, and the time, after which computing settings and costs pauses. */
const slice = { runs: 50, milliseconds: 20 };

/** `buildReport` with the costly part in slices, between which other work of the process is done. */
export async function buildReportInSlices(
  collection: Collection,
  options: ReportOptions & Required<Pick<ReportOptions, "costOf">>,
): Promise<Report> {
  let [count, begun] = [0, performance.now()];
  for (const { config } of collection.runs) {
    if (count++ % slice.runs === 0 || performance.now() - begun > slice.milliseconds) {
      await new Promise((resolve) => setImmediate(resolve));
      begun = performance.now();
    }
    settingsKey(config);
    options.costOf(config);
  }
  return buildReport(collection, options);
}

/** A run that is in two folders counts once, with the one that was trained longer. */
function withoutCopies(runs: readonly FoundRun[]): { found: FoundRun[]; copies: string[] } {
  const kept = new Map<string, FoundRun>();
  const copies: string[] = [];
  for (const run of runs) {
    const key = JSON.stringify([run.dataset, settingsKey(run.config), run.config.seed]);
    const other = kept.get(key);
    const longer = other === undefined || run.metrics.length > other.metrics.length;
    if (longer) kept.set(key, run);
    if (other !== undefined) {
      const [shorter, instead] = longer ? [other, run] : [run, other];
      copies.push(
        `left out: ${shorter.directory} has the configuration and the seed of ${instead.directory}, which counts once`,
      );
    }
  }
  const left = new Set(kept.values());
  return { found: runs.filter((run) => left.has(run)), copies };
}

type Checksums = ReadonlyMap<string, ReadonlySet<string>>;

/** The checksums of the data that go by each name. */
function checksumsOf(runs: readonly FoundRun[]): Checksums {
  const checksums = new Map<string, Set<string>>();
  for (const { dataset, config } of runs) {
    checksums.set(dataset, (checksums.get(dataset) ?? new Set()).add(config.data.checksum));
  }
  return checksums;
}

/** The names of data sets. Those that are not in the published table and differ under one name have their checksums added. */
function datasetNames(checksums: Checksums): (run: FoundRun) => string {
  return ({ dataset, config }) => {
    const several = !Object.hasOwn(protocols, dataset) && checksums.get(dataset)!.size > 1;
    return printable(several ? `${dataset} (${config.data.checksum.slice(0, 6)})` : dataset);
  };
}

/** The beginning of the data's checksum, if runs of one published data set differ in it. */
function whichData(checksums: Checksums): (run: FoundRun) => string | undefined {
  return ({ dataset, config }) =>
    Object.hasOwn(protocols, dataset) && checksums.get(dataset)!.size > 1
      ? config.data.checksum.slice(0, 6)
      : undefined;
}

function reportedRun(
  run: FoundRun,
  dataset: string,
  which: string | undefined,
  costOf: ReturnType<typeof costing>,
): ReportedRun {
  const { config, metrics } = run;
  const { cost, missing } = costOf(config);
  const preset = config.method.options.preset ?? config.model.preset;
  const best = bestEpoch(metrics);
  return {
    name: printable(run.name),
    directory: printable(run.directory),
    dataset,
    model: printable(run.model),
    method: printable(run.method + ownBits(run)),
    methodTitle: printable(methodTitle(run.method) + ownBits(run)),
    weightBits: run.weightBits ?? null,
    activationBits: run.activationBits ?? null,
    settings: printable(settingsText(config, which)),
    preset: typeof preset === "string" ? printable(preset) : null,
    optimizer: printable(config.optimizer.name),
    learningRate: numberOf(config.optimizer.options, "learningRate"),
    weightDecay: numberOf(config.optimizer.options, "weightDecay"),
    batchSize: config.batchSize,
    gradients: config.gradients ?? "f32",
    scoring: config.revision?.scoring ?? 1,
    seed: config.seed,
    epochs: metrics.length,
    epochsPlanned: config.epochs,
    chosenOn: best?.split ?? null,
    best: scoresOf(best),
    last: scoresOf(metrics.at(-1)),
    published: run.published?.top1 ?? null,
    publishedTop5: run.published?.top5 ?? null,
    seconds: metrics.reduce((sum, { seconds }) => sum + seconds, 0),
    cost,
    costMissing: missing === null ? null : printable(missing),
    curve: metrics.map(({ epoch, test, trainLoss }) => ({ epoch, top1: test.top1, trainLoss })),
  };
}

function scoresOf(metrics: EpochMetrics | undefined): EpochScores | null {
  return metrics === undefined ? null : { epoch: metrics.epoch, ...metrics.test };
}

/** " (fc2 8/·)": the bits that some layers have of their own. */
function ownBits({ config }: FoundRun): string {
  const { layers } = config.method.options;
  if (typeof layers !== "object" || layers === null) return "";
  const texts = Object.entries(layers as Record<string, Record<string, unknown> | null>).map(
    ([layer, own]) => `${layer} ${shown(own?.weightBits ?? "·")}/${shown(own?.activationBits ?? "·")}`,
  );
  return ` (${texts.join(", ").replaceAll('"', "")})`;
}

const methodTitle = (name: string): string => (Object.hasOwn(methods, name) ? methods[name].title : name);

/** "LeNet-5", "ResNet-20", "VGG-16". */
function modelTitle(name: string): string {
  const match = /^(lenet|resnet|vgg)(\d+)$/.exec(name);
  if (match === null) return name === "alexnet" ? "AlexNet" : name;
  return `${{ lenet: "LeNet", resnet: "ResNet", vgg: "VGG" }[match[1]]}-${match[2]}`;
}

function tableOf(placed: readonly Placed[], runs: readonly ReportedRun[]): Table {
  const { dataset, model } = runs[placed[0].index];
  const ofTable = published.filter((row) => row.dataset === dataset && row.model === model);
  const columns = columnsOf(
    ofTable,
    placed.map(({ index }) => runs[index]),
  );
  const names = [
    ...ofTable.map(({ method }) => ({ method, title: methodTitle(method), place: methodPlace(method) })),
    ...placed.map(({ run, index }) => {
      const { method, methodTitle: title } = runs[index];
      return { method, title, place: methodPlace(run.method) };
    }),
  ].sort((a, b) => a.place - b.place);
  const rows = grouped(names, ({ method }) => method).map(([{ method, title }]): Row => {
    const members = placed.filter(({ index }) => runs[index].method === method);
    const cells = columns.map((pair) =>
      makeCell(
        pair,
        ofTable.find((row) => row.method === method && samePair(row, pair)),
        members.filter(({ index }) => samePair(runs[index], pair)),
      ),
    );
    return { method, title, cells };
  });
  const { epochs, decayEvery } = ofTable.length > 0 ? protocols[ofTable[0].dataset] : {};
  const { partOf } = placed[0].run;
  return {
    dataset,
    model,
    modelTitle: printable(modelTitle(model)),
    partOf: partOf ?? null,
    hasTop5: hasTop5(partOf ?? dataset),
    protocol: epochs === undefined || decayEvery === undefined ? null : { epochs, decayEvery },
    columns,
    rows,
    counts: countsOf(rows.flatMap(({ cells }) => cells)),
  };
}

/** The place among the methods that fewbit knows; others come after them. */
function methodPlace(name: string): number {
  const place = Object.keys(methods).indexOf(name);
  return place === -1 ? Object.keys(methods).length : place;
}

const samePair = (a: BitPair, b: BitPair): boolean =>
  a.weightBits === b.weightBits && a.activationBits === b.activationBits;

const publishedPairs = distinctPairs(published);

/** The published pairs in the published order, then those of runs from many bits to few. */
function columnsOf(ofTable: readonly PublishedRow[], runs: readonly BitPair[]): BitPair[] {
  const place = (pair: BitPair) => {
    const at = publishedPairs.findIndex((other) => samePair(other, pair));
    return at === -1 ? publishedPairs.length : at;
  };
  const size = ({ weightBits, activationBits }: BitPair) => (weightBits ?? 0) * 64 + (activationBits ?? 0);
  return distinctPairs([...ofTable, ...runs]).sort((a, b) => place(a) - place(b) || size(b) - size(a));
}

function distinctPairs(pairs: readonly BitPair[]): BitPair[] {
  return grouped(pairs, ({ weightBits, activationBits }) => `${weightBits}/${activationBits}`).map(
    ([{ weightBits, activationBits }]) => ({ weightBits, activationBits }),
  );
}

function makeCell(pair: BitPair, row: PublishedRow | undefined, members: readonly Placed[]): Cell {
  const [group = null, ...others] = groupsOf(members);
  const state: CellState =
    group === null
      ? row === undefined
        ? "none"
        : "untrained"
      : group.best === null
        ? "unfinished"
        : "trained";
  const top1 = row?.top1 ?? null;
  const difference = group?.best == null || top1 === null ? null : differenceOf(group.best.mean, top1);
  const { optimizer = null, learningRate = null, top5 = null } = row ?? {};
  return {
    ...pair,
    state,
    published: row === undefined ? null : { top1, top5, optimizer, learningRate },
    group,
    difference,
    differenceTop5: group?.bestTop5 == null || top5 === null ? null : differenceOf(group.bestTop5, top5),
    others,
  };
}

/** Tables of the published study in its order, the others after them. */
function placeOf({ dataset, model }: Table): number {
  const at = published.findIndex((row) => row.dataset === dataset && row.model === model);
  return at === -1 ? published.length : at;
}

function pointsOf(table: Table, runs: readonly ReportedRun[]): Omit<Point, "onFront">[] {
  return table.rows.flatMap(({ title, cells }) =>
    cells.flatMap(({ weightBits, activationBits, group, published: row }) => {
      if (group?.best == null) return [];
      const { dataset, model, modelTitle } = table;
      const { mean: top1 } = group.best;
      const { cost } = runs[group.runs[0]];
      const names = { dataset, model, modelTitle, methodTitle: title };
      return [{ ...names, weightBits, activationBits, top1, published: row?.top1 ?? null, cost }];
    }),
  );
}

function withFronts(points: readonly Omit<Point, "onFront">[]): Point[] {
  const front = (name: CostName): Set<object> => {
    const costly = points.filter(({ cost }) => cost !== null);
    return new Set(
      grouped(costly, ({ dataset }) => dataset).flatMap((ofDataset) => {
        const on = paretoFront(ofDataset.map(({ cost, top1 }) => ({ cost: cost![name], gain: top1 })));
        return ofDataset.filter((_, i) => on[i]);
      }),
    );
  };
  const [bytes, bitOperations] = [front("bytes"), front("bitOperations")];
  return points.map((point) => ({
    ...point,
    onFront: { bytes: bytes.has(point), bitOperations: bitOperations.has(point) },
  }));
}
