/** A run's folder: what it holds, who may write to it, how it is written and read. Other rooms import only this file. */
import type * as events from "./events.js";

export { nonFiniteIn, withoutData } from "./checkpoint.js";
export type { Arrays, Checkpoint, CheckpointToWrite, TrainingValues, Weights } from "./checkpoint.js";
export {
  answerOf,
  confusionSchema,
  countAnswers,
  mostClasses,
  noCounts,
  readConfusion,
} from "./confusion.js";
export type { ConfusionCounts, ConfusionLine } from "./confusion.js";
export { checkResumable, RunDirectory } from "./directory.js";
export { layerLine, layersSchema, readLayers, signsOf, signsOfAll, weightName } from "./layers.js";
export type { LayerLine } from "./layers.js";
export { isInUse, lockDirectory, LockWatch, machine, releaseStale } from "./lock.js";
export {
  addBatch,
  bestEpoch,
  formatLines,
  metricsSchema,
  noImages,
  parseMetrics,
  readMetrics,
  scoresOf,
  watchedImages,
} from "./metrics.js";
export type { EpochMetrics, Scores, Split, Sums } from "./metrics.js";
export { hashOfRecipe, likenessKey, numberOf, recipeOf, recipeWords } from "./recipe.js";
export type { InitialRecord, Named, Recipe } from "./recipe.js";
export { methodChanges, refuseOtherRules, revisionOf, tieRuleOf } from "./revision.js";
export type { Revision } from "./revision.js";
export {
  configSchema,
  fileNames,
  identityText,
  loadRun,
  loadWeights,
  makeConfig,
  packageVersion,
  readConfig,
} from "./run.js";
export type { RunConfig, StoredRun, Summary, Which } from "./run.js";
export { decodeTensors, encodeTensors } from "./safetensors.js";
export type { StoredTensor, TensorData, TensorFile } from "./safetensors.js";
export { checksumOfSource, readSource } from "./source.js";
export type { WeightSource } from "./source.js";

/** The event files for TensorBoard, loaded only by runs that keep some. */
export const eventFiles = (): Promise<typeof events> => import("./events.js");
