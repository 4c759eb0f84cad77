/** Rounding the gradients of layers on codes: low-bit operands are exact in bfloat16, so their products round the gradient only. */
import type { Tensor } from "../graph/index.js";
import { bf16, customGradient } from "../graph/index.js";

/** How the gradients that quantized layers multiply are kept. */
export const gradientTypes = ["f32", "bf16"] as const;
/** How the gradients that quantized layers multiply are kept: as f32, or rounded to bfloat16. */
export type GradientType = (typeof gradientTypes)[number];

/** Whether a tensor is codes, or codes times a scale, as quantizers return. */
export function isCoded({ op, inputs, lattice }: Tensor): boolean {
  if (lattice !== undefined) return true;
  if (op === "coded" || op === "mul") return inputs.some((input) => input.lattice !== undefined);
  return (op === "customGradient" || op === "stopGradient" || op === "reshape") && isCoded(inputs[0]);
}

/** y, whose gradient is rounded to bfloat16 before it goes on. */
export const roundGradient = (y: Tensor): Tensor => customGradient(y, [y], (g) => [bf16(g)]);
