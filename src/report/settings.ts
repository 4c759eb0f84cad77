/** A run's settings: which runs differ only in their seed, and the settings in words. */
import { counted } from "../errors.js";
import type { PublishedRow } from "../published/index.js";
import type { RunConfig } from "../training/index.js";
import { likenessKey, recipeWords } from "../run-folder/index.js";

/** Cached by configuration, since several parts of a report ask for each. */
const keys = new WeakMap<RunConfig, string>();

/** Equal for runs that differ only in their seed, or in settings without effect on the result. */
export function settingsKey(config: RunConfig): string {
  const known = keys.get(config);
  if (known !== undefined) return known;
  const key = `${config.epochs} ${likenessKey(config)}`;
  keys.set(config, key);
  return key;
}

/** "Adam 0.01, rate × 0.1 every 4 epochs, 20 epochs, batch 128, preset redbit". `which` distinguishes data of the same name. */
export function settingsText(config: RunConfig, which?: string): string {
  const words = [...recipeWords(config)].flatMap(([part, texts]) =>
    part === "schedule" ? [...texts, counted(config.epochs, "epoch")] : texts,
  );
  return [...words, ...(which === undefined ? [] : [`data ${which}`])].join(", ");
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
