/** Tensors, the functions that make them, their gradients, and the evaluator that computes them plainly. */
export * from "./evaluate.js";
export * from "./functions.js";
export * from "./gradients.js";
export type { HostArray, HostParts } from "./host.js";
export { isTensor } from "./node.js";
export type { Data, View } from "./op.js";
export type { ElementwiseOp } from "./ops/loops.js";
export * from "./tensor.js";
