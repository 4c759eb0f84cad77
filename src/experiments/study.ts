/**
 * A study: many configurations said in few words, as grids and lists with exclusions. What a run is
 * called follows from its configuration alone, so a study that runs again goes on with what is missing.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { shown, suggestion, UserError } from "../errors.js";
import type { RunOptions } from "../training/config.js";
import { parseRunOptions, resolveNetwork, runKeys, runName } from "../training/config.js";

/** A run of a study: its whole configuration, and what it follows from. */
export interface PlannedRun {
  readonly options: RunOptions;
  /** 16 hexadecimal digits that say the configuration; runs of one identity have the same bits. */
  readonly identity: string;
  /** Of its folder: what tells it from the others in words, and the identity's beginning. */
  readonly name: string;
}

/** A configuration in part, and where it was said. */
export interface Wanted {
  readonly values: Readonly<Record<string, unknown>>;
  readonly source: string;
}

/** What a run may be done with differently and give the same result. */
const withoutEffect = ["out", "threads", "dataDir", "mirrors", "log"] as const;

/** The hash of everything that decides a run's result. */
export function identityOf(options: RunOptions): string {
  const deciding = Object.entries(options)
    .filter(([key, value]) => value !== undefined && !(withoutEffect as readonly string[]).includes(key))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256").update(JSON.stringify(deciding)).digest("hex").slice(0, 16);
}

/** Checks all configurations, and leaves out repetitions. @throws UserError with every problem at once. */
export function plannedRuns(wanted: readonly Wanted[]): PlannedRun[] {
  const problems = new Set<string>();
  const runs = new Map<string, PlannedRun>();
  for (const { values, source } of wanted) {
    try {
      const options = parseRunOptions({ ...values }, () => source);
      const { model, method } = resolveNetwork(options);
      const { optimizer, learningRate, seed } = options;
      const identity = identityOf(options);
      const name = `${runName(model, method)}-${optimizer}-${learningRate}-s${seed}-${identity.slice(0, 6)}`;
      runs.set(identity, { options, identity, name });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      problems.add(error.message.includes("(from ") ? error.message : `${error.message} (from ${source})`);
    }
  }
  refuse([...problems]);
  return [...runs.values()];
}

/** @throws UserError that lists problems, if there are any. */
function refuse(problems: readonly string[]): void {
  if (problems.length === 0) return;
  if (problems.length === 1) throw new UserError(problems[0]);
  throw new UserError(
    `${problems.length} mistakes; nothing has been started:`,
    undefined,
    undefined,
    problems,
  );
}

const settings = z.record(z.string(), z.unknown());
/** A study as a file holds it. */
export const studySchema = z.strictObject({
  /** Of the folder of its runs. */
  name: z
    .string()
    .regex(/^[\w.-]+$/)
    .optional(),
  /** What holds for all runs unless they say otherwise. */
  defaults: settings.default({}),
  /** Each gives the product of its lists; `bits` lists pairs "2/4" of weights and activations. */
  grids: z.array(settings).default([]),
  /** Runs one by one. */
  runs: z.array(settings).default([]),
  /** Runs that agree with all values of one of these are left out. */
  exclude: z.array(settings).default([]),
});
export type Study = z.output<typeof studySchema>;

