/** Quantization methods and the parts to write one. */
export { baseline } from "./baseline.js";
export { dorefa } from "./dorefa.js";
export type { DorefaOptions } from "./dorefa.js";
export { quantizer } from "./method.js";
export type { LayerInfo, Method, QuantizerRule } from "./method.js";
export { centredCodes, steps, unitCodes } from "./primitives.js";
export { createMethod, methods } from "./registry.js";
export type { MethodEntry, MethodOptions } from "./registry.js";
