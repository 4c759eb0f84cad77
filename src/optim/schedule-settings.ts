/** The schedule of a configuration's settings, and schedules in words. */
import { counted, shown, UserError } from "../errors.js";
import { isObject } from "../errors/options.js";
import type { Schedule } from "./schedule.js";
import { constant, stepDecay } from "./schedule.js";
import type { ScheduleUnit } from "./schedules.js";
import { cosine, decayAt, warmup } from "./schedules.js";

/** The schedules that a configuration may name. Without a name it follows from the other settings: step or constant. */
export const scheduleNames = ["constant", "step", "cosine"] as const;

/** The settings of a configuration from which a schedule is made. */
export interface ScheduleSettings {
  readonly schedule?: (typeof scheduleNames)[number];
  readonly decayEvery: number;
  readonly decayAt?: readonly number[];
  readonly decayFactor: number;
  readonly finalRate?: number;
  readonly warmup?: number;
  readonly scheduleBy?: ScheduleUnit;
  readonly epochs: number;
}

/** The schedule of a configuration's settings. @throws UserError for settings that exclude each other. */
export function scheduleOf(settings: ScheduleSettings): Schedule {
  const { warmup: epochs = 0, scheduleBy: by } = settings;
  if (by === "epoch" && !Number.isInteger(epochs)) {
    throw new UserError(`warmup must be an integer with scheduleBy epoch, got ${epochs}`, "warmup");
  }
  const schedule = mainOf(settings);
  return epochs === 0 ? schedule : warmup({ epochs, schedule, by });
}

/** The schedule without its warm-up. */
function mainOf(settings: ScheduleSettings): Schedule {
  const { schedule: name, decayEvery: every, decayAt: at, decayFactor: factor } = settings;
  const { epochs, finalRate, warmup: from = 0, scheduleBy: by } = settings;
  if (every !== 0 && at !== undefined) {
    throw new UserError("decayAt and decayEvery exclude each other; give one of them", "decayAt");
  }
  const given = every !== 0 ? "decayEvery" : at !== undefined ? "decayAt" : undefined;
  if (name === "step" && given === undefined) {
    throw new UserError("schedule step needs decayEvery or decayAt", "schedule");
  }
  if (name !== undefined && name !== "step" && given !== undefined) {
    throw new UserError(`${given} has no effect with schedule ${name}`, given);
  }
  if (name === "cosine") {
    if (from >= epochs) {
      throw new UserError(
        `warmup must be below epochs, ${epochs}, with schedule cosine, got ${from}`,
        "warmup",
      );
    }
    return cosine({ epochs, from, finalRate, by });
  }
  if (at !== undefined) return decayAt({ epochs: at, factor });
  return every === 0 ? constant() : stepDecay({ every, factor });
}

type Options = Readonly<Record<string, unknown>>;

/** The title of each of fewbit's schedules, by its options; undefined for options that it cannot have. */
const titles: Readonly<Record<string, (options: Options) => string | undefined>> = {
  constant: () => "constant rate",
  stepDecay: ({ every, factor }) =>
    typeof every === "number" ? `rate × ${shown(factor)} every ${counted(every, "epoch")}` : undefined,
  decayAt: ({ epochs, factor }) =>
    Array.isArray(epochs) ? `rate × ${shown(factor)} at epochs ${epochs.map(String).join(", ")}` : undefined,
  cosine: ({ epochs, finalRate }) =>
    typeof epochs === "number" ? `cosine to rate ${shown(finalRate)} at epoch ${epochs}` : undefined,
  warmup({ epochs, schedule }) {
    if (typeof epochs !== "number") return undefined;
    const rises = `rate rising for ${counted(epochs, "epoch")}`;
    if (!isObject(schedule)) return rises;
    const { name, options } = schedule;
    if (typeof name !== "string" || !isObject(options)) return undefined;
    return `${rises}, then ${scheduleTitle({ name, options })}`;
  },
};

/** The title of a schedule; a user's own goes by its name and options. */
export const scheduleTitle = ({ name, options }: Pick<Schedule, "name" | "options">): string =>
  (Object.hasOwn(titles, name) ? titles[name](options) : undefined) ?? `schedule ${name} ${shown(options)}`;
