/** Checks what a method's hooks return: a forgotten `return` would fail far from its cause, or not at all. */
import { shown, UserError } from "../errors.js";
import { callAt, withPlace } from "../errors/place.js";
import type { Shape, Tensor } from "../graph/index.js";
import { isTensor } from "../graph/index.js";
import type { LayerInfo, Method } from "../quantization/index.js";

/** The result of a hook for a layer. @throws UserError, naming the hook, for what functions on tensors refuse in it. */
export const callHook = <T>({ name }: Method, hook: string, layer: LayerInfo, call: () => T): T =>
  callAt({ what: `method ${name}: ${hook}`, layer: layer.name }, call);

/** The tensor that a hook returns for a layer. @throws UserError for anything else, or a shape that is not allowed. */
export function tensorFromHook(
  method: Method,
  hook: string,
  layer: LayerInfo,
  call: () => unknown,
  shape?: Shape,
): Tensor {
  const value = callHook(method, hook, layer, call);
  if (isTensor(value) && (shape === undefined || value.shape.join() === shape.join())) return value;
  const allowed = shape === undefined ? "a tensor" : `a tensor [${shape.join(", ")}]`;
  throw wrongHook(method, hook, layer, allowed, value);
}

/** The number that a hook returns for a layer. @throws UserError for anything else. */
export function numberFromHook(method: Method, hook: string, layer: LayerInfo, call: () => unknown): number {
  const value = callHook(method, hook, layer, call);
  if (Number.isFinite(value)) return value as number;
  throw wrongHook(method, hook, layer, "a finite number", value);
}

/** The error for a hook that returns something that is not allowed. */
export const wrongHook = (
  { name }: Method,
  hook: string,
  layer: LayerInfo,
  allowed: string,
  value: unknown,
): UserError =>
  withPlace(
    new UserError(
      `method ${name}: ${hook} must return ${allowed} for layer ${layer.name}, got ${shown(value)}`,
    ),
  );
