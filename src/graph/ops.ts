/** The op table: one entry per op. */
import type { Op } from "./op.js";
import { depthwiseOps } from "./ops/depthwise.js";
import { elementwise } from "./ops/elementwise.js";
import { leaves } from "./ops/leaves.js";
import { movement } from "./ops/movement.js";
import { products } from "./ops/products.js";
import { reductions } from "./ops/reductions.js";
import { windows } from "./ops/windows.js";
import type { OpName } from "./tensor.js";

export const ops: Readonly<Record<OpName, Op>> = {
  ...leaves,
  ...elementwise,
  ...reductions,
  ...windows,
  ...products,
  ...depthwiseOps,
  ...movement,
};
