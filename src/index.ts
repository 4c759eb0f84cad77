/**
 * fewbit: train, compare and ship neural networks of 1 to 8 bits.
 *
 * `train` does the whole of it. Below that stand networks (`network`, `models`), methods (`quant`),
 * optimizers (`optim`) and data (`datasets`), and below these the engine: functions on tensors
 * (`add`, `convolution`, ...), `valueAndGradients`, `compile`.
 */
import { adam, constant as constantRate, sgd, stepDecay } from "./optim/index.js";
import {
  baseline,
  createMethod,
  dorefa,
  methods,
  qnn,
  quantizer,
  registerMethod,
  ttq,
  twn,
  withLayers,
  xnor,
} from "./quantization/index.js";

/** Quantization methods, and `quantizer` to write one. */
export const quant = {
  ...{ baseline, qnn, dorefa, xnor, twn, ttq },
  ...{ quantizer, methods, createMethod, registerMethod, withLayers },
} as const;
/** Optimizers and learning rate schedules. */
export const optim = { adam, sgd, stepDecay, constant: constantRate } as const;

export {
  centredCodes,
  isFirst,
  isLast,
  quantizer,
  signCodes,
  signedCodes,
  ternaryCodes,
  unitCodes,
} from "./quantization/index.js";
export type {
  Bits,
  DorefaOptions,
  LayerInfo,
  LayerOverrides,
  Method,
  MethodOptions,
  NewMethod,
  Preset,
  QnnOptions,
  QuantizerRule,
  TtqOptions,
  TwnOptions,
  XnorOptions,
} from "./quantization/index.js";
export type { AdamOptions, Optimizer, Schedule, SgdOptions } from "./optim/index.js";
export { models } from "./models/index.js";
export { apply, describe, fitted, initialise, network, summarise } from "./nn/index.js";
export type { LayerSummary, Network, NetworkBuilder, NetworkSummary, ParameterSpec } from "./nn/index.js";
export { datasets } from "./data/index.js";
export type {
  ArraysOptions,
  Augmentation,
  Dataset,
  ImageSet,
  ImagesOptions,
  LoadListeners,
  LoadProgress,
  MnistOptions,
  Preparation,
} from "./data/index.js";
export * from "./training/index.js";
export { profileStep } from "./training/profile.js";
export type { Profile, ProfileOptions, ProfileRow } from "./training/profile.js";

export * from "./graph/index.js";
export { valueAndGradients } from "./compiler/autodiff.js";
export type { ValueAndGradients } from "./compiler/autodiff.js";
export { compile } from "./compiler/compile.js";
export type { CompileOptions, Step, StepResult } from "./compiler/compile.js";
export { State, createState } from "./compiler/state.js";
export type { HostValue, Results, TensorTree, Values } from "./compiler/trace.js";
export { chooseExecutor } from "./runtime/choose.js";
export type { ExecutorChoice, ExecutorOptions } from "./runtime/choose.js";
export type { Executor, ExecutorName } from "./runtime/executor.js";
export { explain } from "./runtime/explain.js";
export type { Program } from "./runtime/program.js";
export { verify } from "./runtime/verify.js";
export { DivergenceError, UserError } from "./errors.js";
