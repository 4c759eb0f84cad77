/** Clipping by norm: Pascanu et al. 2013, arXiv 1211.5063, with the constant of PyTorch's `clip_grad_norm_`. */
import type { Tensor, Tensors } from "../graph/index.js";
import { add, div, min, mul, sqrt, square, sum } from "../graph/index.js";
import { mapRecord } from "./records.js";

/**
 * All gradients times min(1, norm / (n + 1e-6)), where n is the root of the sum of all their squares. No update can then come
 * before the last gradient is known, so that all are in memory at once.
 */
export function clipped(gradients: Tensors, norm: number): Record<string, Tensor> {
  const squares = Object.values(gradients).map((gradient) => sum(square(gradient)));
  const size = sqrt(squares.reduce((all, each) => add(all, each)));
  const factor = min(div(norm, add(size, 1e-6)), 1);
  return mapRecord(gradients, (gradient) => mul(gradient, factor));
}
