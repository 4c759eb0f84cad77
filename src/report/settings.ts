/** A run's settings: which runs differ in their seed alone, and what they are in words. */
import { shown } from "../errors.js";
import type { PublishedRow } from "../published/index.js";
import type { RunConfig } from "../training/index.js";
import { decisionsOf } from "../training/recipe.js";
import { tieRuleOf } from "../training/revision.js";
import { counted } from "./format.js";

/** By configuration, each of which several parts of a report ask for. */
const keys = new WeakMap<RunConfig, string>();

/** Equal for runs that differ in their seed alone, or in what has no effect on the result. */
export function settingsKey(config: RunConfig): string {
  const known = keys.get(config);
  if (known !== undefined) return known;
  const key = keyOf(config);
  keys.set(config, key);
  return key;
}

function keyOf(config: RunConfig): string {
  const { seed: _, ...decisions } = decisionsOf(config);
  return JSON.stringify({ ...decisions, epochs: config.epochs }, sorted);
}

/** Keys of objects in their order, so that a file written by hand says the same. */
const sorted = (_: string, value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;

const optimizers: Readonly<Record<string, string>> = { adam: "Adam", sgd: "SGD" };

/** A number of an object's; null if it is none. */
export function numberOf(options: Readonly<Record<string, unknown>>, key: string): number | null {
  const value = options[key];
  return typeof value === "number" ? value : null;
}

/** "Adam 0.01, rate × 0.1 every 4 epochs, 20 epochs, batch 128, preset redbit". `which` tells data of one name apart. */
export function settingsText(config: RunConfig, which?: string): string {
  const { method, optimizer, data, gradients = "f32", revision, batchSize, validation, epochs } = config;
  const [rate, momentum, decay] = ["learningRate", "momentum", "weightDecay"].map((key) =>
    numberOf(optimizer.options, key),
  );
  return [
    `${Object.hasOwn(optimizers, optimizer.name) ? optimizers[optimizer.name] : optimizer.name} ${rate ?? ""}`.trim(),
    ...(momentum === null || momentum === 0.9 ? [] : [`momentum ${momentum}`]),
    ...(decay === null || decay === 0 ? [] : [`weight decay ${decay}`]),
    scheduleText(config.schedule),
    counted(epochs, "epoch"),
    `batch ${batchSize}`,
    ...methodTexts(method.options),
    ...(gradients === "f32" ? [] : [`gradients ${gradients}`]),
    ...(revision?.method === undefined ? [] : [`revision ${revision.method} of the method`]),
    ...(tieRuleOf(revision) === "first" ? [] : ["equal logits wrong"]),
    ...(data.augmentation === null ? ["no augmentation"] : []),
    ...(validation === 0 ? [] : [`best epoch chosen on ${validation} held-out images`]),
    ...(which === undefined ? [] : [`data ${which}`]),
  ].join(", ");
}

function scheduleText(schedule: RunConfig["schedule"]): string {
  if (schedule === null || schedule.name === "constant") return "constant rate";
  const [every, factor] = ["every", "factor"].map((key) => numberOf(schedule.options, key));
  if (schedule.name === "stepDecay" && every !== null)
    return `rate × ${factor} every ${counted(every, "epoch")}`;
  return `schedule ${schedule.name} ${shown(schedule.options)}`;
}

/** A method's options beside its bits; those that say nothing are left out. */
function methodTexts(options: RunConfig["method"]["options"]): string[] {
  return Object.entries(options)
    .filter(([key]) => !["weightBits", "activationBits", "layers"].includes(key))
    .filter(([key, value]) => !(key === "gradientBits" && value === 32) && value !== false)
    .map(([key, value]) => {
      const words = key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
      return value === true ? words : `${words} ${typeof value === "string" ? value : shown(value)}`;
    });
}

/** How near the settings are to a published cell's: its optimizer and rate count most, then the preset, then exact gradients. */
export function likeness(
  { optimizer, method, gradients = "f32" }: RunConfig,
  row: PublishedRow | undefined,
): number {
  if (row === undefined) return 0;
  const trained = optimizer.name === row.optimizer && optimizer.options.learningRate === row.learningRate;
  const preset = method.options.preset === "redbit";
  return (trained ? 4 : 0) + (preset ? 2 : 0) + (gradients === "f32" ? 1 : 0);
}