/** Checks a study and gives its runs. @throws UserError that lists every problem. */
export function runsOf(value: unknown, source: string): { name: string | undefined; runs: PlannedRun[] } {
  const { data: study, error } = studySchema.safeParse(value);
  if (study === undefined) {
    refuse(error.issues.flatMap((issue) => shapeProblems(issue, source)));
    throw error;
  }
  const problems: string[] = [];
  const wanted: Wanted[] = [];
  study.grids.forEach((grid, i) => {
    const place = `${source}, grids[${i}]`;
    const empty = Object.keys(grid).filter((key) => Array.isArray(grid[key]) && grid[key].length === 0);
    for (const key of empty) problems.push(`${key} must list one value or more, got [] (from ${place})`);
    wanted.push(
      ...product(grid).map((values) => ({ values: { ...study.defaults, ...values }, source: place })),
    );
  });
  study.runs.forEach((values, i) => {
    wanted.push({ values: { ...study.defaults, ...values }, source: `${source}, runs[${i}]` });
  });
  const allowed = [...runKeys, "bits"].filter((key) => key !== "out");
  const places: [string, Readonly<Record<string, unknown>>][] = [
    ["defaults", study.defaults],
    ...study.grids.map((grid, i): [string, typeof grid] => [`grids[${i}]`, grid]),
    ...study.runs.map((run, i): [string, typeof run] => [`runs[${i}]`, run]),
    ...study.exclude.map((rule, i): [string, typeof rule] => [`exclude[${i}]`, rule]),
  ];
  for (const [place, values] of places) {
    for (const key of Object.keys(values).filter((name) => !allowed.includes(name))) {
      problems.push(
        `unknown key "${key}" (from ${source}, ${place}); allowed are ${allowed.join(", ")}${suggestion(key, allowed)}`,
      );
    }
  }
  if (wanted.length === 0 && problems.length === 0) {
    problems.push(
      `${source} has no runs; give grids or runs, as {"grids": [{"model": "lenet5", "bits": ["1/1", "2/2"]}]}`,
    );
  }
  refuse(problems);
  const spelled = wanted.map(({ values, source: place }) => ({
    values: withBits(values, place),
    source: place,
  }));
  const excluded = study.exclude.map((rule, i) => withBits(rule, `${source}, exclude[${i}]`));
  study.exclude.forEach((rule, i) => {
    if (spelled.some(({ values }) => agrees(values, excluded[i]))) return;
    problems.push(`exclude ${shown(rule)} leaves nothing out (from ${source}, exclude[${i}])`);
  });
  refuse(problems);
  const kept = spelled.filter(({ values }) => !excluded.some((rule) => agrees(values, rule)));
  if (kept.length === 0) refuse([`exclude leaves no run of ${source}`]);
  return { name: study.name, runs: plannedRuns(kept) };
}

function shapeProblems(issue: z.core.$ZodIssue, source: string): string[] {
  const place = issue.path.length === 0 ? source : `${source}, ${issue.path.join(".")}`;
  const keys = Object.keys(studySchema.shape);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map(
      (key) => `unknown key "${key}" (from ${place}); allowed are ${keys.join(", ")}${suggestion(key, keys)}`,
    );
  }
  return [`a study must be an object of ${keys.join(", ")}: ${issue.message.toLowerCase()} (from ${place})`];
}

/** Every choice of one value from each list. */
function product(grid: Readonly<Record<string, unknown>>): Record<string, unknown>[] {
  return Object.entries(grid).reduce<Record<string, unknown>[]>(
    (all, [key, value]) => {
      const isOneValue = key === "mirrors" || key === "log" || !Array.isArray(value);
      const values: readonly unknown[] = isOneValue ? [value] : value;
      return all.flatMap((made) => values.map((one) => ({ ...made, [key]: one })));
    },
    [{}],
  );
}

/** "2/4" as the bits of weights and of activations. */
function withBits(values: Readonly<Record<string, unknown>>, source: string): Record<string, unknown> {
  const { bits, ...rest } = values;
  if (bits === undefined) return rest;
  const match = /^(\d+)\/(\d+)$/.exec(String(bits));
  if (match === null) {
    throw new UserError(`bits must be WEIGHTS/ACTIVATIONS, as "2/4", got ${shown(bits)} (from ${source})`);
  }
  if (rest.weightBits !== undefined || rest.activationBits !== undefined) {
    throw new UserError(
      `bits "${String(bits)}" and weightBits or activationBits exclude each other (from ${source})`,
    );
  }
  return { ...rest, weightBits: Number(match[1]), activationBits: Number(match[2]) };
}

const agrees = (
  values: Readonly<Record<string, unknown>>,
  rule: Readonly<Record<string, unknown>>,
): boolean =>
  Object.entries(rule).every(([key, value]) =>
    (Array.isArray(value) ? value : [value]).includes(values[key]),
  );
