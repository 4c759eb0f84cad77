/** What a method's hooks return, checked: a forgotten `return` would end far from its cause, or nowhere. */
import { shown, UserError } from "../errors.js";
import type { Shape, Tensor } from "../graph/index.js";
import { isTensor } from "../graph/index.js";
import type { LayerInfo, Method } from "../quantization/index.js";

/** The tensor that a hook returned for a layer. @throws UserError for what is none, or of another shape than given. */
export function fromHook(
  method: Method,
  hook: string,
  layer: LayerInfo,
  value: unknown,
  shape?: Shape,
): Tensor {
  if (isTensor(value) && (shape === undefined || value.shape.join() === shape.join())) return value;
  const allowed = shape === undefined ? "a tensor" : `a tensor [${shape.join(", ")}]`;
  throw wrongHook(method, hook, layer, allowed, value);
}

/** The number that a hook returned for a layer. @throws UserError for what is none. */
export function numberFromHook(method: Method, hook: string, layer: LayerInfo, value: unknown): number {
  if (Number.isFinite(value)) return value as number;
  throw wrongHook(method, hook, layer, "a finite number", value);
}

/** The mistake of a hook that returns something else than allowed. */
export const wrongHook = (
  { name }: Method,
  hook: string,
  layer: LayerInfo,
  allowed: string,
  value: unknown,
): UserError =>
  new UserError(
    `method ${name}: ${hook} must return ${allowed} for layer ${layer.name}, got ${shown(value)}`,
  );
