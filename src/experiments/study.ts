/**
 * A study: many configurations written briefly, as grids and lists with exclusions. The name of a run depends only on
 * its configuration, so a study that is run again goes on with the missing runs.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { shown, suggestion, UserError } from "../errors.js";
import type { RunOptions } from "../training/config.js";
import { bitsKey, withBits } from "../training/bits.js";
import { checksumsOf, placedCode, placeOf } from "../training/code.js";
import { parseRunOptions, plainName, resolveNetwork, resolveOptimizer, runName } from "../training/config.js";
import { checksumOfSource, revisionOf } from "../run-folder/index.js";
import { isCodeFile } from "../training/setting.js";
import type { Setting } from "../training/setting.js";
import type { SettingKey } from "../training/settings.js";
import { isIdentifying, keysWhere, runKeys, settings as settingsTable } from "../training/settings.js";

/** A run of a study: its whole configuration, and what it follows from. */
export interface PlannedRun {
  readonly options: RunOptions;
  /** 16 hexadecimal digits that identify the configuration; runs of one identity have the same bits. */
  readonly identity: string;
  /** The name of its folder: what tells it from the others in words, and the identity's beginning. */
  readonly name: string;
}

/** Part of a configuration, and where it came from. */
export interface Wanted {
  readonly values: Readonly<Record<string, unknown>>;
  readonly source: string;
  /** The source of single settings, where it is another. */
  readonly sources?: Readonly<Record<string, string>>;
}

/**
 * The hash of everything that decides a run's result: its settings, and the revision of the rules if it is not the
 * first. Code in a file, and weights to start from, count by their checksums, wherever they lie.
 */
export function identityHash(options: RunOptions): string {
  const { model, method } = resolveNetwork(options);
  const revision = revisionOf({ model, method, ...resolveOptimizer(options) });
  const { initFrom } = options;
  const weights = initFrom === undefined ? {} : { initFrom: checksumOfSource(initFrom) };
  return hashOf({ ...options, ...checksumsOf(options), ...weights, revision });
}

/** The hash of settings that decide a run's result. */
export function hashOf(settings: Readonly<Record<string, unknown>>): string {
  const deciding = Object.entries(settings)
    .filter(([key, value]) => isIdentifying(key, value))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256").update(JSON.stringify(deciding)).digest("hex").slice(0, 16);
}

/** Why files of code could not be loaded, by setting and path: see `placeOf`. */
export type UnloadedCode = ReadonlyMap<string, string>;

/**
 * Checks all configurations, and leaves out duplicates.
 *
 * @param found problems that are known already.
 * @param unloaded files of code that are among those problems.
 * @throws UserError with every problem at once.
 */
