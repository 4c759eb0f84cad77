/** Training: `train`, and what it leaves behind. */
export type { Arrays, TrainingValues, Weights } from "./checkpoint.js";
export type { ImageAnswer } from "./answers.js";
export type { Classification, Classifier, ClassifierOptions, Pixels } from "./classifier.js";
export { classifier } from "./classifier.js";
export type { ConfusionCounts, ConfusionLine } from "./confusion.js";
export type { Answer, EvaluateRunOptions, Trained } from "./evaluate.js";
export { classify, evaluateRun, evaluateTrained } from "./evaluate.js";
export type { LayerLine } from "./layers.js";
export type { EpochMetrics, Scores, Split } from "./metrics.js";
export type { PredictOptions, Prediction, Predictions } from "./predict.js";
export { predictRun } from "./predict.js";
export type { TrainProgress } from "./progress.js";
export type { Recipe, RunConfig, StoredRun, Summary, Which } from "./run.js";
export { loadRun, loadWeights } from "./run.js";
export type { StoredTensor, TensorFile } from "./safetensors.js";
export { decodeTensors, encodeTensors } from "./safetensors.js";
export type { Run, TrainOptions } from "./train.js";
export { train } from "./train.js";
