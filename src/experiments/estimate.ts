/** Estimates what the runs of a study take of this machine: time, memory and disk, before any of them begins. */
import { z } from "zod";
import type { Dataset } from "../data/index.js";
import { dataSetOf } from "../data/index.js";
import { availableMemory } from "../machine.js";
import { fitted, hasCodes } from "../nn/index.js";
import { chooseExecutor } from "../runtime/choose.js";
import type { Executor } from "../runtime/executor.js";
import { measurePeak } from "../runtime/native.js";
import { checksumsOf } from "../training/code.js";
import type { RunOptions } from "../training/config.js";
import { resolveNetwork, settingsOf } from "../training/config.js";
import { measuredSeconds } from "../training/measure.js";
import type { PlanOptions, Rates } from "../training/plan.js";
import { estimatedSeconds, plannerOf, smallestAccumulate } from "../training/plan.js";
import { evaluationShare } from "../training/progress.js";
import { grouped } from "./grouped.js";
import { DataSets } from "./run.js";
import type { Standing } from "./standing.js";
import { isOpen } from "./standing.js";
import { StepCache } from "./step-cache.js";
import type { PlannedRun } from "./study.js";

/** What a run takes. */
export interface Estimate {
  /** Seconds of an epoch with its scoring; undefined if the number of images is not known. */
  readonly epochSeconds: number | undefined;
  /** Memory of its training, without what the process itself and its data take. */
  readonly memoryBytes: number;
  /** Its checkpoint and its best weights. */
  readonly diskBytes: number;
  /** The smallest `accumulate` that fits in the memory available, if the run does not fit as it is; "none" if none does. */
  readonly accumulate?: number | "none";
}

/** What all open runs take, and how it is known. */
export interface Estimates {
  readonly of: ReadonlyMap<PlannedRun, Estimate>;
  /** The networks whose steps were measured, here or within the last day, and with how many images. */
  readonly measured: readonly { readonly network: string; readonly images: number }[];
  /** Whether the time of some run follows from counted operations and the speed of this machine alone. */
  readonly isCounted: boolean;
}

/** About so many seconds are spent on a step that is measured, and on all of them. */
const secondsOfStep = 0.5;
const secondsOfAll = 60;

/** What a step takes beyond the time that its operations or bytes need at the machine's peak, where nothing was measured. */
const usualFactor = 1.5;

/** Rates of executors whose peak is not measured: what is measured of steps is in proportion to them. */
const someRates: Rates = { operationsPerSecond: 1e9, bytesPerSecond: 1e9 };

/** A run as it is estimated. */
interface Planned {
  readonly standing: Standing;
  readonly options: PlanOptions;
  /** Images to train on and to score, where they are known. */
  readonly images: Images | undefined;
  /** Runs of one kind take the same. */
  readonly kind: string;
  /** Runs of one family have steps whose times are in proportion to what is counted of them. */
  readonly family: string;
}

interface Images {
  readonly trained: number;
  readonly scored: number;
}

const ratesSchema = z.object({ operationsPerSecond: z.number(), bytesPerSecond: z.number() });
const counted = z.object({
  seconds: z.number(),
  bytes: z.number(),
  checkpointBytes: z.number(),
  weightBytes: z.number(),
});
const measurement = z.object({ images: z.number(), factor: z.number() });

/** Estimates the open runs of a study. Runs of one kind are looked at once, and the steps of few are measured. */
export async function estimateRuns(standings: readonly Standing[], threads: number): Promise<Estimates> {
  const available = availableMemory();
  const data = new DataSets();
  const planned: Planned[] = [];
  for (const standing of standings.filter(isOpen)) planned.push(await plannedOf(standing, threads, data));
  if (planned.length === 0) return { of: new Map(), measured: [], isCounted: false };
  const { executor } = planned[0].options;
  const cache = new StepCache(executor);
  const rates = await cache.of(["peak"], ratesSchema, () => ratesOf(executor));
  const factors = await factorsOf(planned, { rates, available, threads, cache });
  const ended = endedEpochs(standings);
  const of = new Map<PlannedRun, Estimate>();
  for (const one of planned) {
    const plan = await cache.of(["plan", one.kind], counted, () => countedOf(one, rates));
    const factor = factors.get(one.family)?.factor ?? usualOf(factors);
    of.set(one.standing.run, estimateOf(one, plan, { factor, available, ended }));
  }
  cache.save();
  const measured = [...factors].map(([family, { images }]) => ({
    network: planned.find((one) => one.family === family)!.options.model.name,
    images,
  }));
  return { of, measured, isCounted: planned.some(({ family }) => !factors.has(family)) };
}

/** What a run takes, by what is counted of its step and how many times longer such a step was found to take. */
function estimateOf(
  { standing: { run }, options, images }: Planned,
  { seconds, bytes, checkpointBytes, weightBytes }: z.output<typeof counted>,
  { factor, available, ended }: { factor: number; available: number; ended: ReadonlyMap<string, number> },
): Estimate {
  const { batchSize } = run.options;
  const ofImage = (seconds * factor) / batchSize;
  return {
    epochSeconds:
      ended.get(likeness(run.options)) ??
      (images && ofImage * (images.trained + evaluationShare * images.scored)),
    memoryBytes: bytes,
    diskBytes: checkpointBytes + weightBytes,
    accumulate:
      bytes <= available
        ? undefined
        : (smallestAccumulate(plannerOf(options), batchSize, available)?.accumulate ?? "none"),
  };
}

