/** Gradients with respect to a tree of parameters. */
import { shown, UserError } from "../errors.js";
import { isObject } from "../errors/options.js";
import { gradients } from "../graph/gradients.js";
import type { Tensor } from "../graph/tensor.js";
import { isTensor } from "./trace.js";
import type { Tree } from "./tree.js";
import { checkTree, forEachLeaf, mapTree } from "./tree.js";

/** What `valueAndGradients` returns. */
export interface ValueAndGradients<P, A> {
  readonly value: Tensor;
  readonly auxiliary: A;
  /** A tree like the parameters. */
  readonly gradients: P;
}

/**
 * Evaluates a scalar function of a parameter tree and its gradient by reverse-mode differentiation.
 *
 * @param f returns the value (shape []), alone or with an `auxiliary` tree that is passed through.
 * @throws UserError if the value is not a scalar.
 */
export function valueAndGradients<P extends Tree<Tensor>, A = undefined>(
  f: (parameters: P) => Tensor | { value: Tensor; auxiliary: A },
  parameters: P,
): ValueAndGradients<P, A> {
  if (typeof f !== "function") throw new UserError(`valueAndGradients takes a function, got ${shown(f)}`);
  checkTree(parameters, isTensor, "a tensor", "valueAndGradients: parameters");
  const result = f(parameters);
  const { value, auxiliary } = isTensor(result)
    ? { value: result, auxiliary: undefined as A }
    : record(result);
  const leaves: Tensor[] = [];
  forEachLeaf<Tensor>(parameters, isTensor, (_, leaf) => leaves.push(leaf));
  const found = gradients(value, leaves);
  let next = 0;
  return {
    value,
    auxiliary,
    gradients: mapTree<Tensor, Tensor>(parameters, isTensor, () => found[next++]) as P,
  };
}

function record<R extends object>(result: R): R {
  if (isObject(result) && "value" in result) return result;
  const allowed = "a tensor of shape [], or { value, auxiliary }";
  throw new UserError(`valueAndGradients: the function must return ${allowed}, got ${shown(result)}`);
}
