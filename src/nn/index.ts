/** Networks: building, describing, applying and initialising them. */
export { largestExtent } from "../errors/options.js";
export { initialise, normalFanOut, uniformFanIn } from "./initialise.js";
export type { Initial, Initialiser, ParameterSpec } from "./initialise.js";
export type {
  BatchNormOptions,
  BlockOptions,
  ConvolutionLayerOptions,
  LayerOptions,
  LinearOptions,
  NetworkBuilder,
  PoolLayerOptions,
  ResidualOptions,
} from "./builder.js";
export {
  apply,
  checkNetwork,
  fitted,
  hasCodes,
  hasResidualBlocks,
  network,
  quantizedInputs,
} from "./network.js";
export type { Tensors } from "../graph/index.js";
export type { ApplyOptions, Network, Variables } from "./network.js";
export { gradientTypes } from "./rounding.js";
export type { GradientType } from "./rounding.js";
export { costOf, describe, summarise } from "./summary.js";
export type { Description, LayerSummary, NetworkCost, NetworkSummary } from "./summary.js";
export { constrainWeights, quantizedWeights, scaleGradients, scaleSteps } from "./weights.js";