async function plannedOf(standing: Standing, threads: number, data: DataSets): Promise<Planned> {
  const { options } = standing.run;
  const { model: named, method } = resolveNetwork(options);
  const loaded = isListedSoon(options) ? await data.load(standing) : undefined;
  const classes = loaded?.classes ?? classesOf(options) ?? named.classes;
  const model = fitted(named, { input: loaded?.shape ?? named.input, classes });
  const { executor } = chooseExecutor({ executor: options.executor, threads });
  const { optimizer, loss, gradients, clipNorm } = settingsOf(options);
  const known = { model, method, optimizer, loss, gradients, clipNorm, executor };
  const { name, input, preset } = model;
  return {
    standing,
    options: known,
    images: imagesOf(options, loaded),
    kind: JSON.stringify([likeness(options), classes, executor.name, checksumsOf(options)]),
    family: JSON.stringify([name, input, preset, hasCodes(model, method), gradients, executor.name]),
  };
}

/** Whether a data set is there without downloading or decoding anything. */
const isListedSoon = ({ data, dataDir }: RunOptions): boolean => {
  const { files, counts } = dataSetOf(data);
  return files === "shipped" || (files === "folder" && counts !== undefined && dataDir !== undefined);
};

const classesOf = ({ classes }: RunOptions): number | undefined =>
  Array.isArray(classes) ? classes.length : classes;

function imagesOf(options: RunOptions, loaded: Dataset | undefined): Images | undefined {
  const counts =
    loaded === undefined ? dataSetOf(options.data).counts : [loaded.train.count, loaded.test.count];
  if (counts === undefined) return undefined;
  // The classes of ImageNet have about as many images each.
  const asked = classesOf(options);
  const share = loaded !== undefined || asked === undefined ? 1 : asked / 1000;
  const [train, test] = counts.map((count) => Math.round(share * count));
  const { validation } = options;
  return { trained: train - validation, scored: test + validation };
}

/** Settings that do not decide how long an epoch takes. */
const free: readonly string[] = [
  ...[
    "seed",
    "epochs",
    "learningRate",
    "momentum",
    "weightDecay",
    "betas",
    "epsilon",
    "decayEvery",
    "decayFactor",
  ],
  ...["schedule", "warmup", "finalRate", "scheduleBy", "decayAt"],
  ...["checkpointEvery", "threads", "log", "out"],
];

/** Equal for runs whose epochs take as long. */
const likeness = (options: RunOptions): string =>
  JSON.stringify(Object.entries(options).filter(([key]) => !free.includes(key)));

/** The median seconds of the epochs that have ended, by the likeness of runs. */
const endedEpochs = (standings: readonly Standing[]): ReadonlyMap<string, number> =>
  new Map(
    grouped(
      standings.filter(({ metrics }) => metrics.length > 0),
      ({ run }) => likeness(run.options),
    ).map((alike) => {
      const seconds = alike.flatMap(({ metrics }) => metrics.map((epoch) => epoch.seconds));
      return [likeness(alike[0].run.options), medianOf(seconds)];
    }),
  );

const medianOf = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];

const usualOf = (factors: ReadonlyMap<string, { readonly factor: number }>): number =>
  factors.size === 0 ? usualFactor : medianOf([...factors.values()].map(({ factor }) => factor));

function ratesOf({ name, threads }: Executor): Rates {
  if (name !== "native") return someRates;
  const { operations, bytes } = measurePeak(threads);
  return { operationsPerSecond: operations, bytesPerSecond: bytes };
}

function countedOf({ standing, options }: Planned, rates: Rates): z.output<typeof counted> {
  const { batchSize, accumulate } = standing.run.options;
  const plan = plannerOf(options)(batchSize / accumulate, accumulate);
  const { bytes, checkpointBytes, weightBytes } = plan;
  return { seconds: estimatedSeconds(plan, rates), bytes, checkpointBytes, weightBytes };
}

interface Manner {
  readonly rates: Rates;
  readonly available: number;
  readonly threads: number;
  readonly cache: StepCache;
}

/** How many times longer the steps of each family take than their operations or bytes need at the machine's peak. */
async function factorsOf(
  planned: readonly Planned[],
  manner: Manner,
): Promise<ReadonlyMap<string, z.output<typeof measurement>>> {
  const began = performance.now();
  const factors = new Map<string, z.output<typeof measurement>>();
  for (const [first] of grouped(planned, ({ family }) => family)) {
    const found = await manner.cache.of(["factor", first.family], measurement.optional(), () =>
      performance.now() - began > 1000 * secondsOfAll ? undefined : measure(first, manner),
    );
    if (found !== undefined) factors.set(first.family, found);
  }
  return factors;
}

/** Measures a step of a run, on fewer images where a whole one takes long; undefined where that does not fit in memory. */
async function measure(
  { standing, options }: Planned,
  { rates, available, threads }: Manner,
): Promise<z.output<typeof measurement> | undefined> {
  const planner = plannerOf(options);
  const { batchSize } = standing.run.options;
  const whole = estimatedSeconds(planner(batchSize, 1), rates);
  const images = Math.max(1, Math.min(batchSize, Math.floor((batchSize * secondsOfStep) / whole)));
  const plan = planner(images, 1);
  if (plan.bytes > available) return undefined;
  // Its memory is given back with the executor.
  const { executor } = chooseExecutor({ executor: options.executor.name, threads });
  const seconds = await measuredSeconds({ ...options, executor }, images);
  return { images, factor: seconds / estimatedSeconds(plan, rates) };
}
