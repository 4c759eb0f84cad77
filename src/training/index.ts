/** Training: `train`, and the use of trained networks. */
export type {
  Arrays,
  ConfusionCounts,
  ConfusionLine,
  EpochMetrics,
  InitialRecord,
  LayerLine,
  Named,
  Recipe,
  Revision,
  RunConfig,
  Scores,
  Split,
  StoredRun,
  StoredTensor,
  Summary,
  TensorData,
  TensorFile,
  TrainingValues,
  Weights,
  Which,
} from "../run-folder/index.js";
export { decodeTensors, encodeTensors, loadRun, loadWeights } from "../run-folder/index.js";
export type { ImageAnswer } from "./answers.js";
export type { Classification, Classifier, ClassifierOptions, Pixels } from "./classifier.js";
export { classifier } from "./classifier.js";
export type { InitialReport, LeftTensor } from "./initial-weights.js";
export type { LogKind } from "./settings.js";
export type { Answer, EvaluateOptions, EvaluateRunOptions, TestScores, Trained } from "./evaluate.js";
export { classify, evaluateRun, evaluateTrained } from "./evaluate.js";
export type { Loss, LossEntry, NewLoss } from "../optim/losses.js";
export type { PredictOptions, Prediction, Predictions } from "./predict.js";
export { predictRun } from "./predict.js";
export type { TrainProgress } from "./progress.js";
export type { OwnParts } from "./recreate.js";
export type { Run, TrainOptions } from "./train.js";
export { train } from "./train.js";