export function plannedRuns(
  wanted: readonly Wanted[],
  found: Iterable<string> = [],
  unloaded: UnloadedCode = new Map(),
): PlannedRun[] {
  const problems = new Set(found);
  const runs = new Map<string, PlannedRun>();
  for (const { values, source, sources } of wanted) {
    try {
      const options = parseRunOptions({ ...values }, (key) => sources?.[key] ?? source);
      const { model, method } = resolveNetwork(options);
      const { learningRate, seed } = options;
      const optimizer = plainName(resolveOptimizer(options).optimizer.name);
      const identity = identityHash(options);
      const name = `${runName(model, method)}-${optimizer}-${learningRate}-s${seed}-${identity.slice(0, 6)}`;
      runs.set(identity, { options, identity, name });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const { field = "" } = error;
      const value = values[field];
      if (isCodeFile(value) && unloaded.has(placeOf(field, value))) continue;
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

type Settings = Readonly<Record<string, unknown>>;

/** Runs of a grid, before exclusions. */
const most = 100_000;

/** All but where the run is kept, which the study decides. */
const allowedKeys: readonly string[] = [...runKeys, bitsKey].filter((key) => key !== "out");

const settings = z.record(z.string(), z.unknown());
/** A study as a file holds it. */
export const studySchema = z.strictObject({
  /** The JSON Schema of studies, for editors. */
  $schema: z.string().optional(),
  /** The name of the folder of its runs. */
  name: z
    .string()
    .regex(/^(?!\.+$)[\w.-]+$/)
    .optional(),
  /** Settings of all runs that do not override them. */
  defaults: settings.default({}),
  /** Each gives the product of its lists; `bits` lists pairs "2/4" of weights and activations. */
  grids: z.array(settings).default([]),
  /** Runs one by one. */
  runs: z.array(settings).default([]),
  /** Runs that agree with all values of one of these are left out. */
  exclude: z.array(settings).default([]),
});
export type Study = z.output<typeof studySchema>;

/** A study with the paths of its files of code replaced; anything else stays as it is. */
export function placedStudy(study: unknown, place: (file: string, key: SettingKey) => string): unknown {
  const { data } = studySchema.safeParse(study);
  if (data === undefined) return study;
  const placed = (values: Settings): Settings => placedCode(values, place);
  return {
    ...data,
    defaults: placed(data.defaults),
    grids: data.grids.map(placed),
    runs: data.runs.map(placed),
    exclude: data.exclude.map(placed),
  };
}

/** Checks a study and gives its runs. @throws UserError that lists every problem, also those of `unloaded`. */
export function runsOf(
  value: unknown,
  source: string,
  unloaded: UnloadedCode = new Map(),
): { name: string | undefined; runs: PlannedRun[] } {
  const { data: study, error } = studySchema.safeParse(value);
  if (study === undefined) {
    refuse(error.issues.flatMap((issue) => shapeProblems(issue, source)));
    throw error;
  }
  const { name, defaults, grids, runs, exclude } = study;
  const problems = new Set(unloaded.values());
  const place = (list: string, i: number): string => `${source}, ${list}[${i}]`;
  const known = (values: Settings, at: string): boolean => {
    const unknown = Object.keys(values).filter((key) => !allowedKeys.includes(key));
    for (const key of unknown) {
      const nearest = suggestion(key, allowedKeys);
      problems.add(`unknown key "${key}" (from ${at}); allowed are ${allowedKeys.join(", ")}${nearest}`);
    }
    return unknown.length === 0;
  };
  /** With the bits spelled out; none if they are wrong. */
  const spelled = (values: Settings, at: string): Wanted[] => {
    try {
      return [{ values: withBits(values, () => at), source: at }];
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      problems.add(error.message);
      return [];
    }
  };
  const ofGrid = (grid: Settings, at: string): Wanted[] => {
    const lists = Object.entries(grid).filter(([, list]) => Array.isArray(list)) as [string, unknown[]][];
    const empty = lists.filter(([, list]) => list.length === 0);
    for (const [key] of empty) problems.add(`${key} must list one value or more, got [] (from ${at})`);
    const size = lists.reduce((count, [, list]) => count * list.length, 1);
    if (size > most) problems.add(`a grid must have at most ${most} runs, got ${size} (from ${at})`);
    if (!known(grid, at) || empty.length > 0 || size > most) return [];
    return product(grid).flatMap((values) => spelled({ ...defaults, ...values }, at));
  };
  /** Runs that differ only in settings without effect would be trained twice, so a setting must have an effect in some run of its entry. */
  const withoutIdle = (values: Settings, at: string, made: Wanted[]): Wanted[] => {
    for (const key of ofImages) {
      const { needs }: Setting = settingsTable[key];
      const isIdle = made.length > 0 && !made.some((run) => needs?.isMet(run.values));
      if (isIdle && values[key] !== undefined)
        problems.add(`${key} has no effect without ${needs?.words} (from ${at})`);
    }
    return made;
  };
  const sound = known(defaults, `${source}, defaults`);
  const wanted = withoutIdle(defaults, `${source}, defaults`, [
    ...grids.flatMap((grid, i) => withoutIdle(grid, place("grids", i), ofGrid(grid, place("grids", i)))),
    ...runs.flatMap((run, i) =>
      known(run, place("runs", i))
        ? withoutIdle(run, place("runs", i), spelled({ ...defaults, ...run }, place("runs", i)))
        : [],
    ),
  ]);
  const rules = exclude.flatMap((rule, i) =>
    known(rule, place("exclude", i)) ? spelled(rule, place("exclude", i)) : [],
  );
  if (grids.length + runs.length === 0) {
    problems.add(
      `${source} has no runs; give grids or runs, such as {"grids": [{"model": "lenet5", "bits": ["1/1", "2/2"]}]}`,
    );
  }
  // Which runs a rule leaves out is known only if all runs are.
  if (problems.size === 0) {
    for (const [i, rule] of rules.entries()) {
      if (wanted.some(({ values }) => agrees(values, rule.values))) continue;
      problems.add(`exclude ${shown(exclude[i])} leaves nothing out (from ${rule.source})`);
    }
  }
  const kept = wanted.filter(({ values }) => !rules.some((rule) => agrees(values, rule.values)));
  if (kept.length === 0 && problems.size === 0) problems.add(`exclude leaves no run of ${source}`);
  return { name, runs: plannedRuns(sound ? kept : [], problems, unloaded) };
}

function shapeProblems(issue: z.core.$ZodIssue, source: string): string[] {
  const place = issue.path.length === 0 ? source : `${source}, ${issue.path.join(".")}`;
  const keys = Object.keys(studySchema.shape).filter((key) => key !== "$schema");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map(
      (key) => `unknown key "${key}" (from ${place}); allowed are ${keys.join(", ")}${suggestion(key, keys)}`,
    );
  }
  return [`a study must be an object of ${keys.join(", ")}: ${issue.message.toLowerCase()} (from ${place})`];
}

/** Settings of which one value is a list. */
const lists: readonly string[] = keysWhere(({ isList }) => isList === true);

/** Settings that have an effect with folders of images alone. */
const ofImages = keysWhere(({ group }) => group === "images");

/** Every choice of one value from each list. */
function product(grid: Settings): Record<string, unknown>[] {
  return Object.entries(grid).reduce<Record<string, unknown>[]>(
    (all, [key, value]) => {
      const isOneValue = lists.includes(key) || !Array.isArray(value);
      const values: readonly unknown[] = isOneValue ? [value] : value;
      return all.flatMap((made) => values.map((one) => ({ ...made, [key]: one })));
    },
    [{}],
  );
}

const agrees = (values: Settings, rule: Settings): boolean =>
  Object.entries(rule).every(([key, value]) =>
    (Array.isArray(value) ? value : [value]).includes(values[key]),
  );
