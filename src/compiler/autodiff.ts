/** Gradients with respect to a tree of parameters. */
import { gradients } from "../graph/gradients.js";
import type { Tensor } from "../graph/tensor.js";
import { isTensor } from "./trace.js";
import type { Tree } from "./tree.js";
import { forEachLeaf, mapTree } from "./tree.js";

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
  const result = f(parameters);
  const { value, auxiliary } = isTensor(result) ? { value: result, auxiliary: undefined as A } : result;
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
