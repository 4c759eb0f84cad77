/** Elementwise functions; shapes broadcast by NumPy's rule, i32 counts as f32. */
import { node } from "../node.js";
import type { Lattice, Tensor } from "../tensor.js";
import type { Value } from "./broadcasting.js";
import { elementwise, toTensor } from "./broadcasting.js";
import { customGradient } from "./gradient.js";

/** -x. */
export const neg = (x: Value): Tensor => elementwise("neg", x);
/** The gradient at 0 is 0. */
export const abs = (x: Value): Tensor => elementwise("abs", x);
/** e^x. */
export const exp = (x: Value): Tensor => elementwise("exp", x);
/** The natural logarithm. */
export const log = (x: Value): Tensor => elementwise("log", x);
/** The square root; NaN below 0. */
export const sqrt = (x: Value): Tensor => elementwise("sqrt", x);
/** The hyperbolic tangent. */
export const tanh = (x: Value): Tensor => elementwise("tanh", x);
/** Half to even; the gradient is 0. */
export const round = (x: Value): Tensor => elementwise("round", x);
/** The nearest bfloat16 (8 significant bits), half to even; the gradient passes unchanged. */
export const bf16 = (x: Value): Tensor => elementwise("bf16", x);

/** a + b. */
export const add = (a: Value, b: Value): Tensor => elementwise("add", a, b);
/** a - b. */
export const sub = (a: Value, b: Value): Tensor => elementwise("sub", a, b);
/** a · b, element by element. */
export const mul = (a: Value, b: Value): Tensor => elementwise("mul", a, b);
/** a / b. */
export const div = (a: Value, b: Value): Tensor => elementwise("div", a, b);
/** `a < b ? a : b`, so b where either is NaN; on a tie the gradient goes to a. */
export const min = (a: Value, b: Value): Tensor => elementwise("min", a, b);
/** `a > b ? a : b`, so b where either is NaN; on a tie the gradient goes to a. */
export const max = (a: Value, b: Value): Tensor => elementwise("max", a, b);

/** 1 where a < b, else 0, as all comparisons give. */
export const lt = (a: Value, b: Value): Tensor => elementwise("lt", a, b);
/** 1 where a <= b, else 0. */
export const le = (a: Value, b: Value): Tensor => elementwise("le", a, b);
/** 1 where a = b, else 0. */
export const eq = (a: Value, b: Value): Tensor => elementwise("eq", a, b);
/** 1 where a > b, else 0. */
export const gt = (a: Value, b: Value): Tensor => lt(b, a);
/** 1 where a >= b, else 0. */
export const ge = (a: Value, b: Value): Tensor => le(b, a);

/** `a` where the condition is not 0, else `b`. */
export const where = (condition: Value, a: Value, b: Value): Tensor => elementwise("select", condition, a, b);

/** x². */
export const square = (x: Value): Tensor => mul(x, x);
/** 1 / x. */
export const reciprocal = (x: Value): Tensor => div(1, x);
/** max(0, x); the gradient at 0 is 0. */
export const relu = (x: Value): Tensor => max(0, x);
/** 1 / (1 + e^-x), as (1 + tanh(x / 2)) / 2, which cannot overflow. */
export const sigmoid = (x: Value): Tensor => mul(add(tanh(mul(x, 0.5)), 1), 0.5);

/** +1 where x >= 0 (-0 included), else -1: codes of step 2. The gradient is 0. */
export const sign = (x: Value): Tensor => where(lt(x, 0), -1, 1);

/** x limited to [low, high]; the gradient is 1 on the closed interval and 0 outside. NaN stays NaN. */
export function clip(x: Tensor, low: number, high: number): Tensor {
  return customGradient(min(high, max(low, x)), [x], (g) => [where(mul(le(low, x), le(x, high)), g, 0)]);
}

/**
 * Marks whole numbers as the codes of a lattice, so that the compiler may store and multiply them as such. Values
 * must be of the lattice: kernels do not look, and what they make of others differs; the reference executor throws.
 */
export const codes = (x: Value, lattice: Lattice): Tensor =>
  node("codes", [toTensor("codes", x)], { lattice });

/** codes · scale, the value of a quantized tensor. The scale broadcasts to the codes. */
export const coded = (codes: Tensor, scale: Value): Tensor => elementwise("coded", codes, scale);
