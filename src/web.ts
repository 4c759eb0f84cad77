/**
 * fewbit in a browser: networks (`network`, `models`), methods (`quant`), optimizers (`optim`) and the
 * engine, on the WebAssembly executor. Best in a worker, for it computes on the thread that calls it.
 *
 *   const executor = createWasmExecutor(await fetchWasm());
 *   let state = createState({ w }, { executor });
 *   const step = compile((state, batch) => ..., { executor });
 *
 * Nothing here reaches Node's modules or a package (`web.test.ts`).
 */
import {
  adam,
  adamw,
  constant as constantRate,
  cosine,
  decayAt,
  sgd,
  stepDecay,
  warmup,
} from "./optim/index.js";
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
  baseline,
  qnn,
  dorefa,
  xnor,
  twn,
  ttq,
  quantizer,
  methods,
  createMethod,
  registerMethod,
  withLayers,
} as const;
/** Optimizers and learning rate schedules. */
export const optim = {
  adam,
  adamw,
  sgd,
  stepDecay,
  decayAt,
  cosine,
  warmup,
  constant: constantRate,
} as const;

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
  MethodEntry,
  OptionName,
  MethodOptions,
  NewMethod,
  NormPlace,
  Preset,
  QnnOptions,
  QuantizerRule,
  TtqOptions,
  TwnOptions,
  XnorOptions,
} from "./quantization/index.js";
export type {
  AdamOptions,
  AdamwOptions,
  CosineOptions,
  DecayAtOptions,
  NewOptimizer,
  Optimizer,
  OptimizerEntry,
  OptimizerOption,
  OptimizerSettings,
  Schedule,
  ScheduleUnit,
  SgdOptions,
  StepDecayOptions,
  WarmupOptions,
} from "./optim/index.js";
export { models, redbitModels } from "./models/index.js";
export {
  apply,
  describe,
  fitted,
  initialise,
  network,
  normalFanOut,
  summarise,
  uniformFanIn,
} from "./nn/index.js";
export type {
  ApplyOptions,
  BatchNormOptions,
  BlockOptions,
  ConvolutionLayerOptions,
  Description,
  GradientType,
  Initial,
  Initialiser,
  LayerOptions,
  LayerSummary,
  LinearOptions,
  Network,
  NetworkBuilder,
  NetworkCost,
  NetworkSummary,
  ParameterSpec,
  PoolLayerOptions,
  ResidualOptions,
  Variables,
} from "./nn/index.js";

export * from "./graph/index.js";
export { valueAndGradients } from "./compiler/autodiff.js";
export type { ValueAndGradients } from "./compiler/autodiff.js";
export { compile } from "./compiler/compile.js";
export type { Begun, CompileOptions, Shapes, Step, StepResult } from "./compiler/compile.js";
export { State, createState } from "./compiler/state.js";
export type { Layout, StateArray, StateArrays, StateOptions } from "./compiler/state.js";
export type { HostValue, Results, TensorTree, TensorsOf, Values } from "./compiler/trace.js";
export type { Tree } from "./compiler/tree.js";
export type { Executor, ExecutorName, LoadedProgram, Memory, RunMemory } from "./runtime/executor.js";
export { fetchWasm } from "./runtime/fetch-wasm.js";
export { createWasmExecutor } from "./runtime/wasm.js";
export type { WasmModule } from "./runtime/wasm.js";
export { explain } from "./runtime/explain.js";
export type * from "./runtime/program.js";
export type { FusedForm, Target } from "./runtime/target.js";
export { verify } from "./runtime/verify.js";
export { DivergenceError, UserError } from "./errors.js";
export type { UserErrorCode } from "./errors.js";
